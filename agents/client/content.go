package client

import (
	"errors"
	"slices"
	"strings"

	"presfed/agents/internal/composing"
	"presfed/agents/internal/cpim"
	"presfed/agents/internal/imdn"
	"presfed/agents/internal/message"
)

// What messages may be, without a session and within one. Notices come in an
// envelope. COMPAT linphone: and without one.
var (
	pageTypes    = strings.Join([]string{textPlain, cpim.Type, composing.Type, imdn.Type}, ", ")
	sessionTypes = []string{textPlain, cpim.Type, composing.Type}
	wrappedTypes = []string{textPlain, composing.Type, imdn.Type}
)

// acceptTypes are what sessions take, and what they take in an envelope.
func (c *Client) acceptTypes() (types, wrapped []string) {
	if types = c.cfg.AcceptTypes; len(types) == 0 {
		types = sessionTypes
	}
	if slices.Contains(types, cpim.Type) {
		wrapped = wrappedTypes
	}
	return types, wrapped
}

// content is what a message holds, out of its envelope.
type content struct {
	contentType string
	body        []byte
	envelope    *cpim.Message       // nil: it came without one
	status      *composing.Status   // not nil: no message, but that one is being composed
	notices     []imdn.Notification // not nil: no message, but what became of others
}

// open takes a message out of its envelope. The error is a *message.ParseError: 415
// for what is not understood, beside what can be said of it nonetheless.
func open(contentType string, body []byte) (c content, err error) {
	c = content{contentType: contentType, body: body}
	if message.MediaType(contentType) == cpim.Type {
		if err := c.unwrap(); err != nil {
			return c, err
		}
	}
	switch kind := message.MediaType(c.contentType); {
	case kind == composing.Type:
		var s composing.Status
		if s, err = composing.Parse(c.body); err == nil {
			c.status = &s
		}
	case kind == imdn.Type:
		err = c.notice(c.body)
	case kind == "multipart/mixed" && c.envelope != nil:
		err = c.aggregate()
	case !isText(kind):
		return c, foreign(kind)
	}
	return c, malformed(err)
}

func (c *content) unwrap() (err error) {
	if c.envelope, err = cpim.Parse(c.body); err != nil {
		return malformed(err)
	}
	for _, name := range c.envelope.Required() {
		if !slices.Contains(understood, name) {
			return foreign("an envelope that requires " + name)
		}
	}
	c.contentType = c.envelope.Content.Get("Content-Type")
	if c.body, err = c.envelope.Content.Decoded(); err != nil {
		return foreign(err.Error())
	}
	return nil
}

// understood are the headers of envelopes that may be required (RFC 3862 section
// 3.5).
var understood = func() (all []string) {
	for _, name := range []string{"From", "To", "cc", "DateTime", "Subject", "NS", "Require"} {
		all = append(all, cpim.Space+name)
	}
	for _, name := range []string{"Disposition-Notification", "Message-ID", "Original-To", "IMDN-Record-Route", "IMDN-Route"} {
		all = append(all, imdn.Space+name)
	}
	return all
}()

func (c *content) notice(doc []byte) error {
	n, err := imdn.Parse(doc)
	if err == nil {
		c.notices = append(c.notices, n)
	}
	return err
}

// aggregate takes several notices at once (RFC 5438 section 8.3).
func (c *content) aggregate() error {
	parts, err := message.ParseParts(c.contentType, c.body, message.DefaultPartLimits)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p.Type() != imdn.Type {
			return foreign(p.Type() + " among notices")
		}
		if err := c.notice(p.Body); err != nil {
			return err
		}
	}
	return nil
}

// malformed is an error as the peer hears it.
func malformed(err error) error {
	var said *message.ParseError
	if err == nil || errors.As(err, &said) {
		return err
	}
	return &message.ParseError{Status: 400, Where: "body", What: err.Error()}
}

func isText(contentType string) bool {
	return strings.HasPrefix(message.MediaType(contentType), "text/")
}
