package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
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
