package composing

import (
	"sync"
	"time"

	"presfed/agents/internal/clock"
)

const (
	// DefaultTimeout is how long somebody is active without a refresh interval
	// (section 3.3).
	DefaultTimeout = 120 * time.Second
	// longest bounds what a peer who has vanished can have said.
	longest = time.Hour
)

// Receiver is who is told what somebody does: figure 2. Its methods may be
// called from any goroutine.
type Receiver struct {
	clock  clock.Clock
	change func(Status)

	mu     sync.Mutex
	active bool
	timer  clock.Timer
	turn   int // counts statuses: the timer of an earlier one does nothing
}

// NewReceiver takes a composer to be idle. change hears the status that changes
// that, one call at a time; it must not call the receiver. The caller stops it.
func NewReceiver(c clock.Clock, change func(Status)) *Receiver {
	return &Receiver{clock: c, change: change}
}

// Status takes a status message.
func (r *Receiver) Status(s Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unset()
	if s.Active {
		timeout := DefaultTimeout
		if s.Refresh > 0 {
			timeout = min(s.Refresh, longest)
		}
		turn := r.turn
		r.timer = r.clock.AfterFunc(timeout, func() { r.expired(turn) })
	}
	r.become(s)
}

// Content: a content message has come.
func (r *Receiver) Content() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unset()
	r.become(Status{})
}

// Active says whether the other end composes, as far as is known.
func (r *Receiver) Active() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.active
}

// Stop ends it: no change is told any more.
func (r *Receiver) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unset()
	r.change = func(Status) {}
}

func (r *Receiver) expired(turn int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.turn == turn {
		r.unset()
		r.become(Status{})
	}
}

// unset stops the timer; the lock is held.
func (r *Receiver) unset() {
	r.turn++
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
}

func (r *Receiver) become(s Status) {
	if r.active != s.Active {
		r.active = s.Active
		r.change(s)
	}
}
