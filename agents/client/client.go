// Package client is one device of a user: it registers, publishes, watches and
// talks, towards any SIP server.
package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"presfed/agents/internal/auth"
	"presfed/agents/internal/clock"
	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
	"presfed/agents/internal/resolve"
	"presfed/agents/internal/sip"
	"presfed/agents/internal/wire"
	"presfed/pidf"
)

// Config is what a device is made of.
type Config struct {
	Name     string // the participant, as tap and log call it
	User     string // bob@example.com or a SIP URI
	Password string // empty: challenges cannot be answered
	Username string // for digest, where it is not the user's own name
	// Server is the next hop of every request outside a dialog: host, host:port,
	// tls:host:port, tcp:host. Empty: the user's domain, by RFC 3263.
	Server   string
	Bind     netip.Addr  // own address; zero: 127.0.0.1
	Port     uint16      // own UDP and TCP port; 0: free ones
	MSRPPort uint16      // own port for sessions; 0: a free one. Early sessions have another, a free one
	TLS      *tls.Config // for dialling; nil: no TLS
	// SecureMedia offers sessions by TLS (msrps), each end's certificate vouched for
	// by its fingerprint in the description. Answers are by TLS where the offer is.
	SecureMedia bool
	// Capabilities are parameters of the registered Contact, as
	// ";audio;+sip.message" (RFC 3840). Empty: those of a device for messages.
	Capabilities string
	// Lengthen asks again where a 423 wants more time than was asked for; what
	// is kept does so anyway.
	Lengthen    bool
	Answer      Answer
	AcceptTypes []string       // what sessions take; none: text/plain, message/cpim and isComposing
	Notices     []Notice       // what the device tells by itself of messages that ask; none: nothing
	Services    []pidf.Service // tuples of Status; none: one for text messages
	Dialect     pidf.Dialect   // how Status spells
	Agent       string         // User-Agent
	Headers     []Header       // go into every request outside a dialog
	// DryRun, if not nil, is shown the first request instead of sending it; what
	// was to send it fails with ErrDryRun.
	DryRun func(Unsent)
	// Save is a folder for messages of sessions that are too large for memory, each
	// up to MaxFile bytes; empty: they are counted and told without their text.
	Save string
	// AcceptFiles is the folder that files which are offered go to (RFC 5547), each
	// up to MaxFile bytes; empty: none is taken.
	AcceptFiles string
	MaxFile     int64 // 0: 1 GiB
	Timers      sip.Timers
	Tap         wire.Tap // SIP and MSRP
	Clock       clock.Clock
	Log         *slog.Logger
	Lookup      resolve.Lookup // nil: the machine's DNS
	// OnEvent hears what happens to the device, in order, one call at a time; it
	// must neither block nor call the client. Nil: nobody does.
	OnEvent func(Event)
}

// Client is a device. New binds its sockets, Run serves them; requests can be
// sent while Run runs.
type Client struct {
	cfg      Config
	aor      message.URI
	server   message.URI
	endpoint *sip.Endpoint
	media    *msrp.Endpoint
	early    *msrp.Endpoint // of early sessions, which need an address of their own (RFC 3959 section 4)
	auth     *auth.Client
	resolver resolve.Resolver
	clock    clock.Clock
	log      *slog.Logger
	telling  sync.Mutex // held while OnEvent is called

	ctx   context.Context // of what the device does by itself; ends with Run
	end   context.CancelFunc
	tasks sync.WaitGroup

	publishing chan struct{} // holds one token while no status is being published

	mu           sync.Mutex
	ended        bool
	cseq         uint32
	hops         []sip.Target            // of the server, found once
	found        map[string][]sip.Target // of dialogs, by URI
	subs         map[string]*Subscription
	watches      []*Watch
	sessions     map[dialog.ID]*Session
	calls        map[*Session]struct{}   // those that we began and that nobody has answered
	owed         map[dialog.ID]*progress // of sessions that are over: their PRACK may still come
	registration *kept                   // nil: not kept
	published    *published
	lists        bool   // the server has lists of resources
	winfo        bool   // the server tells who watches the user
	registerID   string // Call-ID of every REGISTER (RFC 3261 section 10.2)

	downloads int          // files that are coming
	heads     atomic.Int64 // messages without a size that are coming

	notices notices
	typing  typing
}

// New binds the device's sockets. Its errors say what of cfg is wrong.
func New(cfg Config) (*Client, error) {
	c := &Client{
		cfg: cfg, clock: cfg.Clock, log: cfg.Log, subs: map[string]*Subscription{}, sessions: map[dialog.ID]*Session{},
		calls: map[*Session]struct{}{}, owed: map[dialog.ID]*progress{}, found: map[string][]sip.Target{}, publishing: make(chan struct{}, 1),
	}
	c.publishing <- struct{}{}
	if c.clock == nil {
		c.clock = clock.System
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if c.aor, err = resolve.User(cfg.User, ""); err != nil {
		return nil, err
	}
	server := cmp.Or(cfg.Server, c.aor.Host)
	if c.server, err = resolve.Target(server); err != nil {
		return nil, err
	}
	if _, err = message.ParseParams(c.capabilities()); err != nil {
		return nil, err
	}
	if err = cfg.Answer.valid(); err != nil {
		return nil, err
	}
	c.auth = auth.NewClient(cmp.Or(cfg.Username, message.Unescape(c.aor.User)), cfg.Password)
	c.resolver = resolve.Resolver{Lookup: cfg.Lookup, Transports: []string{"UDP", "TCP"}}
	if cfg.TLS != nil {
		c.resolver.Transports = nil
	}
	if c.resolver.Lookup == nil {
		c.resolver.Lookup = resolve.DNS{}
	}
	if !cfg.Bind.IsValid() {
		c.cfg.Bind = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	c.cfg.MaxFile = cmp.Or(cfg.MaxFile, 1<<30)
	c.registerID = sip.NewTag() + "@" + c.cfg.Bind.String()
	c.ctx, c.end = context.WithCancel(context.Background())
	if c.media, err = c.listen(cfg.MSRPPort); err != nil {
		return nil, err
	}
	if c.early, err = c.listen(0); err != nil {
		c.media.Close()
		return nil, err
	}
	here := netip.AddrPortFrom(c.cfg.Bind, cfg.Port)
	c.endpoint, err = sip.New(sip.Config{
		Name: cfg.Name, Bind: c.cfg.Bind, ClientTLS: cfg.TLS, Handler: (*handler)(c), Tap: cfg.Tap,
		Listen: []sip.Listen{{Transport: "UDP", Addr: here}, {Transport: "TCP", Addr: here}},
		Timers: cfg.Timers, Clock: cfg.Clock, Log: cfg.Log,
	})
	if err != nil {
		c.media.Close()
		c.early.Close()
		return nil, err
	}
	return c, nil
}

// listen takes an address for sessions.
func (c *Client) listen(port uint16) (*msrp.Endpoint, error) {
	own := &tls.Config{}
	if c.cfg.TLS != nil {
		own.RootCAs, own.KeyLogWriter = c.cfg.TLS.RootCAs, c.cfg.TLS.KeyLogWriter
	}
	return msrp.Listen(msrp.Config{
		TLS: own, Listen: netip.AddrPortFrom(c.cfg.Bind, port), Participant: c.cfg.Name, Tap: c.cfg.Tap, Clock: c.cfg.Clock, Log: c.cfg.Log,
	})
}

// Run serves the device's sockets until ctx ends, and returns when all that
// the device started has ended. It says no goodbye: Close does, before.
func (c *Client) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.endpoint.Run(ctx) })
	group.Go(func() error { return c.media.Run(ctx) })
	group.Go(func() error { return c.early.Run(ctx) })
	<-ctx.Done()
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.end()
	err := group.Wait()
	c.tasks.Wait()
	c.typing.stop()
	c.stopTimers()
	for _, s := range c.Sessions() {
		s.finish("the device has ended")
	}
	for _, s := range c.Subscriptions() {
		c.forget(s)
	}
	return err
}

// spawn runs f while Run runs; false if it has ended.
func (c *Client) spawn(f func(context.Context)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	c.tasks.Go(func() { f(c.ctx) })
	return true
}

// stopTimers leaves nothing that would wake after Run.
func (c *Client) stopTimers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.subs {
		s.stop()
	}
	for _, s := range c.sessions {
		s.stop()
	}
	for _, p := range c.owed {
		p.forget.Stop()
	}
	c.registration.stop()
	if c.published != nil {
		c.published.kept.stop()
	}
}

// lastNotify is how long Close waits for the NOTIFYs that end subscriptions.
const lastNotify = 2 * time.Second

// Close says goodbye: what is kept is removed (PUBLISH and REGISTER with
// Expires 0), subscriptions and sessions are ended. It goes on past an error
// and gives all of them. Run goes on.
func (c *Client) Close(ctx context.Context) error {
	var ends []func(context.Context) error
	for _, s := range c.Sessions() {
		ends = append(ends, s.Close)
	}
	watched := c.Subscriptions()
	for _, s := range watched {
		ends = append(ends, s.Unsubscribe)
	}
	var errs []error
	for _, end := range append(ends, c.Unpublish) {
		errs = append(errs, end(ctx))
	}
	last, cancel := context.WithTimeout(ctx, lastNotify)
	defer cancel()
	for _, s := range watched {
		select {
		case <-s.Done():
		case <-last.Done(): // the notifier owes us one; it is not waited for longer
		}
	}
	errs = append(errs, c.unregister(ctx))
	c.emit(Event{Type: "closed", AOR: c.AOR()})
	return errors.Join(errs...)
}

// AOR is the user's address of record.
func (c *Client) AOR() string { return message.AOR(c.aor) }

// Domain is the user's domain.
func (c *Client) Domain() string { return c.aor.Host }

// Addr is where the device listens for SIP over UDP or TCP.
func (c *Client) Addr(transport string) netip.AddrPort { return c.endpoint.Addr(transport) }

// MSRPAddr is where the device listens for sessions.
func (c *Client) MSRPAddr() netip.AddrPort { return c.media.Addr() }

// EarlyAddr is where the device listens for early sessions.
func (c *Client) EarlyAddr() netip.AddrPort { return c.early.Addr() }
