package event

import (
	"strings"
	"time"

	"presfed/agents/internal/message"
	"presfed/db/state"
)

// Refresh answers a SUBSCRIBE inside a dialog: it refreshes, fetches or, with
// Expires 0, ends the subscription there. watcher is who the sender is known to
// be. RFC 3325 obliges no server to assert her again within a dialog: where it is
// "", the dialog's identifiers and the peer that it lives on are enough.
func (n *Notifier) Refresh(tx Transaction, watcher, peer string) {
	req := tx.Request()
	s := n.dialogOf(req)
	if s == nil {
		Refuse(tx, &Refusal{Status: 481}, n.cfg.Log)
		return
	}
	n.inLane(tx, s.rec.Resource, func() error { return n.refresh(tx, s, watcher, peer) })
}

func (n *Notifier) dialogOf(req *message.Request) *Subscription {
	to, terr := message.To(req)
	from, ferr := message.From(req)
	if terr != nil || ferr != nil {
		return nil
	}
	n.mu.Lock()
	s := n.dialogs[to.Tag()]
	n.mu.Unlock()
	if s == nil || s.rec.CallID != message.CallID(req) || s.rec.RemoteTag != from.Tag() {
		return nil
	}
	return s
}

func (n *Notifier) refresh(tx Transaction, s *Subscription, watcher, peer string) error {
	req := tx.Request()
	if s.gone || s.state == StateTerminated {
		return &Refusal{Status: 481}
	}
	if watcher == "" && peer != s.rec.Peer || watcher != "" && !strings.EqualFold(watcher, s.rec.Watcher) {
		return &Refusal{Status: 403}
	}
	cseq, err := message.CSeqOf(req)
	if err != nil {
		return err
	}
	if cseq.Seq <= s.rec.RemoteCSeq { // RFC 3261 section 12.2.2
		return &Refusal{Status: 500, Reason: "CSeq out of order"}
	}
	event, pkg, err := n.packageOf(req, s.rec.View)
	if err != nil {
		return err
	}
	if pkg != s.pkg || event.ID != s.rec.EventID { // another subscription, and there is none
		return &Refusal{Status: 481}
	}
	expires, err := pkg.expiry(req)
	if err != nil {
		return err
	}
	if expires == 0 {
		return n.unsubscribe(tx, s, cseq.Seq)
	}
	return n.extend(tx, s, cseq.Seq, expires)
}

func (n *Notifier) unsubscribe(tx Transaction, s *Subscription, cseq uint32) error {
	if err := Commit(n.cfg.Store, func(tx *state.Tx) error { return tx.DeleteSubscription(state.Notifier, s.rec.ID) }); err != nil {
		return err
	}
	s.durable, s.rec.RemoteCSeq = false, cseq
	n.accept(tx, s, 0)
	n.reached(tx, s)
	n.terminate(s, "timeout", 0)
	return nil
}

func (n *Notifier) extend(tx Transaction, s *Subscription, cseq uint32, expires time.Duration) error {
	decision, err := s.pkg.Decide(s)
	if err == nil && decision.Verdict == Rejected {
		status := decision.Status
		if status == 0 {
			status = 403
		}
		// The refusal of a refresh leaves the subscription valid (RFC 6665 section
		// 4.1.2.2); she who may not watch any more is told so by NOTIFY.
		n.terminate(s, "rejected", 0)
		return &Refusal{Status: status}
	}
	next := *s // nothing changes until it is committed
	next.rec.RemoteCSeq = cseq
	next.rec.Expires = n.cfg.Clock.Now().Add(expires)
	next.rec.CSeqReserved = max(s.rec.CSeqReserved, s.cseq+reservation)
	if len(message.Values(tx.Request(), "Contact")) > 0 { // RFC 3261 section 12.2.2: a target refresh
		if err := next.aim(tx.Request()); err != nil {
			return err
		}
		if next.head, err = newHead(message.NOTIFY, &next.rec); err != nil {
			return err
		}
	}
	if err == nil {
		next.take(decision)
		next.rec.State = string(next.state)
	}
	if err := Commit(n.cfg.Store, func(tx *state.Tx) error { return tx.PutSubscription(next.rec) }); err != nil {
		return err
	}
	// Whose it is stays as it is: it is read outside the lane.
	s.rec.RemoteCSeq, s.rec.Expires, s.rec.CSeqReserved = next.rec.RemoteCSeq, next.rec.Expires, next.rec.CSeqReserved
	s.rec.Target, s.rec.State, s.rec.Cause = next.rec.Target, next.rec.State, next.rec.Cause
	was := s.state
	s.head, s.state, s.treatment, s.granted = next.head, next.state, next.treatment, next.granted
	s.expiry.Reset(expires)
	n.accept(tx, s, expires)
	n.reached(tx, s)
	n.settled(s, was)
	s.dirty, s.full = true, true
	n.pump(s)
	return nil
}

// reached notes that the watcher has just spoken: she can be spoken to.
func (n *Notifier) reached(tx Transaction, s *Subscription) {
	s.source = tx.Source()
	s.failures = 0
	s.unretry()
	if s.suspended {
		s.suspended = false
		n.mu.Lock()
		n.forget(s)
		n.mu.Unlock()
	}
}
