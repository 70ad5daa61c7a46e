// Package winfo is watcher information: who watches a presentity, told to her
// alone (RFC 3857). It is an event package beside the one that is watched, in the
// same lanes; that one tells it of its subscriptions.
package winfo

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/event"
	"presfed/agents/internal/message"
	"presfed/agents/internal/watcherinfo"
)

// Suffix makes an event package's name that of its watcher information.
const Suffix = ".winfo"

// The views of an [event.Ask] for watcher information.
const (
	View = "watchers"      // of all watchers
	Here = "watchers here" // of those at this server: for another one that serves her
)

// Config is what a Winfo is made of.
type Config struct {
	Package string       // the event package that is watched
	Lanes   *event.Lanes // the notifier's
	Store   event.Store  // nil: nothing is durable
	// Policy decides on somebody who waits for it; both are addresses of record.
	Policy func(presentity, watcher string) (event.Verdict, error)
	// Counts says which subscriptions to a presentity are watchers that she is to
	// know of; nil: all.
	Counts func(s *event.Subscription) bool
	// Others are the servers that have watchers of hers beside this one, and Subscribe
	// asks one of them for those, in the presentity's lane, with documents as values;
	// nil: there are none.
	Others    func(presentity string) []string
	Subscribe func(presentity, server string, on func(event.Update)) (end func())
	// Wait is how long a first NOTIFY may wait for them; zero: a second.
	Wait time.Duration
	// Again is how soon one of them that refuses is asked anew; each time it takes
	// twice as long. Zero: a second.
	Again time.Duration
	// Gap is the least time between two NOTIFYs that changes bring one subscriber
	// (RFC 3857 section 4.10); zero: 5 seconds.
	Gap time.Duration
	// GiveUp is how long one who asked waits for a decision; zero: 7 days.
	GiveUp time.Duration
	// Most is how many may wait for one presentity's decision after their
	// subscription has ended, MostOf for how many one watcher may; the oldest and
	// the newest are given up. Zero: 500, 100.
	Most, MostOf int
	// Room is how many bytes of watchers go into one NOTIFY; zero: what a message's
	// body has but for 8 KiB.
	Room  int
	Clock clock.Clock  // nil: the system's
	Log   *slog.Logger // nil: silent
}

// Winfo is the watchers of presentities.
type Winfo struct {
	cfg      Config
	notifier *event.Notifier

	mu      sync.Mutex
	lists   map[string]*list // by presentity, each its lane's
	waiting map[string]int   // for how many decisions each watcher waits
}

// New is a Winfo that knows nobody. A notifier is made with its Package and given
// to Bind before anything is asked of it.
func New(cfg Config) *Winfo {
	cfg.Wait = cmp.Or(cfg.Wait, time.Second)
	cfg.Again = cmp.Or(cfg.Again, time.Second)
	cfg.Gap = cmp.Or(cfg.Gap, 5*time.Second)
	cfg.GiveUp = cmp.Or(cfg.GiveUp, 7*24*time.Hour)
	cfg.Most = cmp.Or(cfg.Most, 500)
	cfg.MostOf = cmp.Or(cfg.MostOf, 100)
	cfg.Room = cmp.Or(cfg.Room, message.DefaultLimits.BodyBytes-8<<10)
	if cfg.Counts == nil {
		cfg.Counts = func(*event.Subscription) bool { return true }
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Winfo{cfg: cfg, lists: map[string]*list{}, waiting: map[string]int{}}
}

// Bind gives it the notifier of both packages.
func (w *Winfo) Bind(n *event.Notifier) { w.notifier = n }

// Name is the event package's.
func (w *Winfo) Name() string { return w.cfg.Package + Suffix }

// Package is watcher information as the notifier sees it.
func (w *Winfo) Package() event.Package {
	return event.Package{
		Name: w.Name(), Types: []string{watcherinfo.ContentType},
		Decide: w.decide, Body: w.body, Began: w.began, Ended: w.ended,
	}
}

// decide: she alone, and nobody about a list of hers (RFC 3857 section 4.6).
func (w *Winfo) decide(s *event.Subscription) (event.Decision, error) {
	switch {
	case !ours(s):
		return event.Decision{Status: 404}, nil
	case s.Watcher() != s.Resource():
		return event.Decision{Status: 403}, nil
	}
	d := event.Decision{Verdict: event.Active}
	if s.View() == View && w.incomplete(s.Resource()) {
		d.Wait = w.cfg.Wait
	}
	return d, nil
}

// ours says that a subscription is to watcher information.
func ours(s *event.Subscription) bool { return s.View() == View || s.View() == Here }

// Presentities are those of whom a watcher is known, in no order.
func (w *Winfo) Presentities() (all []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for aor := range w.lists {
		all = append(all, aor)
	}
	return all
}

// Watchers are those who wait for a decision after their subscription has ended.
func (w *Winfo) Watchers() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.waiting))
}

// Refer ends the subscriptions to a presentity's watchers: another server has them
// now (RFC 6665 section 4.1.3). It returns at once.
func (w *Winfo) Refer(presentity string) {
	w.cfg.Lanes.Do(presentity, func() {
		w.notifier.Terminate(presentity, "deactivated", 0, ours)
	})
}

// Close stops the timers, the lanes being closed.
func (w *Winfo) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.lists {
		if l.giveUp != nil {
			l.giveUp.Stop()
		}
		for _, r := range l.remotes {
			r.again.Stop()
		}
		for s := range l.viewers {
			viewerOf(s).stop()
		}
	}
}
