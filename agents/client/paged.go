package client

import (
	"net/http"
	"strings"
	"time"

	"presfed/agents/internal/cpim"
	"presfed/agents/internal/imdn"
	"presfed/agents/internal/message"
)

// arrival is a message that has come, or what came as one.
type arrival struct {
	event   Event    // what is known of it apart from its content
	sure    bool     // it is from whom it says
	session *Session // nil: it came without one
	content
}

// paged takes a message (RFC 3428 section 7).
func (c *Client) paged(req *message.Request, reply func(int, ...string)) {
	from, err := message.From(req)
	if err != nil {
		reply(400)
		return
	}
	in := arrival{event: Event{From: message.AOR(from.URI), Via: "page"}, sure: sure(req)}
	body, err := decoded(req)
	if err == nil {
		in.content, err = open(message.Get(req, "Content-Type"), body)
	}
	if err != nil {
		reply(statusOf(err), takenInstead(pageTypes, err)...)
		return
	}
	if expires, ok := message.Seconds(req, "Expires"); ok && c.expired(req, expires) {
		in.event.State = "expired"
	}
	reply(200)
	c.received(in)
}

// expired: a message was under way for longer than it is worth. It is shown, and
// that is said (section 7).
func (c *Client) expired(req *message.Request, seconds uint32) bool {
	sent, err := http.ParseTime(message.Get(req, "Date"))
	return err == nil && c.clock.Now().After(sent.Add(time.Duration(seconds)*time.Second))
}

// received tells of what has come, and answers what it asks for.
func (c *Client) received(in arrival) {
	e := in.event
	switch {
	case in.status != nil:
		c.typing.heard(c, e, *in.status)
		return
	case in.notices != nil:
		for _, n := range in.notices {
			c.told(e, n)
		}
		return
	}
	c.typing.over(e.From)
	e.Type, e.ContentType = "im", message.MediaType(in.contentType)
	if isText(in.contentType) {
		e.Text = string(in.body)
	}
	var asked imdn.Request
	if in.envelope != nil {
		if h, ok := in.envelope.Get(cpim.Space, "Subject"); ok {
			e.Subject = h.Text()
		}
		if asked, _ = imdn.Asked(in.envelope); asked.ID != "" {
			e.MessageID, e.Notify = asked.ID, asked.Kinds
		}
	}
	c.emit(e)
	if asked.ID != "" {
		c.answer(in, asked)
	}
}

// sure says whether the sender of a request is who From says: not anonymous, and
// nobody else as far as the server knows (RFC 3323, RFC 3325).
func sure(req *message.Request) bool {
	from, err := message.From(req)
	if err != nil || message.HasToken(req, "Privacy", "id") {
		return false
	}
	host := strings.ToLower(from.URI.Host)
	if strings.EqualFold(from.URI.User, "anonymous") || host == "invalid" || strings.HasSuffix(host, ".invalid") {
		return false
	}
	asserted, err := message.Addresses(req, "P-Asserted-Identity")
	if err != nil {
		return false
	}
	for _, a := range asserted {
		if message.AOR(a.URI) == message.AOR(from.URI) {
			return true
		}
	}
	return len(asserted) == 0
}
