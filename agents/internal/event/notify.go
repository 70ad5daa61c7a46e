package event

import (
	"time"

	"presfed/agents/internal/clock"
	"presfed/db/state"
)

// reservation is how many CSeq numbers are set aside with one write.
const reservation = 100

// Changed says that the state of a resource has changed for those of its
// subscriptions to a package that match, nil for all: each gets a NOTIFY with
// the newest state as soon as none is in flight to it. To be called in the
// resource's lane.
func (n *Notifier) Changed(resource, pkg string, match func(s *Subscription) bool) {
	var tell []*Subscription
	for _, s := range n.Subscriptions(resource) {
		if s.rec.Package != pkg || s.state != StateActive && s.waiting == nil || match != nil && !match(s) {
			continue
		}
		s.unhold() // what it waited for is here
		s.dirty = true
		tell = append(tell, s)
	}
	n.pump(tell...)
}

// terminate ends a subscription with a last NOTIFY.
func (n *Notifier) terminate(s *Subscription, reason string, retry time.Duration) {
	if s.gone || s.state == StateTerminated && s.over {
		return
	}
	s.state, s.reason, s.retry = StateTerminated, reason, retry
	s.dirty, s.full = true, true
	s.unhold()
	s.unretry()
	n.ended(s, reason)
	n.pump(s)
}

// Terminate ends every subscription to a resource that matches, nil for all,
// with a reason of RFC 6665 section 4.1.3. To be called in the lane.
func (n *Notifier) Terminate(resource, reason string, retry time.Duration, match func(s *Subscription) bool) {
	for _, s := range n.Subscriptions(resource) {
		if match == nil || match(s) {
			n.terminate(s, reason, retry)
		}
	}
}

// pump sends the NOTIFYs that can go out now.
func (n *Notifier) pump(subs ...*Subscription) (sent int) {
	due := subs[:0:len(subs)]
	var short []*Subscription
	for _, s := range subs {
		if !s.due() {
			continue
		}
		due = append(due, s)
		if s.durable && s.cseq >= s.rec.CSeqReserved {
			short = append(short, s)
		}
	}
	if len(short) > 0 {
		n.reserve(short)
	}
	for _, s := range due {
		if s.due() && n.enter(s) { // unless its numbers could not be reserved
			n.send(s)
			sent++
		}
	}
	return sent
}

// reserve sets the next CSeq numbers aside, for all in one write. Where that
// fails they are tried again later: a number must not be used twice after a
// restart.
func (n *Notifier) reserve(subs []*Subscription) {
	err := Commit(n.cfg.Store, func(tx *state.Tx) error {
		for _, s := range subs {
			if err := tx.ReserveCSeq(state.Notifier, s.rec.ID, s.cseq+reservation); err != nil {
				return err
			}
		}
		return nil
	})
	for _, s := range subs {
		if err == nil {
			s.rec.CSeqReserved = s.cseq + reservation
		} else {
			n.tryAgain(s, n.cfg.Retry)
		}
	}
	if err != nil {
		n.cfg.Log.Error("no CSeq numbers for NOTIFY", "subscriptions", len(subs), "error", err)
	}
}

func (n *Notifier) send(s *Subscription) {
	var body Body
	if s.shows() {
		var err error
		if body, err = s.pkg.Body(s, s.full, s.version); err != nil {
			n.cfg.Log.Error("no body for NOTIFY", "resource", s.rec.Resource, "package", s.rec.Package, "error", err)
			body = Body{}
		}
	}
	if len(body.Bytes) > 0 {
		s.version++
		s.full = false
	}
	s.cseq++
	s.dirty, s.more, s.untold, s.inFlight = false, body.More, false, true
	final := s.state == StateTerminated
	notice := s.notice(n.cfg.Clock.Now(), body)
	n.weigh(s, notice.size())
	n.cfg.Send(notice, func(o Outcome) {
		n.cfg.Lanes.Do(s.rec.Resource, func() { n.answered(s, o, final) })
	})
}

// shows says whether the next NOTIFY carries state: to an active watcher, and to
// one whose subscription or fetch ran out (RFC 6665 sections 4.2.1.4, 4.4.3).
func (s *Subscription) shows() bool {
	return s.state == StateActive || s.state == StateTerminated && s.reason == "timeout" && s.granted
}

// after calls f in the lane once d has passed.
func (n *Notifier) after(s *Subscription, d time.Duration, f func(s *Subscription)) clock.Timer {
	return n.cfg.Clock.AfterFunc(d, func() {
		n.cfg.Lanes.Do(s.rec.Resource, func() {
			if !s.gone {
				f(s)
			}
		})
	})
}

// expire ends a subscription that was not refreshed in time.
func (n *Notifier) expire(s *Subscription) {
	if left := s.rec.Expires.Sub(n.cfg.Clock.Now()); left > 0 { // refreshed meanwhile
		s.expiry.Reset(left)
		return
	}
	if s.suspended || s.state == StateTerminated {
		n.drop(s, "timeout")
		return
	}
	n.erase(s)
	n.terminate(s, "timeout", 0)
}
