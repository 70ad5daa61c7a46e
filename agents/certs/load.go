package certs

import (
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Options say what a participant's TLS is made of.
type Options struct {
	Files
	RequirePeer bool             // as server: refuse who shows no certificate
	KeyLog      string           // append session secrets here (SSLKEYLOGFILE); empty: nowhere
	Time        func() time.Time // what validity is checked against; nil: time.Now
	Log         *slog.Logger     // says what became of files that were replaced; nil: nobody is told
}

// Credentials are a participant's own certificate and whom it trusts, as its files
// say now: each new connection uses what they hold, without a restart.
type Credentials struct {
	opts   Options
	keyLog io.WriteCloser // nil: none

	mu   sync.Mutex
	held material
	seen []os.FileInfo // the files when they were last read
}

// Load reads the files. The caller closes the credentials when no connection
// uses them any more.
func Load(opts Options) (*Credentials, error) {
	if opts.Time == nil {
		opts.Time = time.Now
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	c := &Credentials{opts: opts}
	var err error
	c.seen = opts.Files.stat()
	if c.held, err = opts.Files.read(); err != nil {
		return nil, err
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
func (c *Credentials) Names() []string { return c.current().names() }

// Close closes the key log.
func (c *Credentials) Close() error {
	if c.keyLog == nil {
		return nil
	}
	return c.keyLog.Close()
}
