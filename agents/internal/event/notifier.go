package event

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db/state"
)

// NotifierConfig is what a Notifier is made of.
type NotifierConfig struct {
	Packages []Package
	Lanes    *Lanes
	Store    Store // nil: nothing is durable
	// Send sends a NOTIFY: it finds the way to n.Hop (the connection of n.Source
	// where that leads there) and hands over by n.Send. It must not block and
	// calls done exactly once, from any goroutine.
	Send func(n *Notice, done func(Outcome))
	// Retry is how often a peer that could not be reached is tried again with
	// one NOTIFY; zero: 5 seconds.
	Retry time.Duration
	// Window is how many NOTIFYs may wait for answers on one peer's link; zero:
	// 512. The others wait for their turn and then tell the newest state.
	Window int
	// WindowBytes is how many bytes of them, passed by one NOTIFY at most; zero:
	// 1 MiB.
	WindowBytes int
	Limits      Limits
	Clock       clock.Clock // nil: the system's
	Log         *slog.Logger
}

// Limits bound what watchers can make a Notifier hold; past them 503, and 480 past
// one watcher's own. Zero fields: 200000, 50000, 1000, 1000.
type Limits struct {
	Subscriptions int // in all
	Resource      int // to one resource
	Watcher       int // by one watcher
	Waiting       int // requests that wait in one resource's lane
}

// Notifier is the notifier's half of subscriptions.
type Notifier struct {
	cfg      NotifierConfig
	packages map[variant]*Package
	allow    string // the value of Allow-Events

	mu        sync.Mutex
	dialogs   map[string]*Subscription   // by our tag
	callers   map[string]*Subscription   // by Call-ID and the watcher's tag
	resources map[string][]*Subscription // in order of age
	watchers  map[string]int             // how many subscriptions each has
	peers     map[string]*peer
}

// NewNotifier is a notifier without subscriptions.
func NewNotifier(cfg NotifierConfig) *Notifier {
	cfg.Retry = cmp.Or(cfg.Retry, 5*time.Second)
	cfg.Window = cmp.Or(cfg.Window, 512)
	cfg.WindowBytes = cmp.Or(cfg.WindowBytes, 1<<20)
	cfg.Limits.Subscriptions = cmp.Or(cfg.Limits.Subscriptions, 200_000)
	cfg.Limits.Resource = cmp.Or(cfg.Limits.Resource, 50_000)
	cfg.Limits.Watcher = cmp.Or(cfg.Limits.Watcher, 1000)
	cfg.Limits.Waiting = cmp.Or(cfg.Limits.Waiting, 1000)
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	n := &Notifier{
		cfg: cfg, packages: map[variant]*Package{}, dialogs: map[string]*Subscription{}, callers: map[string]*Subscription{},
		resources: map[string][]*Subscription{}, watchers: map[string]int{}, peers: map[string]*peer{},
	}
	var names []string
	for _, p := range cfg.Packages {
		n.packages[variant{p.Name, p.View}] = p.filled()
		names = append(names, p.Name)
	}
	slices.Sort(names)
	n.allow = strings.Join(slices.Compact(names), ", ")
	return n
}

// variant is a package for one view, or for all others.
type variant struct{ name, view string }

// of is the package that takes a view; nil if there is none of that name.
func (n *Notifier) of(name, view string) *Package {
	if p := n.packages[variant{name, view}]; p != nil {
		return p
	}
	return n.packages[variant{name: name}]
}

// AllowEvents is the value of our Allow-Events (RFC 6665 section 8.2.2).
func (n *Notifier) AllowEvents() string { return n.allow }

// Subscriptions are those to a resource that have not ended, oldest first. What
// they say is to be read in the resource's lane.
func (n *Notifier) Subscriptions(resource string) []*Subscription {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.resources[resource])
}

// Resources are those that somebody is subscribed to, in no order.
func (n *Notifier) Resources() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Collect(maps.Keys(n.resources))
}

// Count is how many subscriptions there are.
func (n *Notifier) Count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.dialogs)
}

// Has says whether a request with this Call-ID and To tag is inside one of our
// dialogs.
func (n *Notifier) Has(callID, toTag string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.dialogs[toTag]
	return s != nil && s.rec.CallID == callID
}

// Watcher is who holds the subscription with this Call-ID and To tag; "" where
// none of ours has them.
func (n *Notifier) Watcher(callID, toTag string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.dialogs[toTag]; s != nil && s.rec.CallID == callID {
		return s.rec.Watcher
	}
	return ""
}

// add checks the limits and takes a place in them.
func (n *Notifier) add(s *Subscription) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.cfg.Limits
	retry := state.Field{Name: "Retry-After", Value: Seconds(n.cfg.Retry)}
	if n.watchers[s.rec.Watcher] >= l.Watcher {
		// Not 403, which a server that subscribes in her name would take for the
		// presentity's word, and not 503: others are served as ever.
		why := fmt.Sprintf("more than %d subscriptions of one watcher", l.Watcher)
		return &Refusal{Status: 480, Reason: "Too many subscriptions", Fields: []state.Field{retry, {Name: "Warning", Value: message.Warning(why)}}}
	}
	if len(n.dialogs) >= l.Subscriptions || len(n.resources[s.rec.Resource]) >= l.Resource {
		return &Refusal{Status: 503, Fields: []state.Field{retry}}
	}
	n.index(s)
	return nil
}

func (n *Notifier) index(s *Subscription) {
	n.dialogs[s.rec.LocalTag] = s
	n.callers[caller(&s.rec)] = s
	n.resources[s.rec.Resource] = append(n.resources[s.rec.Resource], s)
	n.watchers[s.rec.Watcher]++
}

func caller(rec *state.Subscription) string { return rec.CallID + "\x00" + rec.RemoteTag }

// remove takes s out of every index and stops its timers.
func (n *Notifier) remove(s *Subscription) {
	s.gone = true
	s.unhold()
	s.unretry()
	if s.expiry != nil {
		s.expiry.Stop()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dialogs[s.rec.LocalTag] != s {
		return
	}
	delete(n.dialogs, s.rec.LocalTag)
	if n.callers[caller(&s.rec)] == s {
		delete(n.callers, caller(&s.rec))
	}
	rest := slices.DeleteFunc(n.resources[s.rec.Resource], func(o *Subscription) bool { return o == s })
	if len(rest) == 0 {
		delete(n.resources, s.rec.Resource)
	} else {
		n.resources[s.rec.Resource] = rest
	}
	if n.watchers[s.rec.Watcher]--; n.watchers[s.rec.Watcher] == 0 {
		delete(n.watchers, s.rec.Watcher)
	}
	n.forget(s)
}

// drop ends s without a further NOTIFY; its row goes as well.
func (n *Notifier) drop(s *Subscription, reason string) {
	if s.gone {
		return
	}
	n.remove(s)
	n.ended(s, reason)
	n.erase(s)
}

// erase deletes the row; nobody waits for that.
func (n *Notifier) erase(s *Subscription) {
	if !s.durable || n.cfg.Store == nil {
		return
	}
	s.durable = false
	id := s.rec.ID
	n.cfg.Store.Commit(func(tx *state.Tx) error { return tx.DeleteSubscription(state.Notifier, id) }, func(err error) {
		if err != nil {
			n.cfg.Log.Error("an ended subscription stays in the state", "subscription", id, "error", err)
		}
	})
}

// ended tells the package, once.
func (n *Notifier) ended(s *Subscription, reason string) {
	if s.over {
		return
	}
	s.over = true
	n.cfg.Log.Debug("subscription ended", "resource", s.rec.Resource, "watcher", s.rec.Watcher, "call_id", s.rec.CallID, "reason", reason)
	if s.pkg.Ended != nil {
		s.pkg.Ended(s, reason)
	}
}

func tag() string { return sip.NewTag() }
