package presence

import (
	"maps"
	"slices"

	"presfed/agents/internal/event"
	"presfed/db/state"
)

// Forget ends the subscriptions to a presentity who is not served here any more,
// for a reason of RFC 6665 section 4.1.3, and then removes what she published. It
// returns at once.
func (p *Presence) Forget(presentity, reason string) {
	p.cfg.Lanes.Do(presentity, func() {
		p.notifier.Terminate(presentity, reason, 0, nil)
		p.unpublish(presentity)
	})
}

// Drop is Forget where the composed view of her is still to be had here: it ends
// the subscriptions to the other view. It returns at once.
func (p *Presence) Drop(presentity, view string) {
	p.cfg.Lanes.Do(presentity, func() {
		p.notifier.Terminate(presentity, "deactivated", 0, func(s *event.Subscription) bool { return s.View() == view })
		p.unpublish(presentity)
	})
}

// Refer ends the subscriptions to a presentity's composed view by way of the peers
// that match, nil for all: it is to be had elsewhere now, and watchers subscribe
// anew (RFC 6665 section 4.1.3). It returns at once.
func (p *Presence) Refer(presentity string, match func(peer string) bool) {
	p.cfg.Lanes.Do(presentity, func() {
		p.notifier.Terminate(presentity, "deactivated", 0, func(s *event.Subscription) bool {
			return s.View() == Composed && (match == nil || match(s.Peer()))
		})
	})
}

// Withhold ends the subscriptions to a presentity's own share by servers that may
// not ask for it any more: "probation", so that one that has not
// heard of the change yet does not come back at once. It
// returns at once.
func (p *Presence) Withhold(presentity string, may func(server string) bool) {
	p.cfg.Lanes.Do(presentity, func() {
		p.notifier.Terminate(presentity, "probation", 0, func(s *event.Subscription) bool { return s.View() == Own && !may(s.Peer()) })
	})
}

// unpublish removes what a presentity published, in her lane.
func (p *Presence) unpublish(presentity string) {
	who := p.known(presentity)
	if who == nil || len(who.publications) == 0 {
		return
	}
	gone := slices.Clone(who.publications)
	if err := event.Commit(p.cfg.Store, func(tx *state.Tx) error {
		for _, pub := range gone {
			if err := tx.DeletePublication(pub.rec.ID); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		p.cfg.Log.Error("publications of a user who is not served here stay until they expire", "presentity", presentity, "error", err)
		return
	}
	p.change(who, func() {
		for _, pub := range gone {
			who.remove(pub)
		}
	})
}

// Presentities are those of whom something is known here, in no order.
func (p *Presence) Presentities() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.presentities))
}
