package event

import (
	"time"

	"presfed/agents/internal/message"
	"presfed/db/state"
)

// create makes a subscription, in the lane: may she watch, is there room, is it
// written; then the answer, then the NOTIFY.
func (n *Notifier) create(tx Transaction, s *Subscription, expires time.Duration) error {
	n.mu.Lock()
	twin := n.callers[caller(&s.rec)]
	n.mu.Unlock()
	if twin != nil && twin.initial == s.initial {
		// RFC 3261 section 8.2.2.2: the same request by another way.
		return &Refusal{Status: 482}
	}
	decision, err := s.pkg.Decide(s)
	if err != nil {
		return err
	}
	if decision.Verdict == Rejected {
		status := decision.Status
		if status == 0 {
			status = 403 // RFC 6665 section 4.2.1.3
		}
		return &Refusal{Status: status}
	}
	s.take(decision)
	now := n.cfg.Clock.Now()
	s.rec.Since = now
	s.rec.Expires = now.Add(expires)
	s.rec.CSeqReserved = reservation
	s.rec.State = string(s.state)
	if err := n.add(s); err != nil {
		return err
	}
	if err := n.keep(s); err != nil {
		n.remove(s)
		return err
	}
	if s.durable {
		s.expiry = n.after(s, expires, n.expire)
	} else { // RFC 6665 section 4.4.3: a fetch, over with its one NOTIFY
		s.state, s.reason = StateTerminated, "timeout"
	}
	n.hold(s, decision)
	n.accept(tx, s, expires)
	if s.pkg.Began != nil {
		s.pkg.Began(s)
	}
	n.pump(s)
	return nil
}

// keep writes what is to be known of a new subscription after a restart.
func (n *Notifier) keep(s *Subscription) error {
	var also func(tx *state.Tx) error
	if s.pkg.Keep != nil {
		also = s.pkg.Keep(s)
	}
	if !s.durable && also == nil {
		return nil
	}
	return Commit(n.cfg.Store, func(tx *state.Tx) error {
		var err error
		if s.durable {
			err = tx.PutSubscription(s.rec)
		}
		if err == nil && also != nil {
			err = also(tx)
		}
		return err
	})
}

// hold has the first NOTIFY, also the first after a restart, wait as decided.
func (n *Notifier) hold(s *Subscription, d Decision) {
	if d.Wait > 0 && d.Verdict != Rejected && s.untold && s.waiting == nil {
		s.waiting = n.after(s, d.Wait, func(s *Subscription) {
			s.waiting = nil
			n.pump(s)
		})
	}
}

// accept answers 200.
func (n *Notifier) accept(tx Transaction, s *Subscription, expires time.Duration) {
	res := message.NewResponse(tx.Request(), 200, "", s.rec.LocalTag)
	message.Add(res, "Contact", s.rec.Contact)
	message.Add(res, "Expires", Seconds(expires))
	message.Add(res, "Allow-Events", n.allow)
	if s.pkg.Extension != "" { // RFC 3261 section 8.2.4
		message.Add(res, "Require", s.pkg.Extension)
	}
	respond(tx, res, n.cfg.Log)
}

// take makes a decision the subscription's own, and says whether the watcher
// has to hear of it.
func (s *Subscription) take(d Decision) (changed bool) {
	was, treated := s.state, s.treatment
	s.treatment, s.granted = d.Treatment, d.Verdict == Active
	switch d.Verdict {
	case Active:
		s.state = StateActive
	case Pending:
		s.state = StatePending
	default:
		s.state, s.reason = StateTerminated, "rejected"
	}
	if s.state != was {
		s.rec.Cause = string(Subscribed)
		if was == StatePending && s.state == StateActive {
			s.rec.Cause = string(Approved)
		}
	}
	return s.state != was || s.treatment != treated
}
