package event

import (
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/sip"
	"presfed/db/state"
)

// State is what Subscription-State says (RFC 6665 section 4.2.2).
type State string

// The states.
const (
	StateActive     State = "active"
	StatePending    State = "pending"
	StateTerminated State = "terminated"
)

// Cause is what brings a subscription to its state (RFC 3857 section 4.7.1).
type Cause string

// The causes of pending and active.
const (
	Subscribed Cause = "subscribe"
	Approved   Cause = "approved"
)

// Subscription is one watcher's, as the notifier holds it. It belongs to the
// lane of its resource.
type Subscription struct {
	// Data is the package's own, not durable.
	Data any

	rec       state.Subscription // what is durable of it
	pkg       *Package
	head      head       // what all of its NOTIFYs have in common
	source    sip.Source // where its latest SUBSCRIBE came from; zero after a restart
	initial   uint32     // CSeq of the SUBSCRIBE that made it
	state     State
	reason    string // why it is terminated
	retry     time.Duration
	granted   bool // the latest decision let the watcher see
	treatment string
	cseq      uint32 // last used
	version   uint64 // of the next body

	durable   bool // it has a row; a fetch has none
	gone      bool // out of every index
	over      bool // Ended was told
	full      bool // the next body is a complete one
	dirty     bool // there is something to tell
	more      bool // the NOTIFY in flight does not tell all
	untold    bool // since it was made or restored
	inFlight  bool // a NOTIFY waits for its answer
	queued    bool // it waits for room on its peer's link
	suspended bool // its peer's link is down
	waiting   clock.Timer
	again     clock.Timer // after a failure that may pass
	failures  int
	bytes     int    // of the NOTIFY in flight
	answers   uint64 // that had come on its link before
	expiry    clock.Timer
}

// Resource is the address of record that is watched.
func (s *Subscription) Resource() string { return s.rec.Resource }

// View is which view of the resource was asked for.
func (s *Subscription) View() string { return s.rec.View }

// Watcher is the address of record of who watches.
func (s *Subscription) Watcher() string { return s.rec.Watcher }

// Peer is whose link it lives on.
func (s *Subscription) Peer() string { return s.rec.Peer }

// Package is the event package's name.
func (s *Subscription) Package() string { return s.rec.Package }

// ContentType is what its bodies are to be.
func (s *Subscription) ContentType() string { return s.rec.ContentType }

// ID names it among the notifier's.
func (s *Subscription) ID() string { return s.rec.ID }

// CallID is its dialog's.
func (s *Subscription) CallID() string { return s.rec.CallID }

// Since is when it was made.
func (s *Subscription) Since() time.Time { return s.rec.Since }

// Cause is what brought it to its state.
func (s *Subscription) Cause() Cause { return Cause(s.rec.Cause) }

// Undecided says that it waits for a decision, or did so for as long as it lived.
func (s *Subscription) Undecided() bool { return !s.granted }

// From is the watcher as her SUBSCRIBE named her, with what she calls herself.
func (s *Subscription) From() string { return s.rec.RemoteAddress }

// State is where it stands.
func (s *Subscription) State() State { return s.state }

// Treatment is what the latest decision said.
func (s *Subscription) Treatment() string { return s.treatment }

// Expires is when it ends unless it is refreshed.
func (s *Subscription) Expires() time.Time { return s.rec.Expires }

// Suspended says that its watcher cannot be reached at present.
func (s *Subscription) Suspended() bool { return s.suspended }

// due says whether a NOTIFY can go out now.
func (s *Subscription) due() bool {
	return s.dirty && !s.gone && !s.inFlight && !s.queued && !s.suspended && s.waiting == nil && s.again == nil
}

// unhold ends the wait of the first NOTIFY.
func (s *Subscription) unhold() {
	if s.waiting != nil {
		s.waiting.Stop()
		s.waiting = nil
	}
}

func (s *Subscription) unretry() {
	if s.again != nil {
		s.again.Stop()
		s.again = nil
	}
}
