package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"

	"presfed/agents/internal/cpim"
	"presfed/agents/internal/imdn"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
	"presfed/agents/internal/resolve"
)

// Envelope has a message sent as message/cpim (RFC 3862).
type Envelope struct {
	CPIM    bool     // in any case; else only if the rest needs it
	Subject string   // empty: none
	Notify  []Notice // what we want to be told of it (RFC 5438)
}

// Needed says whether the message goes in an envelope.
func (v Envelope) Needed() bool { return v.CPIM || v.Subject != "" || len(v.Notify) > 0 }

// newMessageID is one that nobody can guess (RFC 5438 section 6.3).
func newMessageID() string { return rand.Text() }

// wrap puts a message to somebody into an envelope; id names it in notices, "" if
// none is asked for.
func (c *Client) wrap(to message.URI, v Envelope, contentType string, body []byte) (wrapped []byte, id string, err error) {
	m := &cpim.Message{Content: cpim.Content{Fields: []cpim.Field{{Name: "Content-Type", Value: contentType}}, Body: body}}
	if contentType == textPlain {
		m.Content.Fields[0].Value += "; charset=utf-8"
	}
	m.Add("", "From", cpim.Address{URI: message.AOR(c.aor)}.String())
	m.Add("", "To", cpim.Address{URI: message.AOR(to)}.String())
	if v.Subject != "" {
		m.Add("", "Subject", cpim.Escape(v.Subject))
	}
	if len(v.Notify) > 0 {
		id = newMessageID()
		imdn.Ask(m, id, c.clock.Now(), v.Notify...)
		c.notices.expect(id)
	}
	wrapped, err = m.Marshal()
	return wrapped, id, err
}

// SendWrapped is SendBody in an envelope; id names the message in notices, which
// events tell of, "" if it asks for none. The error is also that the peer takes no
// such messages (msrp.ErrType).
func (s *Session) SendWrapped(ctx context.Context, contentType string, body []byte, v Envelope) (id string, err error) {
	to, err := resolve.User(s.peer, "")
	if err != nil {
		return "", err
	}
	wrapped, id, err := s.client.wrap(to, v, contentType, body)
	switch {
	case err != nil:
		return "", err
	case s.Established() && !s.media.TakesWrapped(contentType, cpim.Type):
		return "", fmt.Errorf("message to %s: %w: %s in %s", s.peer, msrp.ErrType, contentType, cpim.Type)
	}
	if err = s.deliver(ctx, cpim.Type, bytes.NewReader(wrapped), "", id); err != nil {
		return "", err
	}
	return id, nil
}

// put sends a message of which nothing is told.
func (s *Session) put(ctx context.Context, contentType string, body []byte) error {
	_, err := s.media.Send(ctx, contentType, bytes.NewReader(body), msrp.SendOptions{})
	return err
}
