// Package eventlist is the list of a user's buddies as one resource that she can
// subscribe to (RFC 4662): a subscription of its own to each of them, made in her
// name and never shared with anybody else, and one stream of NOTIFYs to her.
package eventlist

import (
	"cmp"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/event"
	"presfed/agents/internal/message"
	"presfed/agents/internal/rlmi"
)

// View is that of a list, among the views of a resource.
const View = "list"

// Config is what Lists are made of.
type Config struct {
	Name  string       // of the event package
	Lanes *event.Lanes // the notifier's
	// Members are who is on an owner's buddy list, by URI and in order. A
	// *event.Refusal says that there is no list; any other error refuses a new
	// subscription and leaves one that is there as it is.
	Members func(owner string) ([]string, error)
	// Subscribe holds the subscription of an owner to one member: on hears what
	// becomes of it in the lane key, until end is called. It must not block.
	Subscribe func(key, owner, member string, on func(event.Update)) (end func())
	// Wait is how long a first NOTIFY may wait for what is still on its way; zero:
	// a second.
	Wait time.Duration
	// Gather is how long a change waits for others to be told with it; zero: 100
	// milliseconds.
	Gather time.Duration
	// Grace is how long a member's state stays whose server cannot be reached;
	// zero: 30 seconds.
	Grace time.Duration
	// Linger is how long the subscriptions to the members outlive the last watcher
	// of the list; zero: 30 seconds.
	Linger time.Duration
	// Again is the least time until a member who refused is asked once more; zero:
	// a minute.
	Again time.Duration
	// Lag is how far behind the directory a member's server may be; zero: a second.
	Lag time.Duration
	// Most is how many members a list may have, as far as their URIs fit half of
	// Room; the others are left out. Zero: 500.
	Most int
	// Room is how many bytes the body of a NOTIFY may have, fewer than a message's;
	// what is more goes into the next one. Zero: 248 KiB.
	Room int
	// Host makes Content-IDs our own.
	Host              string
	Min, Default, Max time.Duration // of subscriptions, as event.Package has them
	Clock             clock.Clock   // nil: the system's
	Log               *slog.Logger  // nil: silent
}

// Lists are the lists that somebody is subscribed to.
type Lists struct {
	cfg      Config
	notifier *event.Notifier

	mu   sync.Mutex
	open map[string]*list // by URI
}

// New is Lists of which none is open. A notifier is made with its Package and
// given to Bind before anything is asked of it.
func New(cfg Config) *Lists {
	cfg.Wait = cmp.Or(cfg.Wait, time.Second)
	cfg.Gather = cmp.Or(cfg.Gather, 100*time.Millisecond)
	cfg.Grace = cmp.Or(cfg.Grace, 30*time.Second)
	cfg.Linger = cmp.Or(cfg.Linger, 30*time.Second)
	cfg.Lag = cmp.Or(cfg.Lag, time.Second)
	cfg.Again = cmp.Or(cfg.Again, time.Minute)
	cfg.Most = cmp.Or(cfg.Most, 500)
	cfg.Room = cmp.Or(cfg.Room, message.DefaultLimits.BodyBytes-8<<10)
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Lists{cfg: cfg, open: map[string]*list{}}
}

// Bind gives it the notifier of the lists' watchers.
func (x *Lists) Bind(n *event.Notifier) { x.notifier = n }

// Package is the lists as the notifier sees them.
func (x *Lists) Package() event.Package {
	return event.Package{
		Name: x.cfg.Name, View: View, Extension: rlmi.Extension, Types: []string{rlmi.BodyType},
		Min: x.cfg.Min, Default: x.cfg.Default, Max: x.cfg.Max,
		Decide: x.decide, Body: x.body,
	}
}

// OwnerOf is whose list a URI names; false where it is none's.
func OwnerOf(uri string) (owner string, ok bool) {
	owner, _, ok = strings.Cut(uri, ";")
	return owner, ok && uri == rlmi.BuddyList(owner)
}

// decide: the list is its owner's alone (RFC 4662 section 4.4). Whoever asks has
// it opened, and those who refused her asked again.
func (x *Lists) decide(s *event.Subscription) (event.Decision, error) {
	owner, ok := OwnerOf(s.Resource())
	switch {
	case !ok:
		return event.Decision{Status: 404}, nil
	case s.Watcher() != owner:
		return event.Decision{}, nil
	}
	members, err := x.cfg.Members(owner)
	if refusal, ok := errors.AsType[*event.Refusal](err); ok { // she has no list here, or none any more
		return event.Decision{Status: refusal.Status}, nil
	}
	if err != nil {
		if x.known(s.Resource()) == nil { // she has kept her subscription over a restart
			x.cfg.Clock.AfterFunc(x.cfg.Again, func() { x.notifier.Redecide(s.Resource()) })
		}
		return event.Decision{}, err
	}
	l := x.of(s.Resource(), owner)
	l.set(members)
	l.retry(x.cfg.Again)
	return event.Decision{Verdict: event.Active, Wait: l.wait()}, nil
}

// of is the list of that URI, opened if need be; it belongs to its lane.
func (x *Lists) of(uri, owner string) *list {
	x.mu.Lock()
	defer x.mu.Unlock()
	l := x.open[uri]
	if l == nil {
		l = &list{lists: x, uri: uri, owner: owner, members: map[string]*member{}}
		x.open[uri] = l
		l.arm(&l.idle, x.cfg.Linger, l.close)
	}
	return l
}

// known is the list of that URI if it is open.
func (x *Lists) known(uri string) *list {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.open[uri]
}

// Changed has lists follow the directory at once: the owners', or all for nil.
func (x *Lists) Changed(owners ...string) {
	x.each(owners, func(l *list) {
		members, err := x.cfg.Members(l.owner)
		if err != nil {
			x.cfg.Log.Warn("the directory does not say who is on a list: it stays as it is", "list", l.uri, "error", err)
			return
		}
		l.set(members)
	})
}

// Reconsidered has every list ask those of these members again, or of all for
// nil, who refused: they may have changed their minds, which their servers may
// know a little later.
func (x *Lists) Reconsidered(members ...string) {
	x.each(nil, func(l *list) {
		l.retry(0, members...)
		l.after(x.cfg.Lag, func() { l.retry(0, members...) })
	})
}

// Moved has every list ask these members anew: they are served elsewhere now.
func (x *Lists) Moved(members ...string) {
	if len(members) == 0 {
		return
	}
	x.each(nil, func(l *list) {
		for _, uri := range members {
			if m := l.members[uri]; m != nil {
				m.leave()
				l.ask(m)
			}
		}
	})
}

// Forget ends the subscriptions to the list of an owner who is not served here any
// more, for a reason of RFC 6665 section 4.1.3. It returns at once.
func (x *Lists) Forget(owner, reason string) {
	uri := rlmi.BuddyList(owner)
	x.cfg.Lanes.Do(uri, func() { x.notifier.Terminate(uri, reason, 0, nil) })
}

// each calls f for the owners' lists that are open, or for all; in their lanes.
func (x *Lists) each(owners []string, f func(*list)) {
	x.mu.Lock()
	var found []*list
	for _, owner := range owners {
		if l := x.open[rlmi.BuddyList(owner)]; l != nil {
			found = append(found, l)
		}
	}
	for _, l := range x.open {
		if owners == nil {
			found = append(found, l)
		}
	}
	x.mu.Unlock()
	for _, l := range found {
		l.do(func() { f(l) })
	}
}

// Count is how many lists are open.
func (x *Lists) Count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.open)
}

// Close stops the timers, the lanes being closed; nobody is unsubscribed.
func (x *Lists) Close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, l := range x.open {
		l.stop()
	}
}
