package client

import (
	"cmp"
	"context"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
	"presfed/agents/internal/sip"
)

// progress is the reliable response of a session that rings here, and the early
// session that it offers.
type progress struct {
	reliable *dialog.Reliable
	media    *msrp.Session // nil: a response without a description
	wish     msrp.Setup    // what the early offer said
	acked    chan struct{} // closed when its PRACK has come
	forget   clock.Timer   // of one whose session is over
}

// end is for when the INVITE is answered: nothing is sent again, and an early
// session ends at the 2xx (RFC 3959 section 4). The PRACK may still come.
func (p *progress) end() {
	p.reliable.Stop()
	if p.media != nil {
		p.media.Close()
	}
}

// ring makes ready to tell the peer that its invitation is there: by 183 with an
// early session where that is wanted and the peer knows how, else by 180. tell does
// it, once the session can be found.
func (s *Session) ring(tx *sip.ServerTx, d *dialog.Dialog, wanted bool) (tell func(), err error) {
	c, req := s.client, tx.Request()
	status, state := 180, "ringing"
	var contentType string
	var body []byte
	p := &progress{acked: make(chan struct{})}
	p.reliable, err = dialog.NewReliable(req, dialog.ReliableConfig{
		T1: cmp.Or(c.cfg.Timers.T1, sip.DefaultTimers.T1), Clock: c.clock,
		Send:    func(res *message.Response) { s.respond(tx, res) },
		Expired: func() { s.refuse(504, "no PRACK") },
	})
	if err != nil {
		return nil, err
	}
	if wanted {
		if contentType, body, err = s.foreword(p); err == nil {
			status, state = 183, "early"
		} else {
			c.log.Warn("no early session", "peer", s.peer, "error", err)
		}
	}
	res := message.NewResponse(req, status, "", d.Local)
	message.Add(res, "Contact", message.Address{URI: c.contact()}.String())
	message.Add(res, "Allow", allowed)
	message.Add(res, "Supported", supported)
	if body != nil {
		message.SetBody(res, contentType, body)
	}
	reliably := status == 183 || message.HasToken(req, "Require", reliable)
	s.told, s.early = true, status == 183
	if reliably {
		s.progress = p
	}
	s.giveUp = c.clock.AfterFunc(ringTime, func() { s.refuse(480, "nobody answered") })
	return func() {
		c.emit(Event{Type: "session", Peer: s.peer, State: state})
		switch {
		case reliably && s.offer == nil: // it would have to hold our offer (section 5); nothing says that it must be sent
		case reliably:
			p.reliable.Send(res)
		default:
			s.respond(tx, res)
		}
	}, nil
}

// foreword is the body of a 183: the answer to the peer's offer, and an offer of
// ours for an early session, each of an address of its own.
func (s *Session) foreword(p *progress) (contentType string, body []byte, err error) {
	answer, err := s.media.Describe("").Answering(s.offer, "")
	if err != nil {
		return "", nil, err
	}
	ours, err := answer.Marshal()
	if err != nil {
		return "", nil, err
	}
	if p.media, err = s.client.newMedia(s.client.early, s, s.offer.Secure); err != nil {
		return "", nil, err
	}
	p.wish = msrp.SetupActpass
	offer, err := p.media.Describe(p.wish).Marshal()
	if err == nil {
		contentType, body, err = message.WriteParts([]message.Part{
			message.NewPart(ours, "Content-Type", sdp, "Content-Disposition", "session"),
			message.NewPart(offer, "Content-Type", sdp, "Content-Disposition", early),
		}, "mixed", nil)
	}
	if err != nil {
		p.media.Close()
		p.media = nil
	}
	return contentType, body, err
}

// pracked takes a PRACK (RFC 3262 section 3). One that matches gets a 200,
// whatever its body says.
func (c *Client) pracked(tx *sip.ServerTx, reply func(int, ...string)) {
	req := tx.Request()
	s := c.sessionOf(req)
	if s == nil {
		c.prackedLate(req, reply)
		return
	}
	s.mu.Lock()
	p := s.progress
	err := s.d.Receive(req)
	s.mu.Unlock()
	if err == nil && p == nil {
		reply(481)
		return
	}
	if err == nil {
		err = p.reliable.Acknowledge(req)
	}
	if err != nil {
		c.log.Info("PRACK refused", "call_id", message.CallID(req), "error", err)
		reply(statusOf(err), "Warning", message.Warning(err.Error()))
		return
	}
	theirs, err := descriptionsOf(req)
	if err != nil {
		c.log.Info("body of a PRACK not used", "call_id", message.CallID(req), "error", err)
	}
	res := message.NewResponse(req, 200, "", "")
	if theirs.session != nil {
		s.reoffered(res, theirs.session)
	}
	s.respond(tx, res)
	if p.media != nil {
		s.foretold(p, theirs.early)
	}
	close(p.acked)
}

// awaitPrack keeps a reliable response that was overtaken by a refusal for as long
// as its PRACK may be on its way. The client's lock is held.
func (c *Client) awaitPrack(id dialog.ID, p *progress) {
	if c.ended || p == nil || !p.reliable.Pending() {
		return
	}
	c.owed[id] = p
	p.forget = c.clock.AfterFunc(64*cmp.Or(c.cfg.Timers.T1, sip.DefaultTimers.T1), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.owed, id)
	})
}

// prackedLate takes a PRACK for a session that is over, or that never was.
func (c *Client) prackedLate(req *message.Request, reply func(int, ...string)) {
	id, err := dialog.IDOf(req)
	c.mu.Lock()
	p := c.owed[id]
	c.mu.Unlock()
	if err == nil && p != nil {
		err = p.reliable.Acknowledge(req)
	}
	switch {
	case err != nil:
		reply(statusOf(err), "Warning", message.Warning(err.Error()))
	case p == nil:
		reply(481)
	default:
		reply(200)
	}
}

// reoffered answers an offer in a PRACK in its 200 (section 5). The session
// stays as it is, so that another path is refused.
func (s *Session) reoffered(res *message.Response, text []byte) {
	offer, err := msrp.ParseDescription(text)
	var answer []byte
	if err == nil && s.offer != nil && offer.Path.String() == s.offer.Path.String() {
		var same msrp.Description
		if same, err = s.media.Describe("").Answering(offer, ""); err == nil {
			answer, err = same.Marshal()
		}
	} else {
		answer, err = msrp.Refusal(text, s.client.cfg.Bind.String())
	}
	if err != nil {
		s.client.log.Info("offer in a PRACK not answered", "peer", s.peer, "error", err)
		return
	}
	message.SetBody(res, sdp, answer)
}

// foretold starts the early session by its answer. Without one there is none.
func (s *Session) foretold(p *progress, text []byte) {
	theirs, err := msrp.ParseDescription(text)
	if err == nil {
		err = s.serve(p.media, *theirs, msrp.RoleOfOfferer(p.wish, theirs.Setup))
	}
	if err != nil {
		s.client.log.Info("no early session", "peer", s.peer, "error", err)
		p.media.Close()
	}
}

// acknowledged waits until the peer has what a 2xx has to wait for: a reliable
// response with a description (section 5).
func (s *Session) acknowledged(ctx context.Context) error {
	s.mu.Lock()
	p := s.progress
	s.mu.Unlock()
	if p == nil || p.media == nil {
		return nil
	}
	select {
	case <-p.acked:
		return nil
	case <-s.ended:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
