package backend

import (
	"cmp"
	"errors"
	"log/slog"
	"mime"
	"strings"
	"sync"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/event"
	"presfed/db/state"
	"presfed/pidf"
)

// contentType is what shares come as.
const contentType = "application/pidf+xml"

// Need is one share that a presentity's composed view is made of.
type Need struct {
	Server string // whose, by name
	// Watcher is on whose behalf it is asked for; "": the own share, for all.
	Watcher string
}

// Standing is what a server has answered.
type Standing int

// The standings.
const (
	Undecided Standing = iota // its policy has not decided on the watcher
	Agreed                    // it shows what it has
	Denied                    // it refuses the watcher
	Away                      // it cannot be reached, or has nothing of that user
)

// Share is what is known of another server's part.
type Share struct {
	Standing Standing
	Document *pidf.Document // of Agreed; nil: nothing is there
}

// Config is what a Backend is made of.
type Config struct {
	Subscriber *event.Subscriber
	// Ask says how a share is asked for: URI, From, Contact, further fields. Key,
	// Package, Accept, Peer and what is durable are filled in here.
	Ask func(presentity string, n Need) (event.Wanted, error)
	// Same says whether a document's entity means the presentity; nil: if it is
	// the same word.
	Same func(entity, presentity string) bool
	// Told hears each share as it changes; nil: the need has gone. In the
	// presentity's lane.
	Told func(presentity string, n Need, s *Share)
	// Grace is how long a share stays of a server that cannot be reached; zero: 30
	// seconds.
	Grace time.Duration
	// Linger is how long a subscription stays that nobody needs, in case somebody
	// does again; zero: 2 seconds.
	Linger time.Duration
	// Lag is how far behind the directory another server may be; zero: a second.
	// One that refused for another reason than the watcher is asked again after it,
	// and then less and less often, at last each Again; zero: a minute.
	Lag      time.Duration
	Again    time.Duration
	Document pidf.Limits
	Lanes    *event.Lanes // the subscriber's
	Clock    clock.Clock  // nil: the system's
	Log      *slog.Logger // nil: silent
}

// Backend holds the subscriptions of one server at the others.
type Backend struct {
	cfg Config

	mu   sync.Mutex
	held map[string]map[Need]*held // by presentity; the inner maps are their lanes'
	// When the directory changed last about who is served where.
	changed time.Time
}

// New is a Backend that holds nothing.
func New(cfg Config) *Backend {
	cfg.Grace = cmp.Or(cfg.Grace, 30*time.Second)
	cfg.Linger = cmp.Or(cfg.Linger, 2*time.Second)
	cfg.Again = cmp.Or(cfg.Again, time.Minute)
	cfg.Lag = cmp.Or(cfg.Lag, time.Second)
	if cfg.Same == nil {
		cfg.Same = func(entity, presentity string) bool { return entity == presentity }
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Backend{cfg: cfg, held: map[string]map[Need]*held{}, changed: cfg.Clock.Now()}
}

// Changed says that users may be served elsewhere now. Other servers may not know
// for a while, and refuse what they are asked rightly.
func (b *Backend) Changed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changed = b.cfg.Clock.Now()
}

// lags says that other servers may not know yet what the directory says.
func (b *Backend) lags() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cfg.Clock.Now().Sub(b.changed) < b.cfg.Lag
}

// Need says which shares a presentity needs from now on; the others end after
// Linger. To be called in her lane.
func (b *Backend) Need(presentity string, needs []Need) {
	all := b.of(presentity, len(needs) > 0)
	needed := make(map[Need]bool, len(needs))
	for _, n := range needs {
		needed[n] = true
		h := all[n]
		if h == nil {
			h = &held{b: b, presentity: presentity, need: n}
			all[n] = h
			h.ask()
		} else if h.watch == nil && h.again.On() && b.lags() { // it refused what it may know better now
			h.arm(&h.again, b.cfg.Lag, h.ask)
		}
		if h.linger.On() && h.grace.On() { // it was let go of with what it showed last: that is old by now
			h.gone()
		}
		h.linger.Stop()
	}
	for n, h := range all {
		if !needed[n] && !h.linger.On() {
			h.arm(&h.linger, b.cfg.Linger, h.end)
		}
	}
}

// of are the presentity's.
func (b *Backend) of(presentity string, create bool) map[Need]*held {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held[presentity] == nil && create {
		b.held[presentity] = map[Need]*held{}
	}
	return b.held[presentity]
}

// tidy forgets a presentity of whom nothing is held.
func (b *Backend) tidy(presentity string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.held[presentity]) == 0 {
		delete(b.held, presentity)
	}
}

// Restore takes subscriptions in that were held before a restart. What is not
// needed within Linger ends.
func (b *Backend) Restore(recs []state.Subscription) {
	b.cfg.Subscriber.Restore(recs, func(rec state.Subscription) (event.Wanted, func(*event.Watch, event.Update), bool) {
		h := &held{b: b, presentity: rec.Resource, need: Need{Server: rec.Peer, Watcher: rec.Watcher}}
		want, err := h.wanted()
		if err != nil {
			b.cfg.Log.Info("a subscription at another server is given up", "presentity", rec.Resource, "server", rec.Peer, "error", err)
			return want, h.on, false
		}
		b.cfg.Lanes.Do(h.presentity, func() {
			all := b.of(h.presentity, true)
			if all[h.need] != nil { // one that was needed before we came here
				h.over = true
				return
			}
			all[h.need] = h
			h.arm(&h.linger, b.cfg.Linger, h.end)
		})
		return want, h.on, true
	})
}

// Presentities are those of whom something is held, in no order.
func (b *Backend) Presentities() (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for presentity := range b.held {
		all = append(all, presentity)
	}
	return all
}

// Close stops the timers, the lanes being closed; nothing is unsubscribed.
func (b *Backend) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, all := range b.held {
		for _, h := range all {
			h.disarm()
		}
	}
}

// read makes a document of a NOTIFY's body. An error refuses the NOTIFY.
func (b *Backend) read(presentity, ctype string, body []byte) (any, error) {
	if main, _, err := mime.ParseMediaType(ctype); err != nil || !strings.EqualFold(main, contentType) {
		return nil, errors.New("want " + contentType)
	}
	d, err := pidf.Parse(body, b.cfg.Document)
	if err != nil {
		return nil, err
	}
	if !b.cfg.Same(d.Entity, presentity) {
		return nil, errors.New("a document of " + d.Entity + " on a subscription to " + presentity)
	}
	return &d, nil
}
