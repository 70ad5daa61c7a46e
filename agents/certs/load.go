package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Options say what a participant's TLS is made of.
type Options struct {
	Files
	RequirePeer bool             // as server: refuse who shows no certificate
	KeyLog      string           // append session secrets here (SSLKEYLOGFILE); empty: nowhere
	Time        func() time.Time // what validity is checked against; nil: time.Now
}

// Credentials are a participant's own certificate and whom it trusts.
type Credentials struct {
	own     []tls.Certificate
	roots   *x509.CertPool // nil: the system's
	require bool
	keyLog  io.WriteCloser // nil: none
	time    func() time.Time
}

// Load reads the files. The caller closes the credentials when no connection
// uses them any more.
func Load(opts Options) (*Credentials, error) {
	c := &Credentials{require: opts.RequirePeer, time: opts.Time}
	if c.time == nil {
		c.time = time.Now
	}
	if opts.Authority != "" {
		data, err := os.ReadFile(opts.Authority)
		if err != nil {
			return nil, err
		}
		c.roots = x509.NewCertPool()
		if !c.roots.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("%s: no PEM block %q", opts.Authority, "CERTIFICATE")
		}
	}
	if (opts.Cert == "") != (opts.Key == "") {
		return nil, errors.New("a certificate needs its key, and a key its certificate")
	}
	if opts.Cert != "" {
		own, err := tls.LoadX509KeyPair(opts.Cert, opts.Key)
		if err != nil {
			var path *os.PathError
			if errors.As(err, &path) {
				return nil, err
			}
			return nil, fmt.Errorf("%s, %s: %w", opts.Cert, opts.Key, err)
		}
		c.own = []tls.Certificate{own}
	}
	if opts.KeyLog != "" {
		f, err := os.OpenFile(opts.KeyLog, os.O_WRONLY|os.O_CREATE|os.O_APPEND, keyMode)
		if err != nil {
			return nil, err
		}
		c.keyLog = f
	}
	return c, nil
}

// Names are the identities that the own certificate proves; nil without one.
func (c *Credentials) Names() []string {
	if len(c.own) == 0 || c.own[0].Leaf == nil {
		return nil
	}
	return Identities(c.own[0].Leaf)
}

// Close closes the key log.
func (c *Credentials) Close() error {
	if c.keyLog == nil {
		return nil
	}
	return c.keyLog.Close()
}
