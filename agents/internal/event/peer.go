package event

import (
	"slices"

	"presfed/agents/internal/clock"
)

// peer is what is known of one link. Its window keeps a change that many
// watchers hear of from filling the link's buffers: who finds it full waits, and
// tells the newest state when its turn comes.
type peer struct {
	inFlight int
	queue    []*Subscription // wait for room
	down     []*Subscription // suspended
	probe    clock.Timer     // until one of down is tried; nil: none is set
}

// link is the peer of s; one that nobody named is s's alone. n.mu is held.
func (n *Notifier) link(s *Subscription) (name string, p *peer) {
	name = s.rec.Peer
	if name == "" {
		name = "\x00" + s.rec.ID
	}
	p = n.peers[name]
	if p == nil {
		p = &peer{}
		n.peers[name] = p
	}
	return name, p
}

// tidy forgets a peer of whom there is nothing to know. n.mu is held.
func (n *Notifier) tidy(name string, p *peer) {
	if p.inFlight == 0 && len(p.queue) == 0 && len(p.down) == 0 {
		if p.probe != nil {
			p.probe.Stop()
		}
		delete(n.peers, name)
	}
}

// enter takes a place in the window, or queues s for one.
func (n *Notifier) enter(s *Subscription) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, p := n.link(s)
	if p.inFlight >= n.cfg.Window {
		s.queued = true
		p.queue = append(p.queue, s)
		return false
	}
	p.inFlight++
	return true
}

// leave gives the place back and lets the next one in; where the link has shown
// that it is up, those suspended on it are told.
func (n *Notifier) leave(s *Subscription, up bool) {
	n.mu.Lock()
	name, p := n.link(s)
	p.inFlight--
	var back []*Subscription
	if up {
		back, p.down = p.down, nil
	}
	n.next(p)
	n.watch(name, p)
	n.tidy(name, p)
	n.mu.Unlock()
	n.bringBack(back)
}

// next gives the one that waited longest its turn. n.mu is held.
func (n *Notifier) next(p *peer) {
	if len(p.queue) == 0 || p.inFlight >= n.cfg.Window {
		return
	}
	s := p.queue[0]
	p.queue = p.queue[1:]
	n.cfg.Lanes.Do(s.rec.Resource, func() {
		s.queued = false
		if n.pump(s) > 0 {
			return
		}
		n.mu.Lock() // it has nothing to tell any more
		defer n.mu.Unlock()
		name, p := n.link(s)
		n.next(p)
		n.tidy(name, p)
	})
}

// unqueue and unsuspend take s out of its peer's lists. n.mu is held.
func (n *Notifier) unqueue(s *Subscription) {
	if !s.queued {
		return
	}
	name, p := n.link(s)
	p.queue = slices.DeleteFunc(p.queue, func(o *Subscription) bool { return o == s })
	n.tidy(name, p)
}

func (n *Notifier) unsuspend(s *Subscription) {
	name, p := n.link(s)
	p.down = slices.DeleteFunc(p.down, func(o *Subscription) bool { return o == s })
	n.tidy(name, p)
}
