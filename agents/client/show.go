package client

import (
	"time"

	"presfed/agents/internal/msrp"
)

// earlySession is our end of one that a device has offered.
type earlySession struct {
	*msrp.Session
	offer *msrp.Description
	role  msrp.Role
}

// take answers an early offer: a session of ours for it, or a refusal where it
// cannot be used or there is nothing to show; nil where there is nothing to
// answer.
func (l *leg) take(text []byte) (begun *earlySession, answer []byte) {
	if text == nil {
		return nil, nil
	}
	c := l.client
	offer, err := msrp.ParseDescription(text)
	l.inv.mu.Lock()
	wanted := l.inv.call.text != "" && !l.early
	l.early = l.early || err == nil
	l.inv.mu.Unlock()
	if err == nil && wanted {
		if begun, answer, err = l.answers(offer); err == nil {
			return begun, answer
		}
	}
	if err != nil {
		c.log.Info("early session refused", "peer", l.inv.call.session.peer, "error", err)
	}
	if answer, err = msrp.Refusal(text, c.cfg.Bind.String()); err != nil {
		c.log.Warn("early offer not answered", "peer", l.inv.call.session.peer, "error", err)
		return nil, nil
	}
	return nil, answer
}

// answers makes our end for an early offer. RFC 6135: we are active where we may,
// for we have the first message.
func (l *leg) answers(offer *msrp.Description) (*earlySession, []byte, error) {
	session, err := l.client.newMedia(l.client.early, l.inv.call.session, offer.Secure)
	if err != nil {
		return nil, nil, err
	}
	ours, err := session.Describe("").Answering(offer, msrp.SetupActive)
	var answer []byte
	if err == nil {
		answer, err = ours.Marshal()
	}
	if err != nil {
		session.Close()
		return nil, nil, err
	}
	role := msrp.RoleOfAnswerer(offer.Setup, ours.Setup)
	if role == msrp.Active {
		role = msrp.ActiveSpeaks
	}
	return &earlySession{session, offer, role}, answer, nil
}

// show sends the first message by an early session, and stays until that ends.
func (l *leg) show(at *earlySession) {
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
	err := l.speak(at)
	close(tried)
	if err != nil {
		l.client.log.Info("first message not shown early", "peer", l.inv.call.session.peer, "error", err)
		return
	}
	<-l.ctx.Done()
}

// speak sends the first message, and tells of it before the call goes on: that
// the session is established comes later.
func (l *leg) speak(at *earlySession) error {
	if err := at.Start(l.ctx, *at.offer, at.role); err != nil {
		return err
	}
	sent, err := at.Send(l.ctx, textPlain, l.inv.call.body(), msrp.SendOptions{MessageID: l.inv.call.id})
	if err != nil {
		return err
	}
	l.inv.mu.Lock()
	l.there = true
	l.inv.mu.Unlock()
	l.inv.call.isShown()
	l.client.emit(Event{Type: "sent", Peer: l.inv.call.session.peer, Via: "session", State: "early", ContentType: textPlain, Size: sent.Size})
	return nil
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
