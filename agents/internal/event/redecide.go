package event

import "presfed/db/state"

// Redecide asks the packages again about everyone who watches a resource, and
// acts at once: who may see now is shown, who may not is told that it is over.
// It returns at once.
func (n *Notifier) Redecide(resource string) {
	n.cfg.Lanes.Do(resource, func() { n.RedecideNow(resource, nil) })
}

// RedecideNow is Redecide for who is in the resource's lane, about those that
// match, nil for all. Those it gives are told by it.
func (n *Notifier) RedecideNow(resource string, match func(s *Subscription) bool) (told map[*Subscription]bool) {
	told = map[*Subscription]bool{}
	for _, s := range n.Subscriptions(resource) {
		if (match == nil || match(s)) && n.redecide(s) {
			told[s] = true
			n.pump(s)
		}
	}
	return told
}

// redecide says whether the watcher has to hear of it.
func (n *Notifier) redecide(s *Subscription) bool {
	if s.gone || s.over {
		return false
	}
	decision, err := s.pkg.Decide(s)
	if err != nil {
		n.cfg.Log.Warn("no decision on a watcher: what was decided stays", "resource", s.rec.Resource, "watcher", s.rec.Watcher, "error", err)
		return false
	}
	return n.settle(s, decision)
}

// settle is redecide once the decision is there.
func (n *Notifier) settle(s *Subscription, decision Decision) bool {
	if decision.Verdict == Rejected {
		n.terminate(s, "rejected", 0)
		return false
	}
	n.hold(s, decision)
	waited := s.waiting != nil && decision.Wait == 0
	if waited { // what it waited for is here
		s.unhold()
	}
	if s.state == StateTerminated { // a fetch: only what its one NOTIFY shows can change
		s.treatment, s.granted = decision.Treatment, decision.Verdict == Active
		return true
	}
	was, treated := s.state, s.treatment
	if !s.take(decision) || s.state == was && s.pkg.Same != nil && s.pkg.Same(s, treated) {
		return waited
	}
	n.settled(s, was)
	s.dirty, s.full = true, true
	s.rec.State = string(s.state)
	if s.durable && n.cfg.Store != nil { // asked again after a restart, should this be lost
		rec := s.rec
		n.cfg.Store.Commit(func(tx *state.Tx) error { return tx.PutSubscription(rec) }, func(err error) {
			if err != nil {
				n.cfg.Log.Warn("a watcher's state was not written", "subscription", rec.ID, "error", err)
			}
		})
	}
	return true
}

// settled tells the package of another state than before.
func (n *Notifier) settled(s *Subscription, was State) {
	if s.state != was && s.pkg.Settled != nil {
		s.pkg.Settled(s)
	}
}

// Restore takes the notifier's halves of a snapshot in, before anything else
// happens; Start tells their watchers. What has expired or belongs to a package
// that is no more goes.
func (n *Notifier) Restore(recs []state.Subscription) {
	now := n.cfg.Clock.Now()
	for _, rec := range recs {
		if rec.Half != state.Notifier {
			continue
		}
		s := &Subscription{
			rec: rec, pkg: n.of(rec.Package, rec.View), state: State(rec.State), granted: State(rec.State) == StateActive,
			cseq: rec.CSeqReserved, version: uint64(rec.CSeqReserved), initial: rec.RemoteCSeq, durable: true, untold: true,
		}
		var err error
		s.head, err = newHead("NOTIFY", &s.rec)
		left := rec.Expires.Sub(now)
		if s.pkg == nil || err != nil || left <= 0 {
			n.erase(s)
			continue
		}
		n.mu.Lock()
		n.index(s)
		n.mu.Unlock()
		s.expiry = n.after(s, left, n.expire)
	}
}

// Start decides anew on every restored subscription and tells its watcher the
// whole state (RFC 6665 section 4.2.1.2 by analogy: they have missed we do not
// know what). The packages' own state must be there.
func (n *Notifier) Start() {
	n.mu.Lock()
	var resources []string
	for resource := range n.resources {
		resources = append(resources, resource)
	}
	n.mu.Unlock()
	for _, resource := range resources {
		n.cfg.Lanes.Do(resource, func() {
			subs := n.Subscriptions(resource)
			for _, s := range subs {
				s.dirty, s.full = true, true
				n.redecide(s)
				if s.pkg.Began != nil && !s.over {
					s.pkg.Began(s)
				}
			}
			n.pump(subs...)
		})
	}
}
