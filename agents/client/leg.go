package client

import (
	"context"
	"time"

	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
)

// leg is one device that our INVITE has reached: an early dialog, in which its
// reliable responses are acknowledged, and the early session that it offers.
type leg struct {
	*within // the early dialog's requests, counted by a copy of its own
	inv     *invitation
	ctx     context.Context // ends with the early dialog
	end     context.CancelFunc

	// The rest is guarded by the invitation's lock.
	dialog *dialog.Dialog // the fork's
	answer []byte         // the first description that it sent reliably
	early  bool           // it has, or had, an early session
	tried  chan struct{}  // closed when it has been sent the first message, or could not be; nil before
	there  bool           // it has the first message
	over   bool           // it has answered: nothing begins early any more
}

// newLeg is called with the invitation's lock held.
func (inv *invitation) newLeg(d *dialog.Dialog) *leg {
	l := &leg{within: newWithin(inv.call.session.client), inv: inv, dialog: d}
	l.ctx, l.end = context.WithCancel(inv.call.ctx)
	own := *d
	l.d = &own
	inv.legs = append(inv.legs, l)
	return l
}

// confirmed is the leg's dialog as its 2xx made it, its CSeq past what the PRACKs
// have used. The invitation's lock is held.
func (l *leg) confirmed() *dialog.Dialog {
	d := *l.dialog
	l.mu.Lock()
	d.LocalSeq = max(d.LocalSeq, l.d.LocalSeq)
	l.mu.Unlock()
	if len(l.turn) == 0 { // one is on its way, and may be challenged yet
		d.LocalSeq += spare
	}
	return &d
}

// acknowledge sends the PRACK that a response is owed, with the answer to its
// early offer, and then the first message in that session.
func (l *leg) acknowledge(res *message.Response, owed dialog.RAck) {
	c := l.client
	theirs, err := descriptionsOf(res)
	if extensions := unsupported(res); err != nil || len(extensions) > 0 {
		// What it asks for is not understood, so nothing in it is; that it came
		// must be said all the same.
		c.log.Warn("a provisional response is acknowledged and not used", "call_id", message.CallID(res), "requires", extensions, "error", err)
		theirs = descriptions{}
	}
	l.inv.mu.Lock()
	if l.answer == nil {
		l.answer = theirs.session
	}
	l.inv.mu.Unlock()
	session, offer, answer := l.take(theirs.early)
	if session != nil {
		defer session.Close()
	}
	_, err = l.send(l.ctx, message.PRACK, func(req *message.Request) {
		message.Add(req, "RAck", owed.String())
		if answer != nil {
			message.SetBody(req, sdp, answer)
			message.Add(req, "Content-Disposition", early)
		}
	})
	if err != nil {
		c.log.Info("PRACK failed", "call_id", message.CallID(res), "peer", l.inv.call.session.peer, "error", err)
		return
	}
	if session != nil {
		l.show(session, offer)
	}
}

// take answers an early offer: a session of ours for it, or a refusal where it
// cannot be used or there is nothing to show; nil where there is nothing to
// answer.
func (l *leg) take(text []byte) (session *msrp.Session, offer *msrp.Description, answer []byte) {
	if text == nil {
		return nil, nil, nil
	}
	c := l.client
	offer, err := msrp.ParseDescription(text)
	l.inv.mu.Lock()
	wanted := l.inv.call.text != "" && !l.early
	l.early = l.early || err == nil
	l.inv.mu.Unlock()
	if err == nil && wanted {
		session, err = c.newMedia(c.early, l.inv.call.session)
	}
	if session != nil {
		var ours msrp.Description
		// RFC 6135: we are active where we may, for we have the first message.
		if ours, err = session.Describe("").Answering(offer, msrp.SetupActive); err == nil {
			answer, err = ours.Marshal()
		}
		if err == nil {
			return session, offer, answer
		}
		session.Close()
	}
	if err != nil {
		c.log.Info("early session refused", "peer", l.inv.call.session.peer, "error", err)
	}
	if answer, err = msrp.Refusal(text, c.cfg.Bind.String()); err != nil {
		c.log.Warn("early offer not answered", "peer", l.inv.call.session.peer, "error", err)
		return nil, nil, nil
	}
	return nil, nil, answer
}

// show sends the first message by an early session, and stays until that ends.
func (l *leg) show(session *msrp.Session, offer *msrp.Description) {
	s := l.inv.call.session
	tried := make(chan struct{})
	l.inv.mu.Lock()
	late := l.over
	if !late {
		l.tried = tried
	}
	l.inv.mu.Unlock()
	if late {
		return
	}
	role := msrp.ActiveSpeaks
	if offer.Setup == msrp.SetupActive {
		role = msrp.Passive
	}
	err := session.Start(l.ctx, *offer, role)
	var sent *msrp.Sent
	if err == nil {
		sent, err = session.Send(l.ctx, textPlain, l.inv.call.body(), msrp.SendOptions{MessageID: l.inv.call.id})
	}
	if err == nil {
		l.inv.mu.Lock()
		l.there = true
		l.inv.mu.Unlock()
	}
	close(tried)
	if err != nil {
		l.client.log.Info("first message not shown early", "peer", s.peer, "error", err)
		return
	}
	l.inv.call.isShown()
	l.client.emit(Event{Type: "sent", Peer: s.peer, Via: "session", State: "early", ContentType: textPlain, Size: sent.Size})
	<-l.ctx.Done()
}

// earlyTime is how long, after a 2xx, the response to the first message may
// still take in the early session.
const earlyTime = 500 * time.Millisecond

// conclude ends the early session of a leg that has answered, and says whether
// it had the first message.
func (l *leg) conclude() (there bool) {
	l.inv.mu.Lock()
	l.over = true
	tried := l.tried
	l.inv.mu.Unlock()
	if tried != nil {
		waited := make(chan struct{})
		limit := l.client.clock.AfterFunc(earlyTime, func() { close(waited) })
		select {
		case <-tried:
		case <-waited:
		case <-l.ctx.Done():
		}
		limit.Stop()
	}
	l.end()
	l.inv.mu.Lock()
	defer l.inv.mu.Unlock()
	return l.there
}
