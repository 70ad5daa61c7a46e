package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// material is what a participant's files hold.
type material struct {
	own   []tls.Certificate // one, or none
	roots *x509.CertPool    // nil: the system's
}

func (f Files) read() (m material, err error) {
	if f.Authority != "" {
		data, err := os.ReadFile(f.Authority)
		if err != nil {
			return m, err
		}
		m.roots = x509.NewCertPool()
		if !m.roots.AppendCertsFromPEM(data) {
			return m, fmt.Errorf("%s: no PEM block %q", f.Authority, "CERTIFICATE")
		}
	}
	if (f.Cert == "") != (f.Key == "") {
		return m, errors.New("a certificate needs its key, and a key its certificate")
	}
	if f.Cert != "" {
		own, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			var path *os.PathError
			if errors.As(err, &path) {
				return m, err
			}
			return m, fmt.Errorf("%s, %s: %w", f.Cert, f.Key, err)
		}
		m.own = []tls.Certificate{own}
	}
	return m, nil
}

func (m material) names() []string {
	if len(m.own) == 0 || m.own[0].Leaf == nil {
		return nil
	}
	return Identities(m.own[0].Leaf)
}

// stat is the files as they are; nil for one that is not there.
func (f Files) stat() []os.FileInfo {
	var out []os.FileInfo
	for _, path := range []string{f.Authority, f.Cert, f.Key} {
		info, err := os.Stat(path)
		if err != nil {
			info = nil
		}
		out = append(out, info)
	}
	return out
}

func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// current is what new connections use. Files that have changed are read again;
// what cannot be used, such as a certificate whose key is still to come, or one
// that does not prove the names of before, leaves everything as it was.
func (c *Credentials) current() material {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.opts.Files.stat()
	if slices.EqualFunc(now, c.seen, same) {
		return c.held
	}
	c.seen = now
	fresh, err := c.opts.Files.read()
	if err == nil {
		have := fresh.names()
		for _, name := range c.held.names() {
			if !slices.Contains(have, name) {
				err = fmt.Errorf("it proves %q, and no more %s", strings.Join(have, ", "), name)
			}
		}
	}
	if err != nil {
		c.opts.Log.Warn("new TLS files are not used, the former stay", "certificate", c.opts.Cert, "authority", c.opts.Authority, "error", err)
		return c.held
	}
	c.held = fresh
	if len(fresh.own) > 0 {
		c.opts.Log.Info("new TLS files are used", "certificate", c.opts.Cert, "serial", fresh.own[0].Leaf.SerialNumber, "until", fresh.own[0].Leaf.NotAfter)
	} else {
		c.opts.Log.Info("new TLS files are used", "authority", c.opts.Authority)
	}
	return c.held
}
