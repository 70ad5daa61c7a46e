package client

import (
	"context"
	"sync"

	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
)

// invitation is one call's INVITE, however often it is sent, and all that may
// answer it: the first 2xx is the session, others are acknowledged and ended
// (RFC 3261 section 13.2.2.4), and so is one that comes after we gave up.
type invitation struct {
	call *call

	mu        sync.Mutex
	legs      []*leg // of the INVITE that was sent last
	won       *leg
	invite    *message.Request // the one that was answered
	acked     bool
	abandoned bool
	hung      map[*dialog.Dialog]bool
}

// begin hears the answers to one INVITE, as it was sent.
func (inv *invitation) begin(invite *message.Request) func(*message.Response) {
	inv.endEarly(nil) // what answered the one before
	fork := dialog.NewFork(invite)
	legs := map[*dialog.Dialog]*leg{}
	return func(res *message.Response) {
		s := inv.call.session
		c := s.client
		rings := res.StatusCode == 180 && !dialog.IsReliable(res) // else once, when it is acknowledged
		inv.mu.Lock()
		defer func() {
			inv.mu.Unlock()
			if rings {
				c.emit(Event{Type: "session", Peer: s.peer, Via: s.via(), State: "ringing"})
			}
		}()
		d, created, err := fork.Receive(res)
		if err != nil || d == nil {
			if err != nil || res.StatusCode >= 200 {
				c.log.Warn("a response that makes no dialog", "call_id", message.CallID(res), "status", res.StatusCode, "error", err)
			}
			return
		}
		if created {
			legs[d] = inv.newLeg(d)
		}
		l := legs[d]
		if res.StatusCode >= 200 {
			inv.succeeded(l, invite)
			return
		}
		owed, ok, err := fork.Owed(res)
		if err != nil {
			c.log.Warn("a provisional response that cannot be acknowledged", "call_id", message.CallID(res), "error", err)
		}
		if ok && !inv.abandoned {
			rings = res.StatusCode == 180
			l.owes(res, owed)
		}
	}
}

// succeeded takes a 2xx of a leg. The lock is held.
func (inv *invitation) succeeded(l *leg, invite *message.Request) {
	s := inv.call.session
	switch {
	case inv.won == nil && !inv.abandoned:
		inv.won, inv.invite = l, invite
		s.client.keep(s, l.confirmed())
	case inv.won == l:
		if inv.acked { // it came again: our ACK was lost
			now := l.confirmed()
			s.client.spawn(func(ctx context.Context) { s.client.ack(ctx, now, invite) })
		}
	default:
		inv.end(l, invite)
	}
}

// end acknowledges a 2xx that nobody wants, each time it comes, and sends one
// BYE. The lock is held.
func (inv *invitation) end(l *leg, invite *message.Request) {
	s := inv.call.session
	first := !inv.hung[l.dialog]
	inv.hung[l.dialog] = true
	own := l.confirmed()
	s.client.spawn(func(ctx context.Context) {
		s.client.ack(ctx, own, invite)
		if first {
			w := newWithin(s.client)
			w.d = own
			(&Session{within: w, peer: s.peer}).hangUp(ctx)
		}
	})
}

// abandon ends what has answered, and whatever still will.
func (inv *invitation) abandon() {
	inv.mu.Lock()
	inv.abandoned = true
	if inv.won != nil {
		inv.end(inv.won, inv.invite)
		inv.won = nil
	}
	inv.mu.Unlock()
	inv.endEarly(nil)
}

// endEarly ends every early session but one.
func (inv *invitation) endEarly(except *leg) {
	inv.mu.Lock()
	legs := inv.legs
	inv.legs = nil
	if except != nil {
		inv.legs = []*leg{except}
	}
	inv.mu.Unlock()
	for _, l := range legs {
		if l != except {
			l.end()
		}
	}
}
