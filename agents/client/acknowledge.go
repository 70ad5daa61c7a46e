package client

import (
	"cmp"
	"context"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
	"presfed/agents/internal/sip"
)

// pendingAnswer is a 2xx to INVITE that is sent again until its ACK comes,
// whatever the transport (RFC 3261 section 13.3.1.4).
type pendingAnswer struct {
	tx    *sip.ServerTx
	res   *message.Response
	seq   uint32
	every time.Duration
	until time.Time
	timer clock.Timer
	acked chan struct{} // closed by the ACK
}

// answerWith sends the 200 with our description, nil where the peer has it, and
// begins to wait for the ACK.
func (s *Session) answerWith(tx *sip.ServerTx, body []byte) {
	c := s.client
	t1 := cmp.Or(c.cfg.Timers.T1, sip.DefaultTimers.T1)
	cseq, _ := message.CSeqOf(tx.Request())
	s.mu.Lock()
	res := message.NewResponse(tx.Request(), 200, "", s.d.Local)
	message.Add(res, "Contact", message.Address{URI: c.contact()}.String())
	message.Add(res, "Allow", allowed)
	message.Add(res, "Supported", supported)
	if body != nil {
		message.SetBody(res, sdp, body)
	}
	s.d.Confirmed = true
	if s.giveUp != nil {
		s.giveUp.Stop()
	}
	a := &pendingAnswer{tx: tx, res: res, seq: cseq.Seq, every: t1, until: c.clock.Now().Add(64 * t1), acked: make(chan struct{})}
	if s.answer != nil {
		s.answer.timer.Stop()
	}
	s.answer = a
	a.timer = c.clock.AfterFunc(a.every, func() { s.repeat(a) })
	s.mu.Unlock()
	s.respond(tx, res)
}

// repeat sends the 2xx again; after 64*T1 without an ACK the session ends with
// a BYE.
func (s *Session) repeat(a *pendingAnswer) {
	s.mu.Lock()
	if s.answer != a {
		s.mu.Unlock()
		return
	}
	c := s.client
	left := a.until.Sub(c.clock.Now())
	if left > 0 {
		t2 := cmp.Or(c.cfg.Timers.T2, sip.DefaultTimers.T2)
		a.every = min(2*a.every, t2)
		a.timer = c.clock.AfterFunc(min(a.every, left), func() { s.repeat(a) })
	} else {
		s.answer = nil
	}
	s.mu.Unlock()
	if left > 0 {
		s.respond(a.tx, a.res)
		return
	}
	if !s.claim() {
		return
	}
	c.log.Info("no ACK", "peer", s.peer)
	c.spawn(func(ctx context.Context) {
		s.hangUp(ctx)
		s.finish("no ACK")
	})
}

// acknowledged takes the ACK to a 2xx of ours.
func (c *Client) acknowledged(ack *message.Request) {
	s := c.sessionOf(ack)
	cseq, err := message.CSeqOf(ack)
	if s == nil || err != nil {
		return
	}
	s.mu.Lock()
	a := s.answer
	if a == nil || a.seq != cseq.Seq {
		s.mu.Unlock()
		return
	}
	a.timer.Stop()
	s.answer = nil
	close(a.acked)
	late := s.offer == nil && s.wish != "" && s.seq == cseq.Seq
	s.mu.Unlock()
	if !late {
		return
	}
	// The offer was ours, so the answer comes in the ACK.
	body := ack.Body()
	c.spawn(func(ctx context.Context) {
		theirs, err := msrp.ParseDescription(body)
		if err == nil {
			err = s.connect(ctx, theirs, false)
		}
		if err != nil {
			c.log.Info("session not connected", "peer", s.peer, "error", err)
			s.giveUpOn("no usable answer")
		}
	})
}

// unacknowledged: the INVITE's transaction has ended before it was answered,
// for its connection is gone or the device ends.
func (s *Session) unacknowledged(error) {
	s.mu.Lock()
	waiting := s.state == inviting
	s.mu.Unlock()
	if waiting {
		s.client.spawn(func(context.Context) { s.finish("the invitation has ended") })
	}
}

// reinvited takes an INVITE within a dialog. The session stays as it is: an
// offer that keeps the peer's path gets our unchanged answer, another is
// refused (RFC 3261 section 14.2).
func (c *Client) reinvited(tx *sip.ServerTx, reply func(int, ...string)) {
	req := tx.Request()
	s := c.sessionOf(req)
	if s == nil {
		reply(481)
		return
	}
	s.mu.Lock()
	known, pending, live := s.offer, s.answer != nil, s.state == established
	s.mu.Unlock()
	switch {
	case pending:
		reply(500, "Retry-After", "1") // the one before has no ACK yet
		return
	case !live:
		reply(481)
		return
	}
	_, offer, err := offerOf(req)
	if err != nil {
		c.refuseOffer(reply, err)
		return
	}
	if offer == nil || known == nil || offer.Path.String() != known.Path.String() {
		reply(488, "Warning", `399 presfed "a session keeps its path"`)
		return
	}
	s.mu.Lock()
	err = s.d.Receive(req)
	s.mu.Unlock()
	var answer msrp.Description
	if err == nil {
		answer, err = s.media.Describe("").Answering(offer, "")
	}
	var body []byte
	if err == nil {
		body, err = answer.Marshal()
	}
	if err != nil {
		reply(statusOf(err))
		return
	}
	s.answerWith(tx, body)
}
