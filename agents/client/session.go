package client

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/file"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
	"presfed/agents/internal/sip"
)

// Session is a conversation: an INVITE dialog and the MSRP session that it set
// up. Its methods may be called from any goroutine.
type Session struct {
	*within
	peer  string // address of record
	sure  bool   // the peer is who the dialog says, as far as anybody has said
	media *msrp.Session
	sends *file.Description // the file that it is for, where that goes out
	takes *download         // where it comes in; both nil: it is for messages
	wish  msrp.Setup        // what our offer said; empty where we answered one
	call  *call             // what began it here; nil where the peer invited us

	// The rest is guarded by within's lock.
	state    sessionState
	told     bool              // an event has said that it is there, so another says that it ends
	early    bool              // there is, or was, an early session
	tx       *sip.ServerTx     // the INVITE while it rings
	progress *progress         // nil: no reliable response was sent
	heard    map[string]bool   // Message-IDs that came before it was established
	offer    *msrp.Description // what the peer offered; nil where the offer is ours
	giveUp   clock.Timer       // while it rings
	answer   *pendingAnswer    // a 2xx without its ACK
	seq      uint32            // CSeq number of the peer's first INVITE
	ended    chan struct{}
}

type sessionState int

const (
	inviting  sessionState = iota // or ringing
	answering                     // the 200 is being made
	established
	closing
	closed
)

// newSession makes a session with its end for messages, or for a file that comes.
func (c *Client) newSession(peer string, secure bool, takes *download) (*Session, error) {
	s := &Session{within: newWithin(c), peer: peer, takes: takes, ended: make(chan struct{})}
	var err error
	if takes != nil {
		s.media, err = takes.media(s, secure)
		return s, err
	}
	s.media, err = c.newMedia(c.media, s, secure)
	return s, err
}

// textPlain is what people say.
const textPlain = "text/plain"

// newMedia is an end for a session's messages, early or not, by TLS or not.
func (c *Client) newMedia(at *msrp.Endpoint, s *Session, secure bool) (*msrp.Session, error) {
	types, wrapped := c.acceptTypes()
	early := at == c.early
	most := int64(0)
	if c.cfg.Save != "" {
		most = c.cfg.MaxFile
	}
	return at.NewSession(msrp.SessionConfig{
		User: c.aor.User, AcceptTypes: types, AcceptWrappedTypes: wrapped, Secure: secure, MaxSize: most,
		Accept:    func(in msrp.Incoming) (msrp.Sink, error) { return s.incoming(in, early) },
		OnMessage: func(m msrp.Message) { s.tell(m, early, "") },
	})
}

// Peer is the address of record of the other end.
func (s *Session) Peer() string { return s.peer }

// ForFile says whether the session is for a file and not for messages.
func (s *Session) ForFile() bool { return s.sends != nil || s.takes != nil }

// via is how events tell it from a session for messages.
func (s *Session) via() string {
	if s.ForFile() {
		return "file"
	}
	return ""
}

// Done is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.ended }

// Established says whether the session was answered and is not over.
func (s *Session) Established() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == established
}

// State is ringing, early (a first message is shown, or can be, before anybody
// has answered), established, or closed.
func (s *Session) State() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state == established:
		return "established"
	case s.state >= closing:
		return "closed"
	case s.early:
		return "early"
	}
	return "ringing"
}

// Calling says whether it is a session that IM began and nobody has answered.
func (s *Session) Calling() bool {
	return s.call != nil && s.State() != "closed" && !s.Established()
}

// Answered waits until a session that IM began is established and its first
// message there. The error is why that will never be; or it is ErrNotAnswered
// with ctx's, and the session goes on calling.
func (s *Session) Answered(ctx context.Context) error {
	if s.call == nil {
		return nil
	}
	select {
	case <-s.call.answered:
		return s.call.err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrNotAnswered, context.Cause(ctx))
	}
}

// Send sends a message and returns when the peer has it.
func (s *Session) Send(ctx context.Context, text string) error {
	return s.SendBody(ctx, textPlain, strings.NewReader(text))
}

// SendBody is Send for any content, read as it goes; it does not close body.
func (s *Session) SendBody(ctx context.Context, contentType string, body io.Reader) error {
	return s.deliver(ctx, contentType, body, "", "")
}

// deliver is SendBody with a Message-ID, "" being a new one, and the ID that notices
// name the message by, "" where it asks for none.
func (s *Session) deliver(ctx context.Context, contentType string, body io.Reader, id, noticeID string) error {
	switch {
	case s.Calling():
		return ErrNotAnswered
	case !s.Established():
		return ErrClosed
	}
	s.client.typing.sending(ctx, s.peer)
	sent, err := s.media.Send(ctx, contentType, body, msrp.SendOptions{MessageID: id})
	if err != nil {
		return fmt.Errorf("message to %s: %w", s.peer, err)
	}
	s.client.emit(Event{Type: "sent", Peer: s.peer, Via: "session", ContentType: contentType, Size: sent.Size, MessageID: noticeID})
	return nil
}

// Close ends the session: BYE, or for one that rings here a refusal, or for one
// that nobody has answered yet a CANCEL.
func (s *Session) Close(ctx context.Context) error {
	s.mu.Lock()
	was := s.state
	if was == established {
		s.state = closing
	}
	s.mu.Unlock()
	switch {
	case was == inviting && s.call != nil:
		s.call.hang(errEnded)
		select {
		case <-s.call.answered:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	case was == inviting:
		return s.Decline(ctx, 603)
	case was != established:
		return nil
	}
	_, err := s.send(ctx, message.BYE, nil)
	s.finish("ended here")
	if refusedWith(err, 481) || refusedWith(err, 408) {
		return nil // RFC 3261 section 12.2.1.2: over on the other side already
	}
	return err
}

// finish ends what is left of the session here; what came in is told first.
func (s *Session) finish(reason string) {
	s.mu.Lock()
	if s.state == closed {
		s.mu.Unlock()
		return
	}
	told := s.told
	s.state = closed
	s.mu.Unlock()
	s.stop()
	s.media.Close()
	<-s.media.Done()
	if p := s.progress; p != nil {
		p.end()
		if p.media != nil {
			<-p.media.Done()
		}
	}
	s.client.drop(s)
	if s.client.talking(s.peer) == nil {
		s.client.typing.ended(s.peer)
	}
	s.takes.close(reason)
	if told {
		s.client.emit(Event{Type: "closed", Peer: s.peer, Via: cmp.Or(s.via(), "session"), Reason: reason})
	}
	close(s.ended)
}

// claim is for who ends the dialog: one only.
func (s *Session) claim() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == closing || s.state == closed {
		return false
	}
	s.state = closing
	return true
}

// begin takes an answered session into use, before its first message can come.
func (s *Session) begin() bool {
	s.mu.Lock()
	ok := s.state == inviting || s.state == answering
	if ok {
		s.state, s.told = established, true
	}
	s.mu.Unlock()
	if ok {
		s.client.emit(Event{Type: "session", Peer: s.peer, Via: s.via(), State: "established"})
		s.client.spawn(s.guard)
	}
	return ok
}

// guard ends the dialog of a session that has lost its connection.
func (s *Session) guard(ctx context.Context) {
	select {
	case <-s.media.Done():
	case <-s.ended:
		return
	}
	if ctx.Err() == nil && s.claim() {
		s.client.log.Info("session lost", "peer", s.peer, "error", s.media.Err())
		s.hangUp(ctx)
		s.finish("connection lost")
	}
}

// hangUp sends a BYE of which nobody waits for the outcome.
func (s *Session) hangUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, renewTime)
	defer cancel()
	if _, err := s.send(ctx, message.BYE, nil); err != nil {
		s.client.log.Info("BYE failed", "peer", s.peer, "error", err)
	}
}

// byed takes the peer's BYE (RFC 3261 section 15.1.2).
func (c *Client) byed(req *message.Request, reply func(int, ...string)) {
	s := c.sessionOf(req)
	if s == nil {
		reply(481)
		return
	}
	s.mu.Lock()
	err := s.d.Receive(req)
	ringing := s.state == inviting && s.tx != nil
	if err == nil && !ringing && s.state != closed {
		s.state = closing
	}
	s.mu.Unlock()
	if err != nil {
		reply(statusOf(err))
		return
	}
	reply(200)
	if ringing {
		s.refuse(487, "ended by the peer")
		return
	}
	c.spawn(func(context.Context) { s.finish("ended by the peer") })
}

// stop lets no timer wake any more.
func (s *Session) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.giveUp != nil {
		s.giveUp.Stop()
	}
	if s.progress != nil {
		s.progress.reliable.Stop()
	}
	if s.answer != nil {
		s.answer.timer.Stop()
		s.answer = nil
	}
}
