// Package proxy forwards requests statefully (RFC 3261 section 16): to one
// target or forked to many, with their responses brought back in order, every
// To tag's early dialog and every 2xx passed on.
//
// Begin checks a request and takes it up; the caller decides where it goes,
// whenever it knows, and calls Forward, Relay or Refuse once.
package proxy

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/lane"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// Config is what a Proxy is made of.
type Config struct {
	Endpoint *sip.Endpoint
	// Resolve finds the addresses of a next hop, best first (RFC 3263); done may
	// be called at once or later. Requests to one next hop keep their order
	// either way.
	Resolve func(next message.URI, done func([]sip.Target, error))
	// Own says whether a URI of a Route field or a Request-URI names this proxy.
	Own func(uri message.URI) bool
	// RecordRoute is our URI for what is on that side, which a request came from or
	// goes to; Local may be unknown. lr is added here.
	RecordRoute func(side sip.Source) message.URI
	// Live is the open connection of the device that a request within a dialog is
	// for: its Request-URI is the device's contact, its To says whose device it
	// must be. ok is false where there is none. nil: none is known.
	Live func(req *message.Request) (hop sip.Target, ok bool)
	// Realm is the one that clients give credentials for to us. Another server's
	// challenge for it reaches nobody: it believes us about who sends, or there is
	// nothing to be done. "": every challenge is passed on.
	Realm string
	// Screen has the last word on a response's fields before it goes upstream:
	// by is where the request went; byDevice, it is a client's device that answered;
	// toClient, a client is told. nil: they stay as they are.
	Screen func(res *message.Response, by sip.Target, byDevice, toClient bool)
	// Key seals what our Record-Route says. Kept over a restart, it lets the
	// dialogs of before go on. nil: a random one.
	Key []byte
	// TimerC is how long an INVITE may ring (section 16.6 step 11); 0: 3 minutes
	// and some.
	TimerC time.Duration
	// Invites is how many INVITEs one client's user may have under way; 0: 100.
	Invites int
	Clock   clock.Clock  // nil: the system's
	Log     *slog.Logger // nil: none
}

// Proxy forwards requests. Its methods may be called at the same time.
type Proxy struct {
	cfg   Config
	clock clock.Clock
	log   *slog.Logger
	key   []byte          // seals Record-Route
	macs  sync.Pool       // made with it
	epoch [epochSize]byte // tells this process's connections from a former one's
	hops  lane.Lanes      // by next hop: what follows must not overtake what resolves
	loops loops

	mu      sync.Mutex
	invites map[*sip.ServerTx]*Request // those a CANCEL may be for
	callers map[userHash]int           // how many of them a client's user has
}

// defaultTimerC is what section 16.6 step 11 asks for: more than 3 minutes.
const defaultTimerC = 181 * time.Second

// New checks cfg.
func New(cfg Config) (*Proxy, error) {
	if cfg.Endpoint == nil || cfg.Resolve == nil || cfg.Own == nil || cfg.RecordRoute == nil {
		return nil, errors.New("proxy: endpoint, resolver, own names and Record-Route are needed")
	}
	p := &Proxy{cfg: cfg, clock: cfg.Clock, log: cfg.Log, invites: map[*sip.ServerTx]*Request{}, callers: map[userHash]int{}}
	if p.clock == nil {
		p.clock = clock.System
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.cfg.Invites = cmp.Or(p.cfg.Invites, 100)
	if p.cfg.TimerC == 0 {
		p.cfg.TimerC = defaultTimerC
	}
	rand.Read(p.epoch[:]) // never fails
	if p.key = cfg.Key; p.key == nil {
		p.key = make([]byte, 32)
		rand.Read(p.key)
	}
	return p, nil
}

// verbose says that somebody reads a line for each message.
func (p *Proxy) verbose() bool { return p.log.Enabled(context.Background(), slog.LevelDebug) }

// Pending is how many INVITEs have no final response yet.
func (p *Proxy) Pending() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.invites)
}
