package event

// suspend keeps a subscription whose watcher cannot be reached until its
// expiry: the newest state goes out, complete, when the link is back.
func (n *Notifier) suspend(s *Subscription) {
	s.suspended, s.dirty, s.full = true, true, true
	n.cfg.Log.Info("subscription suspended", "resource", s.rec.Resource, "watcher", s.rec.Watcher, "peer", s.rec.Peer, "call_id", s.rec.CallID)
	n.mu.Lock()
	defer n.mu.Unlock()
	name, p := n.link(s)
	p.down = append(p.down, s)
	n.watch(name, p)
}

// watch sees to it that a peer that is down is tried again. n.mu is held.
func (n *Notifier) watch(name string, p *peer) {
	if len(p.down) > 0 && p.probe == nil {
		p.probe = n.cfg.Clock.AfterFunc(n.cfg.Retry, func() { n.try(name) })
	}
}

// try sends the NOTIFY of one suspended subscription; its outcome says whether
// the others follow. The next try is set at once, in case nothing comes of this.
func (n *Notifier) try(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.peers[name]
	if p == nil {
		return
	}
	p.probe = nil
	if len(p.down) > 0 {
		p.queue = append(p.queue, p.down[0])
		p.down = p.down[1:]
	}
	n.next(name, p)
	n.watch(name, p)
}

// Resume says that a peer can be reached again: every subscription suspended on
// its link tells the newest state as soon as there is room for it.
func (n *Notifier) Resume(peer string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.peers[peer]; p != nil {
		p.resume()
		n.next(peer, p)
		n.tidy(peer, p)
	}
}

// Close stops the timers. The lanes are closed before it; subscriptions stay in
// the state for the next start.
func (n *Notifier) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.peers {
		if p.probe != nil {
			p.probe.Stop()
		}
	}
	for _, s := range n.dialogs {
		s.unhold()
		s.unretry()
		if s.expiry != nil {
			s.expiry.Stop()
		}
	}
}
