package server_test

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/certs"
	"presfed/agents/internal/message"
	"presfed/agents/server"
	"presfed/db"
)

// sipDomain is RFC 5924's extended key usage.
var sipDomain = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 20}

// issuer makes certificates that presfed certs does not.
type issuer struct {
	t     *testing.T
	chain []*x509.Certificate // its own first
	key   crypto.Signer
}

// issuerIn is the authority whose files are in a folder.
func issuerIn(t *testing.T, dir string) *issuer {
	t.Helper()
	cert, err := certs.ReadCertificate(certs.FilesIn(dir, certs.AuthorityName).Cert)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(certs.FilesIn(dir, certs.AuthorityName).Key)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{t, []*x509.Certificate{cert}, key.(crypto.Signer)}
}

var keys = sync.OnceValue(func() map[string]crypto.Signer {
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return map[string]crypto.Signer{"RSA": r, "ECDSA": e}
})

// certificate is one as server-b should have it, but for what edit changes.
func (i *issuer) certificate(key crypto.Signer, edit func(*x509.Certificate)) tls.Certificate {
	i.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		i.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "server-b"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:           x509.KeyUsageDigitalSignature,
		ExtKeyUsage:        []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{sipDomain}, BasicConstraintsValid: true,
	}
	names(template, []string{"serverb.example.com"}, "serverb.example.com")
	if edit != nil {
		edit(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, i.chain[0], key.Public(), i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		i.t.Fatal(err)
	}
	out := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
	for _, cert := range i.chain[:len(i.chain)-1] {
		out.Certificate = append(out.Certificate, cert.Raw)
	}
	return out
}

func names(c *x509.Certificate, dns []string, sips ...string) {
	c.DNSNames, c.URIs = dns, nil
	for _, s := range sips {
		c.URIs = append(c.URIs, &url.URL{Scheme: "sip", Opaque: s})
	}
}

// presents is a configuration that shows these certificates whoever asks.
func presents(own ...tls.Certificate) *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, Certificates: own, ClientAuth: tls.RequestClientCert,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &append(own, tls.Certificate{})[0], nil
		},
	}
}

// watched is server-a and its log; somebody else poses as server-b.
type watched struct {
	*domain
	log    lines
	last   []string // lines that were read and not asked for yet
	issuer *issuer
}

func watchedDomain(t *testing.T, change func(*server.Config)) *watched {
	t.Helper()
	w := &watched{log: make(lines, 100_000)}
	w.domain = federatedWith(t, func(c *server.Config) {
		believing(c)
		if c.Name == "server-a" {
			c.Log = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		}
		if change != nil {
			change(c)
		}
	})
	w.stops["b"]()
	w.issuer = issuerIn(t, w.dir)
	return w
}

// logs waits for a line that says all of it.
func (w *watched) logs(what ...string) {
	w.t.Helper()
	seen := w.last
	w.last = nil
	if slices.ContainsFunc(seen, func(line string) bool { return contains(line, what...) }) {
		return
	}
	for end := time.After(20 * time.Second); ; {
		select {
		case line := <-w.log:
			if seen = append(seen, line); contains(line, what...) {
				return
			}
		case <-end:
			w.t.Errorf("the log never said %q, but\n%s", what, strings.Join(seen, ""))
			return
		}
	}
}

func contains(s string, all ...string) bool {
	return !slices.ContainsFunc(all, func(part string) bool { return !strings.Contains(s, part) })
}

// closed waits until server-a has let a connection go; it may have used it otherwise.
// One whose handshake failed it never held.
func (w *watched) closed(at net.Addr) {
	w.t.Helper()
	for line := range w.log {
		if strings.Contains(line, "peer="+at.String()) && (strings.Contains(line, "connection closed") || strings.Contains(line, "TLS handshake failed")) {
			w.last = append(w.last, line)
			return
		}
		w.last = append(w.last, line)
	}
}

// accepts is for whom server-a takes one who connects and asserts bob: "server-b", "a
// client", or nobody, "refused".
func (w *watched) accepts(cfg *tls.Config) (who string) {
	w.t.Helper()
	conn, err := tls.Dial("tcp", w.servers["a"].Addr("TLS").String(), cfg)
	if err != nil {
		return "refused"
	}
	defer w.closed(conn.LocalAddr())
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "MESSAGE sip:alice@example.com SIP/2.0\r\nVia: SIP/2.0/TLS serverb.example.com;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: <sip:nobody@example.com>;tag=1\r\n"+
		"To: <sip:alice@example.com>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\nP-Asserted-Identity: <sip:bob@example.com>\r\nContent-Length: 0\r\n\r\n")
	in, line := bufio.NewReader(conn), "\r\n"
	for line == "\r\n" && err == nil { // its pings
		line, err = in.ReadString('\n')
	}
	switch {
	case err != nil:
		return "refused"
	case strings.HasPrefix(line, "SIP/2.0 403 "): // bob is From's nobody: it is believed for bob
		return "server-b"
	case strings.HasPrefix(line, "SIP/2.0 404 "), strings.HasPrefix(line, "SIP/2.0 480 "):
		return "a client" // without authentication From is believed
	}
	return line
}

// poser is somebody at the addresses that the directory has for other servers.
type poser struct {
	net.Listener
	mu    sync.Mutex
	heard []string // Request-URIs
	shown []*x509.Certificate
	conns []*tls.Conn // whose handshake was done
}

// pose has somebody stand where those servers are, and show cfg's certificates.
func (w *watched) pose(cfg *tls.Config, servers ...string) *poser {
	w.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	p := &poser{Listener: ln}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			conn := tls.Server(nc, cfg)
			w.t.Cleanup(func() { conn.Close() })
			wg.Go(func() { p.serve(conn) })
		}
	})
	w.t.Cleanup(wg.Wait)
	w.t.Cleanup(func() { ln.Close() })
	for _, name := range servers {
		if err := w.directory.SetServer(w.t.Context(), db.Server{Name: "server-" + name, URI: "sip:" + ln.Addr().String() + ";transport=tls", Identity: "server" + name + ".example.com"}); err != nil {
			w.t.Fatal(err)
		}
	}
	return p
}

// serve answers requests without bodies with 200.
func (p *poser) serve(conn *tls.Conn) {
	if conn.Handshake() != nil {
		conn.Close()
		return
	}
	p.mu.Lock()
	p.conns = append(p.conns, conn)
	p.shown = append(p.shown, conn.ConnectionState().PeerCertificates...)
	p.mu.Unlock()
	in := bufio.NewReader(conn)
	var head []byte
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			conn.Close()
			return
		}
		if head = append(head, line...); string(line) != "\r\n" {
			continue
		}
		m, err := message.Parse(head, message.DefaultLimits)
		head = nil
		if req, ok := m.(*message.Request); ok && err == nil {
			p.mu.Lock()
			p.heard = append(p.heard, req.Recipient.String())
			p.mu.Unlock()
			conn.Write(message.Bytes(message.NewResponse(req, 200, "", "x")))
		}
	}
}

func (p *poser) has() (heard []string, shown []*x509.Certificate, conns int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heard, p.shown, len(p.conns)
}

// leave ends all that was connected, and waits until server-a knows.
func (w *watched) leave(p *poser) {
	w.t.Helper()
	p.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		conn.Close()
		w.closed(p.Addr())
	}
}

// connects is whether server-a sends to one who stands where server-b is.
func (w *watched) connects(alice *phone, cfg *tls.Config) (what string) {
	w.t.Helper()
	p := w.pose(cfg, "b")
	defer w.leave(p)
	res := next(w.t, alice.ask(alice.request("MESSAGE", "bob")))
	heard, _, _ := p.has()
	switch {
	case res.StatusCode == 200 && len(heard) == 1:
		return "server-b"
	case res.StatusCode >= 400 && len(heard) == 0:
		return "refused"
	}
	return fmt.Sprint(res.StatusCode, heard)
}
