package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// Config serves both roles. As a server it asks for a certificate, verifies the
// chain of one that is shown, and leaves what the identities allow to the
// caller (RFC 5922 section 7.4). To dial, clone it and set ServerName to the
// host name that the peer must prove (section 7.3); without one every handshake
// fails. For an IP literal, which TLS does not carry in ServerName, use Dial.
func (c *Credentials) Config() *tls.Config {
	cfg := c.client("")
	server := c.base()
	server.ClientCAs = c.roots
	server.ClientAuth = tls.VerifyClientCertIfGiven
	if c.require {
		server.ClientAuth = tls.RequireAndVerifyClientCert
	}
	cfg.ClientAuth = server.ClientAuth
	cfg.ClientCAs = server.ClientCAs
	// VerifyConnection cannot tell the roles apart, so the server's role has a
	// configuration of its own.
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return server, nil }
	return cfg
}

// Dial is for one connection to name: a host name or an IP literal.
func (c *Credentials) Dial(name string) *tls.Config {
	cfg := c.client(name)
	cfg.ServerName = canonical(name)
	return cfg
}

func (c *Credentials) base() *tls.Config {
	cfg := &tls.Config{Certificates: c.own, MinVersion: tls.VersionTLS12, Time: c.time}
	if c.keyLog != nil {
		cfg.KeyLogWriter = c.keyLog
	}
	return cfg
}

// client verifies in VerifyConnection all that crypto/tls would, but the name
// by RFC 5922 section 7.2, which knows sip URIs and no wildcards.
func (c *Credentials) client(name string) *tls.Config {
	cfg := c.base()
	cfg.RootCAs = c.roots
	cfg.InsecureSkipVerify = true
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		want := name
		if want == "" {
			want = state.ServerName
		}
		return c.verifyAt(state.PeerCertificates, want, c.time())
	}
	return cfg
}

func (c *Credentials) verifyAt(chain []*x509.Certificate, name string, at time.Time) error {
	if len(chain) == 0 {
		return errors.New("the peer shows no certificate")
	}
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{
		Roots:         c.roots,
		Intermediates: between,
		CurrentTime:   at,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return Match(chain[0], name)
}
