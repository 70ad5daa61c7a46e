package event

import (
	"presfed/agents/internal/clock"
)

// down is a peer that cannot be reached. One of its watches tries it now and
// then; the others wait for the outcome, so that a server that is away is not
// asked by a thousand at once.
type down struct {
	probe clock.Timer // until the next try
}

// lost takes a SUBSCRIBE that did not get through: everyone who holds a watch at
// that peer hears of it.
func (s *Subscriber) lost(w *Watch, err error) {
	peer := w.want.Peer
	if peer == "" { // one that nobody named is w's alone
		w.failed(Update{Err: err}, 0)
		return
	}
	var others []*Watch
	s.mu.Lock()
	d := s.down[peer]
	if d == nil {
		d = &down{}
		s.down[peer] = d
		others = s.at(peer, w)
	}
	s.probe(peer, d)
	s.mu.Unlock()
	w.stall(err)
	for _, o := range others {
		s.cfg.Lanes.Do(o.key, func() { o.stall(err) })
	}
}

// at are the watches at a peer but one. s.mu is held.
func (s *Subscriber) at(peer string, but *Watch) (there []*Watch) {
	for w := range s.all {
		if w != but && w.want.Peer == peer {
			there = append(there, w)
		}
	}
	return there
}

// probe sets the next try. s.mu is held.
func (s *Subscriber) probe(peer string, d *down) {
	if d.probe != nil {
		d.probe.Stop()
	}
	d.probe = s.cfg.Clock.AfterFunc(s.cfg.Retry, func() { s.try(peer) })
}

// try has one watch ask. The next try is set at once, in case nothing comes of
// this one.
func (s *Subscriber) try(peer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.down[peer]
	if d == nil {
		return
	}
	there := s.at(peer, nil)
	if len(there) == 0 {
		delete(s.down, peer)
		return
	}
	s.probe(peer, d)
	s.cfg.Lanes.Do(there[0].key, there[0].try)
}

// up notes a sign of life, which one watch has heard: the others go on.
func (s *Subscriber) up(peer string, but *Watch) {
	s.mu.Lock()
	d := s.down[peer]
	if d == nil {
		s.mu.Unlock()
		return
	}
	delete(s.down, peer)
	d.probe.Stop()
	there := s.at(peer, but)
	s.mu.Unlock()
	for _, w := range there {
		w.Refresh()
	}
}

// isDown says that a peer cannot be reached, as far as is known.
func (s *Subscriber) isDown(peer string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down[peer] != nil
}

// Waiting says whether any peer cannot be reached.
func (s *Subscriber) Waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.down) > 0
}

// Down are the peers that cannot be reached.
func (s *Subscriber) Down() (peers []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for peer := range s.down {
		peers = append(peers, peer)
	}
	return peers
}

// Reached says that a peer was heard of: what waited for it goes on.
func (s *Subscriber) Reached(peer string) { s.up(peer, nil) }

// Resume says that a peer is there again: what waits for another attempt makes it
// now, and the rest refreshes.
func (s *Subscriber) Resume(peer string) {
	if s.isDown(peer) {
		s.up(peer, nil)
		return
	}
	s.mu.Lock()
	there := s.at(peer, nil)
	s.mu.Unlock()
	for _, w := range there {
		w.Refresh()
	}
}

// Test asks whether a peer can be reached, by refreshing one subscription there:
// the connection that led to it has gone.
func (s *Subscriber) Test(peer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if there := s.at(peer, nil); len(there) > 0 && s.down[peer] == nil {
		there[0].Refresh()
	}
}

// stall is what becomes of a watch whose peer cannot be reached: a dialog stays
// valid until it expires, half of one is nothing.
func (w *Watch) stall(err error) {
	if w.over {
		return
	}
	u := Update{Err: err}
	if w.rec.RemoteTag == "" {
		if w.ending || w.want.Fetch {
			w.finish(u)
			return
		}
		w.drop()
	}
	w.next.Stop()
	if w.ending { // the peer holds it until it expires: it is told once it is there again
		return
	}
	u.Again = w.s.cfg.Retry
	w.on(w, u)
}

// try asks although the peer is down.
func (w *Watch) try() {
	if w.over || w.asking {
		return
	}
	w.bold = true
	if w.rec.RemoteTag == "" {
		w.begin()
	} else {
		w.ask()
	}
	w.bold = false
}
