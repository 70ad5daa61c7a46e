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
	// VerifyConnection cannot tell the roles apart, so the server's role has a
	// configuration of its own.
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.server(), nil }
	return cfg
}

// Dial is for one connection to name: a host name or an IP literal.
func (c *Credentials) Dial(name string) *tls.Config {
	cfg := c.client(name)
	cfg.ServerName = canonical(name)
	return cfg
}

func (c *Credentials) base() *tls.Config {
	// Without tickets each connection is made with the certificates of its day.
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true, Time: c.opts.Time}
	if c.keyLog != nil {
		cfg.KeyLogWriter = c.keyLog
	}
	return cfg
}

// server is for one connection that is accepted.
func (c *Credentials) server() *tls.Config {
	now := c.current()
	cfg := c.base()
	cfg.Certificates = now.own
	cfg.ClientCAs = now.roots // told to who connects
	cfg.ClientAuth = tls.RequestClientCert
	if c.opts.RequirePeer {
		cfg.ClientAuth = tls.RequireAnyClientCert
	}
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return nil
		}
		return now.verify(state.PeerCertificates, x509.ExtKeyUsageClientAuth, c.opts.Time())
	}
	return cfg
}

// client verifies in VerifyConnection all that crypto/tls would, but the name
// by RFC 5922 section 7.2, which knows sip URIs and no wildcards.
func (c *Credentials) client(name string) *tls.Config {
	cfg := c.base()
	cfg.InsecureSkipVerify = true
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		// Shown whatever authorities are asked for: a refusal is clearer than silence.
		if own := c.current().own; len(own) > 0 {
			return &own[0], nil
		}
		return &tls.Certificate{}, nil
	}
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		want := name
		if want == "" {
			want = state.ServerName
		}
		return c.verifyAt(state.PeerCertificates, want, c.opts.Time())
	}
	return cfg
}

func (c *Credentials) verifyAt(chain []*x509.Certificate, name string, at time.Time) error {
	if len(chain) == 0 {
		return errors.New("the peer shows no certificate")
	}
	if err := c.current().verify(chain, x509.ExtKeyUsageServerAuth, at); err != nil {
		return err
	}
	return Match(chain[0], name)
}
