package presence

import (
	"cmp"
	"log/slog"
	"sync"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/event"
	"presfed/agents/internal/message"
	"presfed/db/state"
	"presfed/pidf"
)

// Name is the event package's.
const Name = "presence"

// ContentType is that of every body.
const ContentType = "application/pidf+xml"

// The two views of a presentity.
const (
	Own      = "own"      // what this server itself holds of her
	Composed = "composed" // all that is known of her
)

// Treatment is what policy says of a watcher.
type Treatment string

// The treatments. Anything else blocks.
const (
	Allow       Treatment = "allow"
	Block       Treatment = "block"
	PoliteBlock Treatment = "polite-block" // she sees someone who is not there
	Confirm     Treatment = "confirm"      // she waits until the presentity decides
)

// Verdict is what a treatment is to the notifier.
func (t Treatment) Verdict() event.Verdict {
	switch t {
	case Allow, PoliteBlock: // both alike, for both must look alike
		return event.Active
	case Confirm:
		return event.Pending
	}
	return event.Rejected
}

// Config is what a Presence is made of.
type Config struct {
	Lanes *event.Lanes // the notifier's
	Store event.Store  // nil: nothing is durable
	// Policy says how a presentity treats a watcher; both are addresses of
	// record. It may block: only that presentity waits. Nobody is asked about
	// those who watch themselves. nil: nobody else may watch.
	Policy func(presentity, watcher string) (Treatment, error)
	// Others says whose shares a composed view needs beside our own; what it says
	// is kept until Placed. nil: none. A first NOTIFY waits for them, at most Wait
	// (zero: a second).
	Others func(presentity string) Others
	// Need hears which shares are needed from now on, in the lane: as long as
	// somebody watches the composed view. What comes of it goes to SetShare.
	Need func(presentity string, from []Origin)
	Wait time.Duration
	// Mirror closes our own share while a device elsewhere says do-not-disturb.
	Mirror  bool
	Dialect pidf.Dialect // of what watchers are sent
	// Publications: the shortest expiry taken, the one where none is asked for,
	// the longest. Zero: a minute, an hour, an hour. The same for subscriptions.
	Min, Default, Max                            time.Duration
	SubscribeMin, SubscribeDefault, SubscribeMax time.Duration
	// Most is how many publications a presentity may have; zero: 32.
	Most     int
	Document pidf.Limits // of one publication; zero fields: pidf's
	// View is how many bytes a view may have for a PUBLISH to be taken, fewer than
	// a message's body; zero: 240 KiB.
	View int
	// Waiting is how many requests may wait in one presentity's lane; zero: 1000.
	Waiting int
	// Keep, Began, Settled and Ended are an event.Package's; nil: not wanted.
	Keep           func(s *event.Subscription) func(tx *state.Tx) error
	Began, Settled func(s *event.Subscription)
	Ended          func(s *event.Subscription, reason string)
	Clock          clock.Clock  // nil: the system's
	Log            *slog.Logger // nil: silent
}

func (c Config) filled() Config {
	c.Wait = cmp.Or(c.Wait, time.Second)
	c.Min = cmp.Or(c.Min, time.Minute)
	c.Max = cmp.Or(c.Max, time.Hour)
	c.Default = cmp.Or(c.Default, c.Max)
	c.Most = cmp.Or(c.Most, 32)
	c.View = cmp.Or(c.View, message.DefaultLimits.BodyBytes-16<<10)
	c.Waiting = cmp.Or(c.Waiting, 1000)
	if c.Policy == nil {
		c.Policy = func(string, string) (Treatment, error) { return Block, nil }
	}
	if c.Clock == nil {
		c.Clock = clock.System
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Presence is the event state compositor and the state behind the presence
// package.
type Presence struct {
	cfg      Config
	notifier *event.Notifier

	mu           sync.Mutex
	presentities map[string]*presentity // those of whom something is known
}

// New is a Presence that knows nothing yet. A notifier is made with its Package
// and given to Bind before anything is asked of it.
func New(cfg Config) *Presence {
	return &Presence{cfg: cfg.filled(), presentities: map[string]*presentity{}}
}

// Bind gives it the notifier of its watchers.
func (p *Presence) Bind(n *event.Notifier) { p.notifier = n }

// Package is presence as the notifier sees it.
func (p *Presence) Package() event.Package {
	return event.Package{
		Name: Name, Types: []string{ContentType},
		Min: p.cfg.SubscribeMin, Default: p.cfg.SubscribeDefault, Max: p.cfg.SubscribeMax,
		Decide: p.decide, Body: p.body, Same: p.same, Keep: p.cfg.Keep, Began: p.began, Settled: p.cfg.Settled, Ended: p.ended,
	}
}

// of is the presentity of that address of record, made if need be; it belongs
// to her lane.
func (p *Presence) of(aor string) *presentity {
	p.mu.Lock()
	defer p.mu.Unlock()
	who := p.presentities[aor]
	if who == nil {
		who = &presentity{aor: aor, shares: map[Origin]*Share{}}
		p.presentities[aor] = who
	}
	return who
}

// known is like of, but nil where nothing is known.
func (p *Presence) known(aor string) *presentity {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.presentities[aor]
}

// tidy forgets one of whom nothing is known any more.
func (p *Presence) tidy(who *presentity) {
	if len(who.publications) > 0 || len(who.shares) > 0 || len(who.watching) > 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.presentities[who.aor] == who {
		delete(p.presentities, who.aor)
	}
}

// Count is how many presentities have a publication or a share here.
func (p *Presence) Count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.presentities)
}

// PolicyChanged acts at once on everyone who watches the presentity.
func (p *Presence) PolicyChanged(presentity string) { p.notifier.Redecide(presentity) }

// Close stops the timers, the lanes being closed.
func (p *Presence) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, who := range p.presentities {
		for _, pub := range who.publications {
			pub.stop()
		}
	}
}
