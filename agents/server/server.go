// Package server is a federating server: services wired to one SIP endpoint.
package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"presfed/agents/internal/auth"
	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/agents/internal/registrar"
	"presfed/agents/internal/sip"
	"presfed/agents/internal/wire"
	"presfed/db/state"
)

// Listen is one socket to listen on; port 0 takes a free one.
type Listen struct {
	Transport string // UDP, TCP, TLS
	Addr      netip.AddrPort
}

// Config is what a server is made of.
type Config struct {
	Name      string // its name in the directory
	Directory string // path of the directory
	State     string // path of the server's own durable state
	FullSync  bool   // commits survive power loss, not only kill -9
	Listen    []Listen
	// ServerTLS and ClientTLS are for connections accepted and dialled; nil: no TLS.
	ServerTLS, ClientTLS *tls.Config
	Algorithms           string // of digest, in the order of challenges; empty: SHA-256,MD5
	// NoAuth believes every client's From. Only for a bed on loopback addresses:
	// anything else is an error.
	NoAuth bool
	Clock  clock.Clock
	Log    *slog.Logger
	Tap    wire.Tap
}

// Server is a running server. New opens and binds all it needs; Close lets go
// of it once Run has returned.
type Server struct {
	cfg       Config
	log       *slog.Logger
	directory *directory
	store     *state.Store
	endpoint  *sip.Endpoint
	registrar *registrar.Registrar
	verifier  *auth.Verifier // nil with NoAuth
}

// InputError is a configuration that cannot work.
type InputError struct{ What, Hint string }

func (e *InputError) Error() string { return e.What }

// New opens the directory and the state, restores what was acknowledged, and
// binds the sockets. On an error nothing stays open.
func New(ctx context.Context, cfg Config) (s *Server, err error) {
	s = &Server{cfg: cfg, log: cfg.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
			s = nil
		}
	}()
	if s.directory, err = openDirectory(ctx, cfg.Directory, cfg.Name); err != nil {
		return s, err
	}
	if cfg.NoAuth {
		for _, l := range cfg.Listen {
			if !l.Addr.Addr().IsLoopback() {
				return s, &InputError{
					What: fmt.Sprintf("without authentication only loopback addresses are listened on, and %s is none", l.Addr),
					Hint: "leave out --no-auth, or listen on 127.0.0.1",
				}
			}
		}
	} else if s.verifier, err = s.newVerifier(); err != nil {
		return s, err
	}
	if s.store, err = state.Open(cfg.State, state.Options{Full: cfg.FullSync, Log: s.log}); err != nil {
		return s, err
	}
	snapshot, err := s.store.Load(ctx)
	if err != nil {
		return s, err
	}
	s.registrar = registrar.New(registrar.Config{Store: s.store, Clock: cfg.Clock, Log: s.log}, snapshot.Bindings)
	endpoint := sip.Config{
		Name: cfg.Name, Host: s.directory.self.Identity, ServerTLS: cfg.ServerTLS, ClientTLS: cfg.ClientTLS,
		Handler: (*handler)(s), Tap: cfg.Tap, Clock: cfg.Clock, Log: s.log,
	}
	for _, l := range cfg.Listen {
		endpoint.Listen = append(endpoint.Listen, sip.Listen{Transport: l.Transport, Addr: l.Addr})
		if !endpoint.Bind.IsValid() && !l.Addr.Addr().IsUnspecified() {
			endpoint.Bind = l.Addr.Addr()
		}
	}
	s.endpoint, err = sip.New(endpoint)
	return s, err
}

func (s *Server) newVerifier() (*auth.Verifier, error) {
	algorithms, err := auth.ParseAlgorithms(cmp.Or(s.cfg.Algorithms, "SHA-256,MD5"))
	if err != nil {
		return nil, &InputError{What: err.Error(), Hint: "as in --digest-algorithms SHA-256,MD5"}
	}
	return auth.NewVerifier(auth.Config{
		Realm: s.directory.domain.Realm, Algorithms: algorithms, HA1: s.directory.ha1, Clock: s.cfg.Clock,
		Accepts: func(message.URI) bool { return true }, // the Request-URI is checked by routing, not by digest
	})
}

// Addr is where the server listens for a transport; zero where it does not.
func (s *Server) Addr(transport string) netip.AddrPort { return s.endpoint.Addr(transport) }

// Run serves until ctx ends: then what was accepted is still committed and
// answered before the sockets close.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.store.Run(ctx) })
	group.Go(func() error { return s.endpoint.Run(ctx) })
	group.Go(func() error { s.purge(ctx); return nil })
	return group.Wait()
}

// purge forgets expired bindings now and then; until then they are not shown.
func (s *Server) purge(ctx context.Context) {
	every := time.NewTicker(time.Minute)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			s.registrar.Purge()
		case <-ctx.Done():
			return
		}
	}
}

// Close lets go of the files.
func (s *Server) Close() error {
	var err error
	if s.store != nil {
		err = s.store.Close()
	}
	if s.directory != nil {
		err = errors.Join(err, s.directory.db.Close())
	}
	return err
}
