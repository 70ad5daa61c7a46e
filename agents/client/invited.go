package client

import (
	"context"
	"errors"
	"time"

	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
	"presfed/agents/internal/sip"
)

// ringTime is how long an invitation waits for its user.
const ringTime = time.Minute

// invited takes an INVITE (RFC 3261 section 13.3.1).
func (c *Client) invited(tx *sip.ServerTx, reply func(int, ...string)) {
	req := tx.Request()
	from, err := message.From(req)
	if err != nil {
		reply(400)
		return
	}
	if to, err := message.To(req); err != nil || to.Tag() != "" {
		c.reinvited(tx, reply)
		return
	}
	if c.merged(req) {
		reply(482) // section 8.2.2.2
		return
	}
	if message.Has(req, "Accept") && !message.Accepts(req, sdp) {
		reply(406, "Warning", message.Warning("Accept: an answer is "+sdp))
		return
	}
	asked, offer, err := offerOf(req)
	if err != nil {
		c.refuseOffer(reply, err)
		return
	}
	switch c.cfg.Answer {
	case AnswerBusy:
		reply(486)
		return
	case AnswerDecline:
		reply(603)
		return
	}
	secure := c.cfg.SecureMedia
	var takes *download
	if offer != nil {
		secure = offer.Secure
		if takes, err = c.offered(message.AOR(from.URI), offer); err != nil {
			c.refuseFile(reply, message.AOR(from.URI), offer.File, err)
			return
		}
	}
	s, err := c.newSession(message.AOR(from.URI), secure, takes)
	if err != nil {
		takes.close("no session for it")
		c.log.Warn("invitation refused", "peer", message.AOR(from.URI), "error", err)
		reply(486)
		return
	}
	s.sure = sure(req)
	d, err := dialog.UAS(req, sip.NewTag())
	if err == nil && offer != nil {
		_, err = s.media.Describe("").Answering(offer, "")
	}
	tell := func() { s.accept() }
	if err == nil {
		s.tx, s.offer, s.seq = tx, offer, d.RemoteSeq
		if c.cfg.Answer != AnswerAuto && takes == nil {
			// An early offer of the peer's, which nobody should make in an INVITE, would
			// take ours for its answer.
			tell, err = s.ring(tx, d, c.cfg.Answer == AnswerEarly && offer != nil && asked.early == nil && knows(req, reliable) && knows(req, early))
		}
	}
	if err != nil {
		takes.close(err.Error())
	}
	switch {
	case errors.Is(err, msrp.ErrNoCommonType):
		s.media.Close()
		reply(488, "Warning", `305 `+c.cfg.Bind.String()+` "no content type in common"`)
		return
	case err != nil:
		s.media.Close()
		reply(statusOf(err))
		return
	}
	c.keep(s, d)
	tx.OnEnd(func(err error) { s.unacknowledged(err) })
	tell()
}

// merged: the same request came another way (section 8.2.2.2).
func (c *Client) merged(req *message.Request) bool {
	id, err := dialog.IDOf(req)
	cseq, cerr := message.CSeqOf(req)
	if err != nil || cerr != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for known, s := range c.sessions {
		if known.CallID == id.CallID && known.Remote == id.Remote && s.seq == cseq.Seq {
			return true
		}
	}
	return false
}

// offerOf is the MSRP that an INVITE offers, nil where it leaves the offer to us.
func offerOf(req *message.Request) (asked descriptions, offer *msrp.Description, err error) {
	if asked, err = descriptionsOf(req); err == nil && asked.session != nil {
		offer, err = msrp.ParseDescription(asked.session)
	}
	return asked, offer, err
}

// refuseOffer says what is wrong with an offer.
func (c *Client) refuseOffer(reply func(int, ...string), err error) {
	fields := takenInstead(sdp+", multipart/mixed", err)
	status := 488
	var malformed *message.ParseError
	switch {
	case errors.As(err, &malformed):
		status = malformed.Status
	case errors.Is(err, msrp.ErrNotSDP):
		status = 400
	case errors.Is(err, msrp.ErrNotMSRP):
		fields[3] = `304 presfed "no MSRP among the media offered"` // RFC 3261 section 20.43
	}
	reply(status, fields...)
}

// Accept answers a session that rings, and returns when the peer has acknowledged
// the answer: what is sent then comes after the ACK. Where a description is still
// on its way to the peer, it waits for that first. The session is established
// even if ctx ends meanwhile.
func (s *Session) Accept(ctx context.Context) error {
	if s.Calling() {
		return ErrNotAnswered
	}
	if err := s.acknowledged(ctx); err != nil {
		return err
	}
	if !s.accept() {
		return ErrClosed
	}
	s.mu.Lock()
	a, lasts := s.answer, s.state == established
	s.mu.Unlock()
	switch {
	case a == nil && lasts:
		return nil // acknowledged by now
	case a == nil:
		return ErrClosed
	}
	select {
	case <-a.acked:
		return nil
	case <-s.ended:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// accept answers the INVITE with 200.
func (s *Session) accept() bool {
	s.mu.Lock()
	tx, offer, waiting := s.tx, s.offer, s.state == inviting && s.tx != nil
	if waiting {
		s.state = answering // a CANCEL comes too late from now on
	}
	s.mu.Unlock()
	if !waiting {
		return false
	}
	described := s.media.Describe(msrp.SetupActpass)
	if offer == nil {
		s.wish = msrp.SetupActpass
	} else {
		var err error
		if described, err = described.Answering(offer, ""); err == nil {
			err = s.serve(s.media, *offer, msrp.RoleOfAnswerer(offer.Setup, described.Setup))
		}
		if err != nil {
			return s.unable(err)
		}
	}
	body, err := described.Marshal()
	if err != nil {
		return s.unable(err)
	}
	if p := s.progress; p != nil {
		p.end()
		if p.media != nil {
			body = nil // the peer has it (RFC 3261 section 13.2.1)
		}
	}
	if !s.begin() { // the peer has ended it meanwhile
		s.respond(tx, message.NewResponse(tx.Request(), 487, "", ""))
		return false
	}
	s.answerWith(tx, body)
	return true
}

// unable refuses what was about to be accepted.
func (s *Session) unable(err error) bool {
	s.client.log.Warn("session not started", "peer", s.peer, "error", err)
	s.mu.Lock()
	s.state = inviting
	s.mu.Unlock()
	s.refuse(500, "not started")
	return false
}

// serve starts the messages of a session, early or not, that rings here. Where
// it is us who connect, that happens beside.
func (s *Session) serve(media *msrp.Session, theirs msrp.Description, role msrp.Role) error {
	if role == msrp.Passive {
		return media.Start(context.Background(), theirs, role)
	}
	s.client.spawn(func(ctx context.Context) {
		if err := media.Start(ctx, theirs, role); err != nil {
			s.client.log.Info("session not connected", "peer", s.peer, "error", err)
		}
	})
	return nil
}

// Decline refuses a session that rings, with the status that says why.
func (s *Session) Decline(_ context.Context, status int) error {
	if !s.refuse(status, "declined") {
		return ErrClosed
	}
	return nil
}

// refuse ends a session that was not answered; false if it was.
func (s *Session) refuse(status int, reason string) bool {
	s.mu.Lock()
	tx, waiting := s.tx, s.state == inviting && s.tx != nil
	if waiting {
		s.state = closing
	}
	var tag string
	if s.d != nil {
		tag = s.d.Local
	}
	s.mu.Unlock()
	if !waiting {
		return false
	}
	s.stop()
	s.respond(tx, message.NewResponse(tx.Request(), status, "", tag))
	s.client.spawn(func(context.Context) { s.finish(reason) })
	return true
}

// cancelled takes a CANCEL (section 9.2).
func (c *Client) cancelled(tx *sip.ServerTx, reply func(int, ...string)) {
	if tx.Invite() == nil {
		reply(481)
		return
	}
	reply(200)
	for _, s := range c.Sessions() {
		s.mu.Lock()
		same := s.tx == tx.Invite()
		s.mu.Unlock()
		if same {
			s.refuse(487, "cancelled by the peer")
		}
	}
}

func (s *Session) respond(tx *sip.ServerTx, res *message.Response) {
	if err := tx.Respond(res); err != nil {
		s.client.log.Info("response not sent", "call_id", message.CallID(res), "error", err)
	}
}

// statusOf is what tells the peer of an error.
func statusOf(err error) int {
	var malformed *message.ParseError
	if errors.As(err, &malformed) {
		return malformed.Status
	}
	return 500
}
