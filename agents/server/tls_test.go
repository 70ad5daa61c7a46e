package server_test

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"presfed/agents/certs"
	"presfed/agents/internal/sip"
	"presfed/agents/server"
	"presfed/db"
	"presfed/routing"
)

// TestTLSMatrix: which certificates make somebody server-b, where it connects to
// server-a and where server-a connects to it, and what the log says where they do
// not. With RSA and TLS 1.3, and with ECDSA and TLS 1.2.
func TestTLSMatrix(t *testing.T) {
	w := watchedDomain(t, nil)
	alice := w.phone("alice", "a", "TCP")
	dir := t.TempDir()
	if _, err := certs.NewAuthority(dir, "elsewhere", time.Now()); err != nil {
		t.Fatal(err)
	}
	elsewhere := issuerIn(t, dir)
	leaf := w.issuer.certificate(keys()["ECDSA"], nil)
	asAuthority := &issuer{t, []*x509.Certificate{leaf.Leaf, w.issuer.chain[0]}, keys()["ECDSA"]}
	usage := func(known ...x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage, c.UnknownExtKeyUsage = known, nil }
	}
	const noServer, noDigest = "a certificate of no server of the domain", "its key usage allows no digital signature"
	neither := func(role string) string { return "its extended key usage has neither " + role + " nor sipDomain" }
	for _, row := range []struct {
		name       string
		by         *issuer // nil: the domain's authority
		edit       func(*x509.Certificate)
		bare       bool // no certificate
		most       uint16
		accepted   string // for whom it is taken that connects to us
		acceptLog  string
		connected  string
		connectLog string
	}{
		{name: "as it should be", accepted: "server-b", connected: "server-b"},
		{name: "none", bare: true, accepted: "a client", connected: "refused", connectLog: "TLS handshake failed"},
		{name: "of an unknown authority", by: elsewhere, accepted: "refused", acceptLog: "signed by unknown authority", connected: "refused", connectLog: "signed by unknown authority"},
		{name: "signed by itself", by: &issuer{t, nil, nil}, accepted: "refused", acceptLog: "signed by unknown authority", connected: "refused", connectLog: "signed by unknown authority"},
		{name: "signed by a server's certificate", by: asAuthority, accepted: "refused", acceptLog: "signed by unknown authority", connected: "refused", connectLog: "signed by unknown authority"},
		{name: "expired", edit: func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, accepted: "refused", acceptLog: "has expired or is not yet valid", connected: "refused", connectLog: "has expired or is not yet valid"},
		{name: "not yet valid", edit: func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) }, accepted: "refused", acceptLog: "has expired or is not yet valid", connected: "refused", connectLog: "has expired or is not yet valid"},
		{name: "for another host", edit: func(c *x509.Certificate) { names(c, []string{"serverx.example.com"}, "serverx.example.com") },
			accepted: "a client", acceptLog: noServer, connected: "refused", connectLog: "certificate is for serverx.example.com, want serverb.example.com"},
		{name: "for the domain alone", edit: func(c *x509.Certificate) { names(c, []string{"example.com"}, "example.com") },
			accepted: "a client", acceptLog: noServer, connected: "refused", connectLog: "certificate is for example.com, want serverb.example.com"},
		{name: "for a host below it", edit: func(c *x509.Certificate) { names(c, []string{"x.serverb.example.com"}) },
			accepted: "a client", acceptLog: noServer, connected: "refused", connectLog: "certificate is for x.serverb.example.com, want serverb.example.com"},
		{name: "its name as the common name alone", edit: func(c *x509.Certificate) { names(c, nil); c.Subject = pkix.Name{CommonName: "serverb.example.com"} },
			accepted: "a client", acceptLog: "names no SIP domain", connected: "refused", connectLog: "certificate holds no SIP identity, want serverb.example.com"},
		{name: "a wildcard, `*.example.com`", edit: func(c *x509.Certificate) { names(c, []string{"*.example.com"}) },
			accepted: "a client", acceptLog: noServer, connected: "refused", connectLog: "certificate is for *.example.com, want serverb.example.com"},
		{name: "a wildcard as sip URI", edit: func(c *x509.Certificate) { names(c, []string{"serverb.example.com"}, "*.example.com") },
			accepted: "a client", acceptLog: noServer, connected: "refused", connectLog: "certificate is for *.example.com, want serverb.example.com"},
		{name: "its DNS name alone", edit: func(c *x509.Certificate) { names(c, []string{"SERVERB.example.com"}) }, accepted: "server-b", connected: "server-b"},
		{name: "its sip URI alone, with a port", edit: func(c *x509.Certificate) { names(c, nil, "ServerB.example.com:5061") }, accepted: "server-b", connected: "server-b"},
		{name: "its DNS name, and another's sip URI", edit: func(c *x509.Certificate) { names(c, []string{"serverb.example.com"}, "serverx.example.com") },
			accepted: "a client", acceptLog: noServer, connected: "refused", connectLog: "certificate is for serverx.example.com, want serverb.example.com"},
		{name: "a user's sip URI at it", edit: func(c *x509.Certificate) { names(c, nil, "bob@serverb.example.com") },
			accepted: "a client", acceptLog: "names no SIP domain", connected: "refused", connectLog: "certificate holds no SIP identity, want serverb.example.com"},
		{name: "key usage: certificates", edit: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }, accepted: "refused", acceptLog: noDigest, connected: "refused", connectLog: noDigest},
		{name: "key usage: encipherment", edit: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }, accepted: "refused", acceptLog: noDigest, connected: "refused", connectLog: noDigest},
		{name: "key usage: not said", edit: func(c *x509.Certificate) { c.KeyUsage = 0 }, accepted: "server-b", connected: "server-b"},
		{name: "extended key usage: e-mail", edit: usage(x509.ExtKeyUsageEmailProtection), accepted: "refused", acceptLog: neither("clientAuth"), connected: "refused", connectLog: neither("serverAuth")},
		{name: "extended key usage: TLS servers", edit: usage(x509.ExtKeyUsageServerAuth), accepted: "refused", acceptLog: neither("clientAuth"), connected: "server-b"},
		{name: "extended key usage: TLS clients", edit: usage(x509.ExtKeyUsageClientAuth), accepted: "server-b", connected: "refused", connectLog: neither("serverAuth")},
		{name: "extended key usage: SIP domains (RFC 5924)", edit: func(c *x509.Certificate) { c.ExtKeyUsage = nil }, accepted: "server-b", connected: "server-b"},
		{name: "extended key usage: any", edit: usage(x509.ExtKeyUsageAny), accepted: "server-b", connected: "server-b"},
		{name: "extended key usage: not said", edit: usage(), accepted: "server-b", connected: "server-b"},
		{name: "an extension that is critical, and unknown", edit: func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		}, accepted: "refused", acceptLog: "unhandled critical extension", connected: "refused", connectLog: "unhandled critical extension"},
		{name: "as it should be, by TLS 1.1", most: tls.VersionTLS11, accepted: "refused", acceptLog: "client offered only unsupported versions", connected: "refused", connectLog: "protocol version not supported"},
	} {
		for _, with := range []struct {
			key     string
			version uint16
		}{{"RSA", tls.VersionTLS13}, {"ECDSA", tls.VersionTLS12}} {
			by := row.by
			switch {
			case by == nil:
				by = w.issuer
			case by.chain == nil: // itself
				self := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "server-b"}}
				by = &issuer{t, []*x509.Certificate{self}, keys()[with.key]}
			}
			cfg := presents()
			if !row.bare {
				cfg = presents(by.certificate(keys()[with.key], row.edit))
			}
			if cfg.MaxVersion = with.version; row.most != 0 {
				cfg.MaxVersion = row.most
			}
			if got := w.accepts(cfg); got != row.accepted {
				t.Errorf("%s, %s, it connects: taken for %s, want %s", row.name, with.key, got, row.accepted)
			} else if row.acceptLog != "" {
				w.logs("level=WARN", row.acceptLog)
			}
			if got := w.connects(alice, cfg); got != row.connected {
				t.Errorf("%s, %s, we connect: %s, want %s", row.name, with.key, got, row.connected)
			} else if row.connectLog != "" {
				w.logs("level=WARN", "TLS handshake failed", row.connectLog)
			}
		}
		if os.Getenv("FIGURES_SIZE") != "" {
			fmt.Printf("| %s | %s | %s | %s | %s |\n", row.name, row.accepted, row.acceptLog, row.connected, row.connectLog)
		}
	}
}

// TestNoServerIsChallenged: where clients prove who they are, TLS without a server's
// certificate is no proof, whatever is asserted.
func TestNoServerIsChallenged(t *testing.T) {
	log := make(lines, 10_000)
	b := federatedWith(t, func(c *server.Config) { c.Log = slog.New(slog.NewTextHandler(log, nil)) })
	for identity, why := range map[string]string{"": "no credentials", "serverx.example.com": "serverx.example.com"} {
		p := b.peer("bob", cmp.Or(identity, "unused.example.com"), "a")
		if identity == "" {
			p.stop()
			p.transport = "TCP" // that it listens on
			p.open(sip.Config{ClientTLS: presents()})
			p.transport = "TLS"
		}
		for _, method := range []string{"MESSAGE", "INVITE", "SUBSCRIBE", "PUBLISH", "REGISTER"} {
			res := next(t, p.ask(p.request(method, "bob", "Event", "presence", "P-Asserted-Identity", "<sip:bob@example.com>")))
			if res.StatusCode != 401 && res.StatusCode != 407 {
				t.Errorf("%s with certificate %q: %d", method, identity, res.StatusCode)
			}
		}
		for !strings.Contains(next(t, log), why) {
		}
	}
}

// TestOneConnectionOneDomain: what server-b has proved is no proof for server-c at the
// same address; a connection that proved both is one for both (RFC 5923).
func TestOneConnectionOneDomain(t *testing.T) {
	w := watchedDomain(t, nil)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.directory.AddServer(t.Context(), db.Server{Name: "server-c", URI: "sip:serverc.example.com;transport=tls"}))
	must(w.directory.AddUser(t.Context(), db.User{AOR: "cleo@example.com"}))
	must(w.directory.Assign(t.Context(), "cleo@example.com", routing.Place{Model: routing.Partitioned, Servers: []string{"server-c"}}))
	alice := w.phone("alice", "a", "TCP")
	p := w.pose(presents(w.issuer.certificate(keys()["ECDSA"], nil)), "b", "c")
	final(t, alice.ask(alice.request("MESSAGE", "bob")), 200)
	if res := next(t, alice.ask(alice.request("MESSAGE", "cleo"))); res.StatusCode < 400 {
		t.Errorf("cleo's message: %d", res.StatusCode)
	}
	w.logs("level=WARN", "certificate is for serverb.example.com, want serverc.example.com")
	final(t, alice.ask(alice.request("MESSAGE", "bob")), 200)
	if heard, _, _ := p.has(); !slices.Equal(heard, []string{"sip:bob@serverb.example.com", "sip:bob@serverb.example.com"}) {
		t.Errorf("server-b was sent %q", heard)
	}
	w.leave(p)

	both := presents(w.issuer.certificate(keys()["ECDSA"], func(c *x509.Certificate) { names(c, nil, "serverb.example.com", "serverc.example.com") }))
	p = w.pose(both, "b", "c")
	for _, to := range []string{"cleo", "bob"} {
		final(t, alice.ask(alice.request("MESSAGE", to)), 200)
	}
	if heard, _, conns := p.has(); conns != 1 || len(heard) != 2 {
		t.Errorf("%d connections, sent %q", conns, heard)
	}
	w.leave(p)
	// Who could be either is neither.
	if got := w.accepts(both); got != "a client" {
		t.Errorf("who proves two servers is taken for %s", got)
	}
	w.logs("level=WARN", "of several", "serverb.example.com, serverc.example.com")
}

// TestNewFilesAreUsed: certificate, key and authority are replaced while the server
// runs; connections that are there go on, new ones use the new files, in both
// directions, and what cannot be used changes nothing.
func TestNewFilesAreUsed(t *testing.T) {
	var files certs.Files
	log := make(lines, 10_000)
	w := watchedDomain(t, func(c *server.Config) {
		if c.Name != "server-a" {
			return
		}
		files = certs.FilesIn(filepath.Dir(c.Directory), c.Name)
		creds, err := certs.Load(certs.Options{Files: files, Log: slog.New(slog.NewTextHandler(log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		c.ServerTLS, c.ClientTLS = creds.Config(), creds.Config()
	})
	alice := w.phone("alice", "a", "TCP")
	good := presents(w.issuer.certificate(keys()["ECDSA"], nil))
	serving := func() string { // what a new connection is shown
		t.Helper()
		conn, err := tls.Dial("tcp", w.servers["a"].Addr("TLS").String(), good)
		if err != nil {
			t.Fatal(err)
		}
		defer w.closed(conn.LocalAddr()) // else it may be used for server-b
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	dialling := func() string { // what server-a shows
		t.Helper()
		p := w.pose(good, "b")
		final(t, alice.ask(alice.request("MESSAGE", "bob")), 200)
		_, shown, _ := p.has()
		w.leave(p)
		if len(shown) == 0 {
			return ""
		}
		return shown[0].SerialNumber.String()
	}
	issue := func(host string) string {
		t.Helper()
		cert, _, err := w.authority.Issue(certs.Request{Name: "server-a", Hosts: []string{host}, Replace: true}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return cert.SerialNumber.String()
	}
	old := serving()
	standing := w.peer("phone", "phone.example.com", "a")
	ping := func() {
		t.Helper()
		req := standing.request("OPTIONS", "server")
		req.Recipient.User = ""
		final(t, standing.ask(req), 200)
	}
	ping()

	fresh := issue("servera.example.com")
	if got := serving(); got != fresh || got == old {
		t.Errorf("shown is %s, want %s", got, fresh)
	}
	ping()
	if line := next(t, log); !contains(line, "new TLS files are used", fresh) {
		t.Errorf("the log says %s", line)
	}
	if got := dialling(); got != fresh {
		t.Errorf("server-a shows %q, want %s", got, fresh)
	}

	key, err := os.ReadFile(files.Key)
	if err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(){
		"proves": func() { issue("serverx.example.com") },
		"private key does not match": func() {
			issue("servera.example.com")
			os.WriteFile(files.Key, key, 0o600) // of before: half of it is replaced
		},
		"failed to find any PEM data": func() { os.WriteFile(files.Cert, []byte("half a fi"), 0o600) },
		"no such file":                func() { os.Remove(files.Cert) },
	} {
		spoil()
		if got := serving(); got != fresh {
			t.Errorf("%s: shown is %s, want %s", what, got, fresh)
		}
		if line := next(t, log); !contains(line, "level=WARN", "the former stay", what) {
			t.Errorf("%s: the log says %s", what, line)
		}
		fresh = issue("servera.example.com")
		if got := serving(); got != fresh {
			t.Errorf("after %s: shown is %s, want %s", what, got, fresh)
		}
		next(t, log)
	}

	// Another authority is trusted from now on, and the first one no more.
	dir := t.TempDir()
	if _, err := certs.NewAuthority(dir, "next", time.Now()); err != nil {
		t.Fatal(err)
	}
	second := issuerIn(t, dir)
	newer := presents(second.certificate(keys()["RSA"], nil))
	if got := w.accepts(newer); got != "refused" {
		t.Errorf("an authority that is not trusted yet: %s", got)
	}
	if err := os.WriteFile(files.Authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: second.chain[0].Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := w.accepts(newer); got != "server-b" {
		t.Errorf("the new authority's: %s", got)
	}
	if got := w.accepts(good); got != "refused" {
		t.Errorf("the former authority's: %s", got)
	}
}
