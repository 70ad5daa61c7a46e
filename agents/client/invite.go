package client

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"presfed/agents/internal/auth"
	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
	"presfed/agents/internal/resolve"
	"presfed/agents/internal/sip"
)

// IM begins a session with a user and, unless text is empty, sends it as the
// first message: INVITE, ACK, SEND. An ended ctx cancels the INVITE. The error
// of a refusal is a *RefusedError; the session is then over.
func (c *Client) IM(ctx context.Context, target, text string) (*Session, error) {
	uri, err := resolve.User(target, c.aor.Host)
	if err != nil {
		return nil, err
	}
	s, err := c.newSession(message.AOR(uri))
	if err != nil {
		return nil, err
	}
	if err = s.invite(ctx, uri, text != ""); err != nil {
		return nil, err
	}
	if text != "" {
		if err = s.Send(ctx, text); err != nil {
			return nil, errors.Join(err, s.Close(ctx))
		}
	}
	return s, nil
}

func (s *Session) invite(ctx context.Context, uri message.URI, speaks bool) error {
	c := s.client
	s.wish = msrp.SetupActpass
	offer, err := s.media.Describe(s.wish).Marshal()
	if err != nil {
		s.finish("")
		return err
	}
	req := c.request(message.INVITE, uri, message.Address{URI: uri}.String())
	message.Add(req, "Contact", message.Address{URI: c.contact()}.String())
	message.Add(req, "Allow", allowed)
	message.SetBody(req, "application/sdp", offer)
	inv := &invitation{session: s, hung: map[*dialog.Dialog]bool{}}
	res, err := c.do(ctx, req, nil, hears{begin: inv.begin, provisional: s.progress})
	if err != nil {
		inv.abandon()
		s.finish("")
		return err
	}
	return inv.accepted(ctx, res, speaks)
}

// progress tells that it rings.
func (s *Session) progress(res *message.Response) {
	if res.StatusCode == 180 {
		s.client.emit(Event{Type: "session", Peer: s.peer, State: "ringing"})
	}
}

// invitation is one INVITE of ours and all that may answer it: the first 2xx
// is the session, others are acknowledged and ended (RFC 3261 section
// 13.2.2.4), and so is one that comes after we gave up.
type invitation struct {
	session *Session

	mu        sync.Mutex
	won       *dialog.Dialog
	invite    *message.Request // the one that was answered
	acked     bool
	abandoned bool
	hung      map[*dialog.Dialog]bool
}

// begin hears the 2xx to one INVITE, as it was sent.
func (inv *invitation) begin(invite *message.Request) func(*message.Response) {
	fork := dialog.NewFork(invite)
	return func(res *message.Response) {
		c := inv.session.client
		inv.mu.Lock()
		defer inv.mu.Unlock()
		d, _, err := fork.Receive(res)
		switch {
		case err != nil || d == nil:
			c.log.Warn("a 2xx that makes no dialog", "call_id", message.CallID(res), "error", err)
		case inv.won == nil && !inv.abandoned:
			inv.won, inv.invite = d, invite
			c.keep(inv.session, d)
		case inv.won == d:
			if inv.acked { // it came again: our ACK was lost
				now := *d
				c.spawn(func(ctx context.Context) { c.ack(ctx, &now, invite) })
			}
		default:
			inv.end(d, invite)
		}
	}
}

// end acknowledges a 2xx that nobody wants, each time it comes, and sends one
// BYE. The lock is held.
func (inv *invitation) end(d *dialog.Dialog, invite *message.Request) {
	c := inv.session.client
	first := !inv.hung[d]
	inv.hung[d] = true
	own := *d
	c.spawn(func(ctx context.Context) {
		c.ack(ctx, &own, invite)
		if first {
			w := newWithin(c)
			w.d = &own
			(&Session{within: w, peer: inv.session.peer}).hangUp(ctx)
		}
	})
}

// abandon ends what has answered, and whatever still will.
func (inv *invitation) abandon() {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.abandoned = true
	if inv.won != nil {
		inv.end(inv.won, inv.invite)
		inv.won = nil
	}
}

// accepted goes on after the 2xx: ACK, and the MSRP session to whom it names.
func (inv *invitation) accepted(ctx context.Context, res *message.Response, speaks bool) error {
	s := inv.session
	inv.mu.Lock()
	d, invite := inv.won, inv.invite
	inv.acked = true
	inv.mu.Unlock()
	if d == nil {
		s.finish("")
		return fmt.Errorf("INVITE was answered %d without what makes a dialog", res.StatusCode)
	}
	s.mu.Lock()
	now := *d
	s.mu.Unlock()
	err := s.client.ack(ctx, &now, invite)
	var theirs *msrp.Description
	if err == nil {
		theirs, err = msrp.ParseDescription(res.Body())
	}
	if err == nil && !s.begin() {
		err = ErrClosed
	}
	if err == nil {
		err = s.connect(ctx, theirs, speaks)
	}
	if err != nil {
		s.giveUpOn("not connected")
	}
	return err
}

// connect takes the answer to our offer. RFC 4975 section 8.5: we connect,
// unless the answer says otherwise (RFC 6135); our first message does what the
// bodiless SEND would.
func (s *Session) connect(ctx context.Context, theirs *msrp.Description, speaks bool) error {
	role := msrp.RoleOfOfferer(s.wish, theirs.Setup)
	if role == msrp.Active && speaks {
		role = msrp.ActiveSpeaks
	}
	return s.media.Start(ctx, *theirs, role)
}

// giveUpOn ends a dialog that came to nothing.
func (s *Session) giveUpOn(reason string) {
	if s.claim() {
		s.client.spawn(s.hangUp)
	}
	s.finish(reason)
}

// ack acknowledges a 2xx, along the dialog's route set.
func (c *Client) ack(ctx context.Context, d *dialog.Dialog, invite *message.Request) error {
	ack, err := d.Ack(invite)
	if err != nil {
		return err
	}
	to, err := c.nextHop(ctx, d)
	if err != nil {
		return err
	}
	c.sign(ack)
	auth.CopyCredentials(ack, invite) // RFC 3261 section 22.1: it cannot be challenged
	for _, target := range to {
		if err = c.endpoint.SendStateless(message.Clone(ack), target); err == nil {
			return nil
		}
	}
	return errors.Join(sip.ErrTransport, err)
}
