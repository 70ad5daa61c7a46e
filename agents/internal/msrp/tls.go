package msrp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"sync/atomic"
)

// ErrFingerprint: the peer's certificate is not the one that its description
// names (RFC 4975 section 14.4).
var ErrFingerprint = errors.New("msrp: the certificate has none of the fingerprints in the peer's description")

// ErrInsecure: msrps was agreed on, and the connection is not TLS, or the other
// way round.
var ErrInsecure = errors.New("msrp: TLS on one side only")

// listened is an accepted connection: TLS if it begins with a handshake, for one
// port serves both.
type listened struct {
	net.Conn
	first []byte // read to tell, and still to be read; the reading goroutine's
	tls   atomic.Pointer[tls.Conn]
}

// Read is the reading goroutine's.
func (l *listened) Read(b []byte) (int, error) {
	if t := l.tls.Load(); t != nil {
		return t.Read(b)
	}
	return raw{l}.Read(b)
}

func (l *listened) Write(b []byte) (int, error) {
	if t := l.tls.Load(); t != nil {
		return t.Write(b)
	}
	return l.Conn.Write(b)
}

// raw is what TLS reads from, and writes to.
type raw struct{ *listened }

func (r raw) Read(b []byte) (int, error) {
	if len(r.first) > 0 {
		n := copy(b, r.first)
		r.first = r.first[n:]
		return n, nil
	}
	return r.Conn.Read(b)
}
func (r raw) Write(b []byte) (int, error) { return r.Conn.Write(b) }

const tlsHandshake = 22 // the first byte of TLS (RFC 8446 section 5.1)

// handshake begins an accepted connection, with TLS if the peer wants it.
// Limits.Unbound is how long it may say nothing.
func (c *conn) handshake() error {
	l, ok := c.nc.(*listened)
	if !ok {
		return nil
	}
	var first [1]byte
	if _, err := l.Conn.Read(first[:]); err != nil {
		return err
	}
	l.first = first[:]
	if first[0] != tlsHandshake {
		return nil
	}
	t := tls.Server(raw{l}, c.e.serverTLS())
	ctx, cancel := context.WithTimeout(c.e.ctx, c.e.cfg.Limits.Dial)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		return err
	}
	l.tls.Store(t)
	return nil
}

// tls is the connection's TLS; nil: it has none.
func (c *conn) tls() *tls.Conn {
	switch nc := c.nc.(type) {
	case *tls.Conn:
		return nc
	case *listened:
		return nc.tls.Load()
	}
	return nil
}

func (e *Endpoint) baseTLS() *tls.Config {
	cfg := &tls.Config{}
	if e.cfg.TLS != nil {
		cfg = e.cfg.TLS.Clone()
	}
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	return cfg
}

// serverTLS asks for a certificate and takes any: whose it has to be is known
// when the first request names the session.
func (e *Endpoint) serverTLS() *tls.Config {
	cfg := e.baseTLS()
	cfg.Certificates, cfg.ClientAuth = nil, tls.RequestClientCert
	cfg.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return e.identity() }
	return cfg
}

// clientTLS checks nothing: trusts does, for each session that is to use the
// connection.
func (e *Endpoint) clientTLS(host string) *tls.Config {
	cfg := e.baseTLS()
	cfg.Certificates, cfg.InsecureSkipVerify, cfg.ServerName = nil, true, host
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return e.identity() }
	return cfg
}

// trusts says why a connection may not carry a session with that description.
// RFC 4975 section 14.4: a fingerprint tells whose the certificate is. Without
// one (section 14.2) who is connected to is whom an authority says, and who
// connects is who knows the session's URI.
func (s *Session) trusts(c *conn, remote *Description) error {
	t := c.tls()
	if s.local.Secure != (t != nil) {
		return ErrInsecure
	}
	if t == nil {
		return nil
	}
	chain := t.ConnectionState().PeerCertificates
	switch {
	case len(remote.Fingerprints) > 0:
		if len(chain) == 0 || !anyFingerprint(remote.Fingerprints, chain[0].Raw) {
			return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: ErrFingerprint}
		}
		return nil
	case c.hop == "":
		return nil
	}
	options := x509.VerifyOptions{DNSName: remote.Path.Hop().Host, Intermediates: x509.NewCertPool()}
	if s.e.cfg.TLS != nil {
		options.Roots = s.e.cfg.TLS.RootCAs
	}
	if strings.Contains(options.DNSName, ":") {
		options.DNSName = "[" + options.DNSName + "]"
	}
	for _, other := range chain[1:] {
		options.Intermediates.AddCert(other)
	}
	if _, err := chain[0].Verify(options); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}
