package event

import (
	"slices"

	"presfed/agents/internal/clock"
)

// peer is what is known of one link. Its window, in NOTIFYs and in bytes, keeps a
// change that many watchers hear of from filling the link's buffers: who finds it
// full waits, and tells the newest state when its turn comes.
type peer struct {
	inFlight int             // NOTIFYs that wait for their answers
	bytes    int             // of these
	answers  uint64          // that have come
	turns    int             // have been given their turn, in lanes that have not come to it
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
	if p.inFlight == 0 && p.turns == 0 && len(p.queue) == 0 && len(p.down) == 0 {
		if p.probe != nil {
			p.probe.Stop()
		}
		delete(n.peers, name)
	}
}

// most is how many are given their turn at a time: what they send counts only
// once it is written.
const most = 16

// room says whether p's window has a place, n.mu held: there is always one for a
// single NOTIFY, however large.
func (n *Notifier) room(p *peer) bool {
	return p.inFlight < n.cfg.Window && p.bytes < n.cfg.WindowBytes
}

// enter takes a place in the window, or queues s for one.
func (n *Notifier) enter(s *Subscription) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, p := n.link(s)
	if !n.room(p) {
		s.queued = true
		p.queue = append(p.queue, s)
		return false
	}
	p.inFlight++
	return true
}

// weigh says how large the NOTIFY is that s has its place for.
func (n *Notifier) weigh(s *Subscription, bytes int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, p := n.link(s)
	s.bytes, s.answers = bytes, p.answers
	p.bytes += bytes
}

// leave gives the place back and lets the next ones in; where the link has shown
// that it is up, those suspended on it wait for their turn as well. It says whether
// other NOTIFYs were answered there meanwhile.
func (n *Notifier) leave(s *Subscription, up bool) (others bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, p := n.link(s)
	p.inFlight--
	p.bytes -= s.bytes
	others = p.answers != s.answers
	if up {
		p.answers++
		p.resume()
	}
	n.next(name, p)
	n.watch(name, p)
	n.tidy(name, p)
	return others
}

// resume has those suspended wait for room. n.mu is held.
func (p *peer) resume() {
	p.queue = append(p.queue, p.down...)
	p.down = nil
}

// next gives those that waited longest their turn. n.mu is held.
func (n *Notifier) next(name string, p *peer) {
	for len(p.queue) > 0 && p.turns < most && p.inFlight+p.turns < n.cfg.Window && n.room(p) {
		s := p.queue[0]
		p.queue = p.queue[1:]
		p.turns++
		n.cfg.Lanes.Do(s.rec.Resource, func() {
			s.queued, s.suspended = false, false
			n.pump(s) // it may have nothing to tell any more
			n.mu.Lock()
			defer n.mu.Unlock()
			p.turns--
			n.next(name, p)
			n.tidy(name, p)
		})
	}
}

// forget takes s out of its peer's lists. n.mu is held.
func (n *Notifier) forget(s *Subscription) {
	name, p := n.link(s)
	is := func(o *Subscription) bool { return o == s }
	p.queue, p.down = slices.DeleteFunc(p.queue, is), slices.DeleteFunc(p.down, is)
	n.tidy(name, p)
}
