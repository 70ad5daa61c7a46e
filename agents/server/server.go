// Package server is a federating server: services wired to one SIP endpoint.
package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"presfed/agents/internal/auth"
	"presfed/agents/internal/backend"
	"presfed/agents/internal/clock"
	"presfed/agents/internal/control"
	"presfed/agents/internal/event"
	"presfed/agents/internal/eventlist"
	"presfed/agents/internal/im"
	"presfed/agents/internal/locate"
	"presfed/agents/internal/message"
	"presfed/agents/internal/policy"
	"presfed/agents/internal/presence"
	"presfed/agents/internal/proxy"
	"presfed/agents/internal/registrar"
	"presfed/agents/internal/resolve"
	"presfed/agents/internal/rlmi"
	"presfed/agents/internal/sip"
	"presfed/agents/internal/winfo"
	"presfed/agents/internal/wire"
	"presfed/db"
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
	// Synchronised keeps a copy of the directory that follows its revision;
	// otherwise each question asks it. The answers are the same.
	Synchronised bool
	Listen       []Listen
	// ServerTLS and ClientTLS are for connections accepted and dialled; nil: no TLS.
	ServerTLS, ClientTLS *tls.Config
	// Proves are the names that our certificate proves (RFC 5922 section 7.1): the
	// one that the directory expects must be among them. None: it is not checked.
	Proves     []string
	Algorithms string // of digest, in the order of challenges; empty: SHA-256,MD5
	// PeerRetry is how often a peer that cannot be reached is tried again with a
	// NOTIFY; 0: 5 seconds.
	PeerRetry time.Duration
	// FirstNotify is how long a first NOTIFY may wait for the shares of other
	// servers (RFC 6665 section 4.2.2 wants one at once); 0: 1 second.
	FirstNotify time.Duration
	// ShareGrace is how long the share of a server that cannot be reached stays in
	// a composed view; 0: 30 seconds.
	ShareGrace time.Duration
	// ShareLinger is how long a subscription to a share stays that nobody needs any
	// more; 0: 2 seconds.
	ShareLinger time.Duration
	// ShareExpires is what subscriptions to shares last, and so how long a server
	// that died without a word goes unnoticed; 0: 5 minutes.
	ShareExpires time.Duration
	// MinExpires is the shortest time that a publication is taken for, in whole
	// seconds (RFC 3903 section 6, step 4); 0: a minute.
	MinExpires time.Duration
	// PublishToRoot passes a user's PUBLISH on to her root, where there is one,
	// instead of keeping it here as our share; and takes it where we are that root.
	PublishToRoot bool
	// KeepAlive is how long another server may be silent before it is pinged (RFC
	// 5626 section 4.4.1); a link that is dead is known to be within three times
	// that. 0: 5 seconds; less than 0: nobody is pinged.
	KeepAlive time.Duration
	// WatchersEvery is the least time between two NOTIFYs about a user's watchers that
	// changes bring one device; 0: 5 seconds (RFC 3857 section 4.10).
	WatchersEvery time.Duration
	Limits        Limits
	// NoAuth believes every client's From. Only for a bed on loopback addresses:
	// anything else is an error.
	NoAuth bool
	// PeersByAddress takes a datagram from another server's address in the directory
	// for that server's: peers need no certificate then. Only for a bed on loopback
	// addresses, of servers whose addresses there are: anything else is an error.
	PeersByAddress bool
	// PathMTU is sip.Config's: how many bytes a packet may have wherever datagrams go.
	PathMTU int
	Clock   clock.Clock
	Log     *slog.Logger
	Tap     wire.Tap
	// Control is the path of a Unix socket on which the server's wire records can
	// be read and it can be told to stop; empty: none.
	Control string
	// Admin is where metrics (Prometheus, /metrics) and health (/healthz) are
	// served by HTTP, a loopback address; zero: nowhere. Profile adds
	// /debug/pprof/.
	Admin   netip.AddrPort
	Profile bool
	// XCAP is where users read and change their rules by HTTP (RFC 4825), TCP or TLS;
	// zero: nowhere.
	XCAP Listen
}

// Server is a running server. New opens and binds all it needs; Close lets go
// of it once Run has returned.
type Server struct {
	cfg        Config
	log        *slog.Logger
	directory  *db.DB
	locate     locate.Locator
	domain     db.Domain // its name and realm do not change while we run
	self       db.Server
	policy     *policy.Policy
	resolver   resolve.Resolver
	store      *state.Store
	endpoint   *sip.Endpoint
	registrar  *registrar.Registrar
	verifier   *auth.Verifier // nil with NoAuth
	proxy      *proxy.Proxy
	im         *im.Service
	lanes      event.Lanes
	presence   *presence.Presence
	notifier   *event.Notifier
	subscriber *event.Subscriber
	backend    *backend.Backend
	lists      *eventlist.Lists
	winfo      *winfo.Winfo
	shares     []state.Subscription // held at other servers before a restart, until Run
	control    *control.Server      // nil: none
	admin      *admin               // nil: none
	xcap       *xcap                // nil: none
	stopped    chan struct{}        // closed when the control socket says so
	stopOnce   sync.Once
	noServers  sync.Map // flows whose certificate is no server's, once the log has said so
}

// minShareExpires keeps refreshes of shares apart from retries.
const minShareExpires = 10 * time.Second

// resolveTimeout bounds a look-up in the DNS.
const resolveTimeout = 5 * time.Second

// InputError is a configuration that cannot work.
type InputError struct{ What, Hint string }

func (e *InputError) Error() string { return e.What }

// New opens the directory and the state, restores what was acknowledged, and
// binds the sockets. On an error nothing stays open.
func New(ctx context.Context, cfg Config) (s *Server, err error) {
	cfg.Listen = slices.Clone(cfg.Listen) // it is read as long as we run
	cfg.ShareExpires = cmp.Or(cfg.ShareExpires, 5*time.Minute)
	cfg.KeepAlive = cmp.Or(cfg.KeepAlive, 5*time.Second)
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
	if err = cfg.checkSharing(); err != nil {
		return s, err
	}
	if err = s.openDirectory(ctx); err != nil {
		return s, err
	}
	if err = s.openControl(); err != nil {
		return s, err
	}
	if err = s.openAdmin(); err != nil {
		return s, err
	}
	if err = s.openXCAP(); err != nil {
		return s, err
	}
	s.policy = policy.New(locate.Rules(s.locate))
	s.resolver = resolve.Resolver{Lookup: resolve.DNS{}}
	if err = s.checkTrust(ctx); err != nil {
		return s, err
	}
	if !cfg.NoAuth {
		if s.verifier, err = s.newVerifier(); err != nil {
			return s, err
		}
	}
	if s.store, err = state.Open(cfg.State, state.Options{Full: cfg.FullSync, Clock: cmp.Or(cfg.Clock, clock.System), Log: s.log}); err != nil {
		return s, err
	}
	snapshot, err := s.store.Load(ctx)
	if err != nil {
		return s, err
	}
	key, err := s.store.Secret(ctx, "record-route", 32)
	if err != nil {
		return s, err
	}
	s.registrar = registrar.New(registrar.Config{
		Store: s.store, Clock: cfg.Clock, Log: s.log, Contacts: cfg.Limits.Contacts,
		Ours: s.ours, Changed: s.devicesBack, Supported: rlmi.Extension,
		AllowEvents: func() string { return s.notifier.AllowEvents() },
	}, snapshot.Bindings)
	endpoint := sip.Config{
		Name: cfg.Name, Host: s.self.Identity, ServerTLS: cfg.ServerTLS, ClientTLS: cfg.ClientTLS,
		Handler: (*handler)(s), Tap: s.cfg.Tap, Clock: cfg.Clock, Log: s.log, KeepAlive: cfg.KeepAlive, PathMTU: cfg.PathMTU,
		Limits: cfg.Limits.endpoint(max(0, 2*cfg.KeepAlive)),
	}
	for _, l := range cfg.Listen {
		endpoint.Listen = append(endpoint.Listen, sip.Listen{Transport: l.Transport, Addr: l.Addr})
		if !endpoint.Bind.IsValid() && !l.Addr.Addr().IsUnspecified() {
			endpoint.Bind = l.Addr.Addr()
		}
	}
	if s.endpoint, err = sip.New(endpoint); err != nil {
		return s, err
	}
	if s.proxy, err = proxy.New(proxy.Config{
		Endpoint: s.endpoint, Resolve: s.hops, Own: s.own, RecordRoute: s.recordRoute, Live: s.live, Screen: s.screen, Realm: s.domain.Realm, Key: key, Invites: cfg.Limits.Invites,
		Clock: cfg.Clock, Log: s.log,
	}); err != nil {
		return s, err
	}
	s.im, err = im.New(im.Config{
		Proxy: s.proxy, Where: s.where, Policy: s.mayTalk, Devices: s.devices, Strip: s.credentials, Log: s.log,
	})
	if err == nil {
		s.startBackend()
		s.startLists()
		s.startWinfo()
		s.startPresence(snapshot)
	}
	return s, err
}

func (s *Server) newVerifier() (*auth.Verifier, error) {
	algorithms, err := auth.ParseAlgorithms(cmp.Or(s.cfg.Algorithms, "SHA-256,MD5"))
	if err != nil {
		return nil, &InputError{What: err.Error(), Hint: "as in --digest-algorithms SHA-256,MD5"}
	}
	return auth.NewVerifier(auth.Config{
		Realm: s.domain.Realm, Algorithms: algorithms, HA1: s.ha1, Clock: s.cfg.Clock,
		// A proxy on the way may have changed the user or the form, never to another domain.
		Accepts: func(uri message.URI) bool {
			if s.handles(context.Background(), uri) {
				return true
			}
			if uri.Port == 0 {
				uri.Port = 5060
			}
			return s.own(uri) // COMPAT SIPp: it names the address that it sends to
		},
	})
}

// Listening is where the server listens, one for each of Config.Listen and in
// their order, with the ports that it was given.
func (s *Server) Listening() (out []Listen) {
	for _, l := range s.endpoint.Listening() {
		out = append(out, Listen(l))
	}
	return out
}

// Addr is where the server listens for a transport, the first of several; zero
// where it does not.
func (s *Server) Addr(transport string) netip.AddrPort { return s.endpoint.Addr(transport) }

// Close lets go of the files.
func (s *Server) Close() error {
	var err error
	if s.control != nil && s.endpoint == nil { // it never ran
		err = s.control.Close()
	}
	if s.admin != nil {
		_ = s.admin.listener.Close() // Run has closed it, if there was one
	}
	if s.xcap != nil {
		_ = s.xcap.listener.Close()
	}
	if s.store != nil {
		err = s.store.Close()
	}
	if s.directory != nil {
		err = errors.Join(err, s.directory.Close())
	}
	return err
}
