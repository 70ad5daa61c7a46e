package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"presfed/agents/internal/auth"
	"presfed/agents/internal/dialog"
	"presfed/agents/internal/file"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
	"presfed/agents/internal/resolve"
	"presfed/agents/internal/sip"
)

// IM begins a session with a user and, unless text is empty, sends it as the
// first message: INVITE, ACK, SEND. Devices that can, show it by an early session
// before anybody has answered (RFC 3959): then IM returns as soon as one does,
// and Session.Answered waits for the rest. Until it returns, an ended ctx cancels
// the INVITE. The error of a refusal is a *RefusedError; the session is then over.
func (c *Client) IM(ctx context.Context, target, text string) (*Session, error) {
	return c.callFor(ctx, target, text, nil)
}

// callFor is IM, for messages or to send a file.
func (c *Client) callFor(ctx context.Context, target, text string, sends *file.Description) (*Session, error) {
	uri, err := resolve.User(target, c.aor.Host)
	if err != nil {
		return nil, err
	}
	s, err := c.newSession(message.AOR(uri), c.cfg.SecureMedia, nil)
	if err != nil {
		return nil, err
	}
	s.sure, s.sends = true, sends // sure: we have called it
	call := newCall(s, text)
	if !c.spawn(func(ctx context.Context) { call.run(ctx, uri) }) {
		s.finish("")
		return nil, ErrClosed
	}
	select {
	case <-call.answered:
	case <-call.shown:
		return s, nil
	case <-ctx.Done():
		call.hang(context.Cause(ctx))
		<-call.answered
	}
	if call.err != nil {
		return nil, call.err
	}
	return s, nil
}

// call is what a session is until somebody has answered our INVITE.
type call struct {
	session *Session
	text    string // the first message; empty: none
	id      string // of it, the same in every session that it goes by

	ctx      context.Context // of all that the call does
	hang     context.CancelCauseFunc
	once     sync.Once
	shown    chan struct{} // closed when a device has shown the first message early
	answered chan struct{} // closed when the session is established and the first message there, or never will be
	err      error         // once answered is closed
}

func newCall(s *Session, text string) *call {
	call := &call{session: s, text: text, id: sip.NewTag(), shown: make(chan struct{}), answered: make(chan struct{})}
	call.ctx, call.hang = context.WithCancelCause(context.Background())
	s.call = call
	s.client.mu.Lock()
	s.client.calls[s] = struct{}{}
	s.client.mu.Unlock()
	return call
}

func (call *call) body() io.Reader { return strings.NewReader(call.text) }

// isShown: a device has shown the first message, the first one that does.
func (call *call) isShown() {
	call.once.Do(func() {
		s := call.session
		s.mu.Lock()
		s.told, s.early = true, true
		s.mu.Unlock()
		s.client.emit(Event{Type: "session", Peer: s.peer, State: "early"})
		close(call.shown)
	})
}

// callTime is how long an INVITE waits for an answer, a little longer than
// proxies let it ring (RFC 3261 section 16.6 step 11).
const callTime = 200 * time.Second

// errUnanswered: callTime is up.
var errUnanswered = fmt.Errorf("nobody has answered within %s: %w", callTime, ErrTimeout)

// run is the call from its INVITE to its end.
func (call *call) run(running context.Context, uri message.URI) {
	s := call.session
	defer call.hang(nil)
	defer context.AfterFunc(running, func() { call.hang(context.Cause(running)) })()
	limit := s.client.clock.AfterFunc(callTime, func() { call.hang(errUnanswered) })
	defer limit.Stop()
	call.err = call.invite(uri)
	if call.err != nil {
		select {
		case <-call.shown: // IM has returned: this is how it is told
			if !errors.Is(call.err, errEnded) {
				s.client.emit(Failed(call.err))
			}
		default:
		}
		s.finish(call.err.Error())
	}
	close(call.answered)
}

func (call *call) invite(uri message.URI) error {
	s := call.session
	c := s.client
	s.wish = msrp.SetupActpass
	described := s.media.Describe(s.wish)
	if s.sends != nil {
		described.File, described.Direction, described.AcceptTypes = s.sends, "sendonly", []string{s.sends.Type}
		described.AcceptWrappedTypes = nil
	}
	offer, err := described.Marshal()
	if err != nil {
		return err
	}
	req := c.request(message.INVITE, uri, message.Address{URI: uri}.String())
	message.Add(req, "Contact", message.Address{URI: c.contact()}.String())
	message.Add(req, "Allow", allowed)
	message.Add(req, "Accept", sdp+", multipart/mixed")
	if call.text != "" {
		message.Add(req, "Supported", supported)
	} else {
		message.Add(req, "Supported", reliable) // there is nothing to show early
	}
	message.SetBody(req, sdp, offer)
	message.Add(req, "Content-Disposition", "session")
	inv := &invitation{call: call, hung: map[*dialog.Dialog]bool{}}
	res, err := c.do(call.ctx, req, nil, inv.begin)
	if err != nil {
		inv.abandon()
		return err
	}
	return inv.accepted(call.ctx, res)
}

// accepted goes on after the 2xx: ACK, and the MSRP session to whom it names.
func (inv *invitation) accepted(ctx context.Context, res *message.Response) error {
	s := inv.call.session
	inv.mu.Lock()
	won, invite := inv.won, inv.invite
	inv.acked = true
	inv.mu.Unlock()
	if won == nil {
		return fmt.Errorf("INVITE was answered %d without what makes a dialog", res.StatusCode)
	}
	s.mu.Lock()
	now := *s.d
	s.mu.Unlock()
	err := s.client.ack(ctx, &now, invite)
	inv.endEarly(won)
	there := won.conclude()
	theirs, derr := inv.description(won, res)
	if err == nil {
		err = derr
	}
	if err == nil && s.sends != nil && theirs.File == nil {
		err = ErrNoFiles
	}
	if err == nil && !s.begin() {
		err = ErrClosed
	}
	speaks := inv.call.text != "" && !there
	if err == nil {
		err = s.connect(ctx, theirs, speaks)
	}
	if err == nil && speaks {
		err = s.deliver(ctx, textPlain, inv.call.body(), inv.call.id, "")
	}
	if err != nil {
		s.giveUpOn(err.Error())
	}
	return err
}

// description is the answer to our offer: the first one that came reliably
// (RFC 3261 section 13.2.1).
func (inv *invitation) description(won *leg, res *message.Response) (*msrp.Description, error) {
	inv.mu.Lock()
	text := won.answer
	inv.mu.Unlock()
	if text == nil {
		theirs, err := descriptionsOf(res)
		if err != nil {
			return nil, fmt.Errorf("the answer: %w", err)
		}
		text = theirs.session
	}
	return msrp.ParseDescription(text)
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

// lastWords is how long the BYE of a session that came to nothing is waited for.
const lastWords = 2 * time.Second

// giveUpOn ends a dialog that came to nothing.
func (s *Session) giveUpOn(reason string) {
	if s.claim() {
		ctx, cancel := context.WithTimeout(s.client.ctx, lastWords)
		s.hangUp(ctx)
		cancel()
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
