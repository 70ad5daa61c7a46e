package client

import (
	"context"
	"fmt"
	"io"
	"strings"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
	"presfed/agents/internal/sip"
)

// Session is a conversation: an INVITE dialog and the MSRP session that it set
// up. Its methods may be called from any goroutine.
type Session struct {
	*within
	peer  string // address of record
	media *msrp.Session
	wish  msrp.Setup // what our offer said; empty where we answered one

	// The rest is guarded by within's lock.
	state  sessionState
	told   bool              // an event has said that it is there, so another says that it ends
	tx     *sip.ServerTx     // the INVITE while it rings
	offer  *msrp.Description // what the peer offered; nil where the offer is ours
	giveUp clock.Timer       // while it rings
	answer *pendingAnswer    // a 2xx without its ACK
	seq    uint32            // CSeq number of the peer's first INVITE
	ended  chan struct{}
}

type sessionState int

const (
	inviting  sessionState = iota // or ringing
	answering                     // the 200 is being made
	established
	closing
	closed
)

// newSession makes a session with its end for messages.
func (c *Client) newSession(peer string) (*Session, error) {
	s := &Session{within: newWithin(c), peer: peer, ended: make(chan struct{})}
	types := c.cfg.AcceptTypes
	if len(types) == 0 {
		types = []string{"text/plain"}
	}
	var err error
	s.media, err = c.media.NewSession(msrp.SessionConfig{User: c.aor.User, AcceptTypes: types, Accept: s.incoming, OnMessage: s.received})
	return s, err
}

// Peer is the address of record of the other end.
func (s *Session) Peer() string { return s.peer }

// Done is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.ended }

// Established says whether the session was answered and is not over.
func (s *Session) Established() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == established
}

// Send sends a message and returns when the peer has it.
func (s *Session) Send(ctx context.Context, text string) error {
	return s.SendBody(ctx, "text/plain", strings.NewReader(text))
}

// SendBody is Send for any content, read as it goes; it does not close body.
func (s *Session) SendBody(ctx context.Context, contentType string, body io.Reader) error {
	if !s.Established() {
		return ErrClosed
	}
	sent, err := s.media.Send(ctx, contentType, body, msrp.SendOptions{})
	if err != nil {
		return fmt.Errorf("message to %s: %w", s.peer, err)
	}
	s.client.emit(Event{Type: "sent", Peer: s.peer, Via: "session", ContentType: contentType, Size: sent.Size})
	return nil
}

func (s *Session) received(m msrp.Message) { s.tell(m, "") }

// tell tells of a message that came, and where it was saved.
func (s *Session) tell(m msrp.Message, file string) {
	if m.Duplicate {
		return
	}
	e := Event{Type: "im", From: s.peer, Via: "session", State: "established", ContentType: m.ContentType, Size: m.Size, File: file}
	if kind, _, _ := strings.Cut(m.ContentType, "/"); strings.EqualFold(kind, "text") {
		e.Text = string(m.Body)
	}
	s.client.emit(e)
}

// Close ends the session: BYE, or for one that rings here a refusal.
func (s *Session) Close(ctx context.Context) error {
	s.mu.Lock()
	was := s.state
	if was == established {
		s.state = closing
	}
	s.mu.Unlock()
	switch was {
	case inviting:
		return s.Decline(ctx, 603)
	case established:
	default:
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
	s.client.drop(s)
	if told {
		s.client.emit(Event{Type: "closed", Peer: s.peer, Via: "session", Reason: reason})
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
		s.client.emit(Event{Type: "session", Peer: s.peer, State: "established"})
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
	if s.answer != nil {
		s.answer.timer.Stop()
		s.answer = nil
	}
}

func (c *Client) sessionOf(req *message.Request) *Session {
	id, err := dialog.IDOf(req)
	if err != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sessions[id]
}

func (c *Client) keep(s *Session, d *dialog.Dialog) {
	s.mu.Lock()
	s.d = d
	s.mu.Unlock()
	c.mu.Lock()
	c.sessions[d.ID] = s
	c.mu.Unlock()
}

func (c *Client) drop(s *Session) {
	s.mu.Lock()
	d := s.d
	s.mu.Unlock()
	if d == nil {
		return
	}
	c.mu.Lock()
	if c.sessions[d.ID] == s {
		delete(c.sessions, d.ID)
	}
	c.mu.Unlock()
}

// Sessions are those that are not over, ringing ones among them, in no order.
func (c *Client) Sessions() []*Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*Session
	for _, s := range c.sessions {
		all = append(all, s)
	}
	return all
}
