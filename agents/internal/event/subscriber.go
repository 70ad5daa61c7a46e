package event

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/db/state"
)

// SubscriberConfig is what a Subscriber is made of.
type SubscriberConfig struct {
	Packages []string // NOTIFYs for others get 489
	Lanes    *Lanes
	Store    Store // for durable watches; nil: none is
	// Send sends a SUBSCRIBE to its hop. It must not block and calls done exactly
	// once, from any goroutine: with the final response or the error.
	Send func(out Outgoing, done func(res *message.Response, err error))
	// Credentials answers a 401 or 407 by putting fields into req, the same
	// request over again; false: there is no answer. nil: never.
	Credentials func(req *message.Request, challenge *message.Response) bool
	// Retry is the first pause before another attempt; it doubles up to 64
	// times. A peer that cannot be reached is tried by one of its watches each
	// Retry. Zero: 5 seconds.
	Retry time.Duration
	// TimerN is how long a NOTIFY may be in coming (RFC 6665 section 4.1.2.4).
	// Zero: 32 seconds.
	TimerN time.Duration
	Clock  clock.Clock  // nil: the system's
	Log    *slog.Logger // nil: silent
}

// Outgoing is a SUBSCRIBE on its way.
type Outgoing struct {
	Request *message.Request
	Hop     message.URI // where it goes first: the topmost Route, or its Request-URI
	Peer    string      // as the Wanted says
}

// Wanted is a subscription one would like to hold.
type Wanted struct {
	Key     string // the lane its updates come in; "": one of its own
	Package string
	EventID string
	URI     string        // Request-URI
	To      string        // "": the URI
	From    string        // an address without a tag
	Contact string        // ours, a whole Contact value
	Accept  []string      // content types
	Expires time.Duration // zero: an hour
	Fetch   bool          // the state once, no subscription
	Routes  []string      // of the first SUBSCRIBE, the next hop first
	Headers []state.Field // further fields of every SUBSCRIBE
	Peer    string        // what can be down or up as one; Resume takes it
	Durable bool          // it survives a restart
	// Read makes of a NOTIFY's body what Update.Value is. An error refuses the
	// NOTIFY with 400 and leaves everything as it was. nil: bodies are not read.
	Read     func(contentType string, body []byte) (any, error)
	Resource string // these go into the record as they are
	View     string
	Watcher  string
	Extra    []byte
}

// Update is what a subscriber hears, in the lane of its watch.
type Update struct {
	// Notified: a NOTIFY came, and has been answered. Its state, reason and body.
	Notified    bool
	State       State
	Reason      string
	ContentType string
	Body        []byte
	Value       any // of Wanted.Read; nil without a body
	// Status is a final response that refused the subscription.
	Status int
	// Err says that there was no answer, or no NOTIFY (an error of package sip).
	Err error
	// Again is when another attempt is made; zero: none is due.
	Again time.Duration
	// Over: nothing more comes of this watch.
	Over bool
}

// Subscriber is the subscriber's half of subscriptions.
type Subscriber struct {
	cfg     SubscriberConfig
	mu      sync.Mutex
	watches map[string]within // by our tag
	all     map[*Watch]bool   // also those between two attempts
	down    map[string]*down  // peers that cannot be reached
}

// within is the watch of a dialog, or of half of one.
type within struct {
	watch  *Watch
	callID string
}

// NewSubscriber is a subscriber without subscriptions.
func NewSubscriber(cfg SubscriberConfig) *Subscriber {
	cfg.Retry = cmp.Or(cfg.Retry, 5*time.Second)
	cfg.TimerN = cmp.Or(cfg.TimerN, 32*time.Second)
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Subscriber{cfg: cfg, watches: map[string]within{}, all: map[*Watch]bool{}, down: map[string]*down{}}
}

// Subscribe begins to hold a subscription: on hears whatever becomes of it,
// until Over. Broken ones are made again as RFC 6665 section 4.1.3 allows.
func (s *Subscriber) Subscribe(want Wanted, on func(w *Watch, u Update)) *Watch {
	w := s.newWatch(want, on)
	s.mu.Lock()
	s.all[w] = true
	s.mu.Unlock()
	s.cfg.Lanes.Do(w.key, w.begin)
	return w
}

func (s *Subscriber) newWatch(want Wanted, on func(w *Watch, u Update)) *Watch {
	want.Expires = cmp.Or(want.Expires, time.Hour)
	want.To = cmp.Or(want.To, "<"+want.URI+">")
	w := &Watch{s: s, want: want, on: on, lasts: want.Expires}
	w.key = cmp.Or(want.Key, "\x00watch "+tag())
	return w
}

// Of names the peer of the watch that a NOTIFY with this Call-ID and To tag is
// for; false: it is for none of ours.
func (s *Subscriber) Of(callID, toTag string) (peer string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.watches[toTag]
	if d.watch == nil || d.callID != callID {
		return "", false
	}
	return d.watch.want.Peer, true
}

func (s *Subscriber) byTag(tag string) *Watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watches[tag].watch
}

// Count is how many watches are held.
func (s *Subscriber) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// Restore takes the subscriber's halves of a snapshot in and refreshes each, so
// that its notifier tells the whole state. wanted says what a record was wanted
// for and who hears of it now; false gives it up.
func (s *Subscriber) Restore(recs []state.Subscription, wanted func(rec state.Subscription) (Wanted, func(w *Watch, u Update), bool)) {
	for _, rec := range recs {
		if rec.Half != state.Subscriber {
			continue
		}
		want, on, ok := wanted(rec)
		w := s.newWatch(want, on)
		w.rec, w.cseq, w.stored = rec, rec.CSeqReserved, true
		if !ok {
			w.erase()
			continue
		}
		w.rec.Contact, w.rec.Headers = want.Contact, want.Headers // ours may have moved
		s.mu.Lock()
		s.watches[rec.LocalTag], s.all[w] = within{w, rec.CallID}, true
		s.mu.Unlock()
		s.cfg.Lanes.Do(w.key, func() {
			if left := rec.Expires.Sub(s.cfg.Clock.Now()); left > 0 {
				w.arm(&w.expiry, left, w.expired)
				w.ask()
			} else {
				w.startOver(0)
			}
		})
	}
}

// Close stops the timers, the lanes being closed; nothing is unsubscribed.
func (s *Subscriber) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.all {
		w.disarm()
	}
	for _, d := range s.down {
		d.probe.Stop()
	}
}

func (s *Subscriber) knows(pkg string) bool { return slices.Contains(s.cfg.Packages, pkg) }
