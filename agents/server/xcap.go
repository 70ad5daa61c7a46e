package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/netutil"

	"presfed/agents/internal/auth"
	"presfed/agents/internal/message"
	"presfed/agents/internal/presrules"
	"presfed/db"
)

// xcap is where users read and change their rules by HTTP (RFC 4825): one whole
// document each, pres-rules/users/sip:USER@DOMAIN/index (RFC 5025 section 9). The
// document is another spelling of what the directory holds, so that there is one
// policy, whoever changed it last.
type xcap struct {
	listener net.Listener
	secure   bool
}

// mostRulesConnections bounds what clients hold open, so that those who only connect
// leave room for SIP.
const mostRulesConnections = 256

// openXCAP listens, if that is asked for.
func (s *Server) openXCAP() error {
	at := s.cfg.XCAP
	switch {
	case at.Transport == "":
		return nil
	case at.Transport == "TLS" && s.cfg.ServerTLS == nil:
		return &InputError{What: "rules by HTTPS need a certificate", Hint: "name a folder with --certs, or listen with tcp:"}
	case at.Transport != "TCP" && at.Transport != "TLS":
		return &InputError{What: "rules are for HTTP, by TCP or TLS", Hint: "as in --xcap tls:127.0.0.1:8443"}
	}
	l, err := net.Listen("tcp", at.Addr.String())
	if err != nil {
		return err
	}
	s.xcap = &xcap{listener: netutil.LimitListener(l, mostRulesConnections), secure: at.Transport == "TLS"}
	return nil
}

// XCAPRoot is the root that clients are to be told, "" where there is none.
func (s *Server) XCAPRoot() string {
	if s.xcap == nil {
		return ""
	}
	scheme := "http"
	if s.xcap.secure {
		scheme = "https"
	}
	return scheme + "://" + s.XCAPAddr().String()
}

// XCAPAddr is where rules are read and changed; zero where they are not.
func (s *Server) XCAPAddr() netip.AddrPort {
	if s.xcap == nil {
		return netip.AddrPort{}
	}
	return s.xcap.listener.Addr().(*net.TCPAddr).AddrPort()
}

// runXCAP serves until ctx ends.
func (s *Server) runXCAP(ctx context.Context) error {
	if s.xcap == nil {
		return nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/pres-rules/users/{user}/{document}", s.serveRules)
	mux.HandleFunc("GET /xcap-caps/global/index", serveCapabilities)
	web := &http.Server{
		Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelInfo),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		last, cancel := context.WithTimeout(context.Background(), time.Second) // what is being answered
		defer cancel()
		if web.Shutdown(last) != nil {
			_ = web.Close()
		}
	})
	defer stop()
	l := s.xcap.listener
	if s.xcap.secure {
		l = tls.NewListener(l, s.cfg.ServerTLS)
	}
	if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("rules by HTTP: %w", err)
	}
	<-ended
	return nil
}

// serveCapabilities is what RFC 4825 section 12 has every server say.
func serveCapabilities(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/xcap-caps+xml")
	fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?>
<xcap-caps xmlns="urn:ietf:params:xml:ns:xcap-caps">
  <auids><auid>xcap-caps</auid><auid>pres-rules</auid></auids>
  <namespaces><namespace>urn:ietf:params:xml:ns:xcap-caps</namespace><namespace>urn:ietf:params:xml:ns:common-policy</namespace><namespace>urn:ietf:params:xml:ns:pres-rules</namespace></namespaces>
</xcap-caps>
`)
}

// serveRules reads, writes or removes the rules of the user who asks.
func (s *Server) serveRules(w http.ResponseWriter, r *http.Request) {
	user, err := s.whoAsks(w, r)
	if err == nil {
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			err = s.readRules(w, r, user)
		case http.MethodPut, http.MethodDelete:
			err = s.writeRules(w, r, user)
		default:
			w.Header().Set("Allow", "GET, HEAD, PUT, DELETE")
			err = httpError(http.StatusMethodNotAllowed)
		}
	}
	var status httpError
	var refused *presrules.Error
	var away *message.Unavailable
	var malformed *message.ParseError
	switch {
	case err == nil:
		return
	case errors.As(err, &status):
		w.WriteHeader(int(status))
	case errors.As(err, &refused):
		w.Header().Set("Content-Type", "application/xcap-error+xml")
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write(xcapError(refused))
	case errors.As(err, &malformed):
		w.WriteHeader(malformed.Status)
	case errors.As(err, &away), errors.Is(err, db.ErrUnreachable):
		s.log.Warn("rules: the directory is away", "user", user, "error", err)
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		s.log.Error("rules: request failed", "user", user, "method", r.Method, "error", err)
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// httpError is an answer, as an error.
type httpError int

func (e httpError) Error() string { return http.StatusText(int(e)) }

// xcapError is the body of a 409 (RFC 4825 section 11).
func xcapError(e *presrules.Error) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<xcap-error xmlns="urn:ietf:params:xml:ns:xcap-error"><` + string(e.Kind) + ` phrase="`)
	_ = xml.EscapeText(&b, []byte(e.What)) // a buffer does not fail
	b.WriteString(`"/></xcap-error>` + "\n")
	return b.Bytes()
}

// whoAsks is the user whose document is meant, if it is she who asks, and this
// server is hers. Who is not she learns nothing of whether there is one.
func (s *Server) whoAsks(w http.ResponseWriter, r *http.Request) (user string, err error) {
	ctx := r.Context()
	meant, ok := strings.CutPrefix(r.PathValue("user"), scheme)
	aor, err := db.ParseAOR(meant, s.domain.Name)
	if s.verifier != nil {
		name, verr := s.verifier.VerifyHTTP(ctx, r.Method, r.RequestURI, r.Header.Values("Authorization"))
		var challenge *auth.Challenge
		if errors.As(verr, &challenge) {
			s.log.Info("rules: challenged", "peer", r.RemoteAddr, "why", challenge.Why, "claimed", fmt.Sprintf("%.80s", challenge.User))
			for _, ask := range challenge.Asked {
				w.Header().Add("WWW-Authenticate", ask)
			}
			return "", httpError(http.StatusUnauthorized)
		}
		if verr != nil {
			return "", verr
		}
		if asker, perr := db.ParseAOR(name, s.domain.Name); perr != nil || err != nil || asker != aor {
			return "", httpError(http.StatusForbidden)
		}
	}
	if !ok || err != nil || r.PathValue("document") != "index" {
		return "", httpError(http.StatusNotFound)
	}
	place, err := s.locate.Place(ctx, aor)
	if err == nil && !place.Serves(s.cfg.Name) {
		err = httpError(http.StatusNotFound)
	}
	return aor, err
}

// readRules answers with the document.
func (s *Server) readRules(w http.ResponseWriter, r *http.Request, user string) error {
	rules, err := s.directory.Policy(r.Context(), user)
	if err != nil {
		return err
	}
	domain, err := s.directory.Domain(r.Context())
	if err != nil {
		return err
	}
	doc := presrules.Bytes(rules, domain.Default)
	w.Header().Set("ETag", etagOf(doc))
	if match := r.Header.Get("If-None-Match"); match != "" && (match == "*" || strings.Contains(match, etagOf(doc))) {
		return httpError(http.StatusNotModified)
	}
	w.Header().Set("Content-Type", presrules.ContentType)
	_, _ = w.Write(doc)
	return nil
}

// writeRules has a document take the place of the rules that there are; none
// removes them. It is answered once it is written, and acted on here; other
// servers hear of it from the directory.
func (s *Server) writeRules(w http.ResponseWriter, r *http.Request, user string) error {
	ctx := r.Context()
	var next []db.Rule
	if r.Method == http.MethodPut {
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if kind != presrules.ContentType {
			return httpError(http.StatusUnsupportedMediaType)
		}
		doc, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(presrules.Limits.Bytes)))
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			return httpError(http.StatusRequestEntityTooLarge)
		case err != nil:
			return httpError(http.StatusBadRequest)
		}
		if next, err = presrules.Parse(doc, user, s.domain.Name); err != nil {
			return err
		}
		if n := len(presrules.Bytes(next, db.Confirm)); n > presrules.Limits.Bytes { // nobody could write it back
			return &presrules.Error{Kind: presrules.Constraint, What: fmt.Sprintf("too many watchers: as it is kept it has %d bytes, and %d are the most", n, presrules.Limits.Bytes)}
		}
	}
	var etag string
	if err := s.directory.Update(ctx, func(tx *db.Tx) error {
		before, err := tx.Policy(ctx, user)
		if err != nil {
			return err
		}
		domain, err := tx.Domain(ctx)
		if err != nil {
			return err
		}
		if !matches(r, etagOf(presrules.Bytes(before, domain.Default))) {
			return httpError(http.StatusPreconditionFailed)
		}
		next = withoutDefault(next, before, domain.Default)
		etag = etagOf(presrules.Bytes(next, domain.Default))
		return setRules(tx, before, next)
	}); err != nil {
		return err
	}
	s.log.Info("rules changed by their user", "user", user, "rules", len(next))
	if err := s.locate.Refresh(ctx); err != nil { // what is written holds; it is found as any other change
		s.log.Warn("rules were changed, and the directory cannot be read again", "user", user, "error", err)
	}
	w.Header().Set("ETag", etag)
	return nil
}

// withoutDefault leaves a rule out that says what the domain does, unless she had
// one of her own: a document that was read and written back changes nothing.
func withoutDefault(next, before []db.Rule, fallback db.Handling) []db.Rule {
	if slices.ContainsFunc(before, func(r db.Rule) bool { return r.Match == db.MatchDefault }) {
		return next
	}
	return slices.DeleteFunc(next, func(r db.Rule) bool { return r.Match == db.MatchDefault && r.Handling == fallback })
}

func setRules(tx *db.Tx, before, next []db.Rule) error {
	is := func(a db.Rule) func(db.Rule) bool {
		return func(b db.Rule) bool { return a.Match == b.Match && a.Watcher == b.Watcher }
	}
	for _, r := range before {
		if !slices.ContainsFunc(next, is(r)) {
			if err := tx.RemoveRule(r); err != nil {
				return err
			}
		}
	}
	for _, r := range next {
		if slices.Contains(before, r) {
			continue
		}
		if err := tx.SetRule(r); err != nil {
			return err
		}
	}
	return nil
}

// matches says that the document is still the one that the request is about.
func matches(r *http.Request, etag string) bool {
	if match := r.Header.Get("If-Match"); match != "" && match != "*" && !strings.Contains(match, etag) {
		return false
	}
	match := r.Header.Get("If-None-Match")
	return match == "" || match != "*" && !strings.Contains(match, etag)
}

func etagOf(doc []byte) string {
	sum := sha256.Sum256(doc)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}
