package client

import (
	"context"
	"net/http"
	"time"

	"presfed/agents/internal/cpim"
	"presfed/agents/internal/message"
	"presfed/agents/internal/resolve"
)

// PageOptions of a message without a session.
type PageOptions struct {
	Envelope
	Expires time.Duration // how long it is worth showing, whole seconds; 0: as long as it takes
}

// Page sends one message without a session (RFC 3428).
func (c *Client) Page(ctx context.Context, target, contentType string, body []byte) error {
	_, err := c.PageWith(ctx, target, contentType, body, PageOptions{})
	return err
}

// PageWith is Page with options. id names the message in notices, which events tell
// of, "" if it asks for none.
func (c *Client) PageWith(ctx context.Context, target, contentType string, body []byte, o PageOptions) (id string, err error) {
	uri, err := resolve.User(target, c.aor.Host)
	if err != nil {
		return "", err
	}
	if o.Needed() {
		if body, id, err = c.wrap(uri, o.Envelope, contentType, body); err != nil {
			return "", err
		}
		contentType = cpim.Type
	}
	c.typing.sending(ctx, message.AOR(uri))
	code, err := c.pageTo(ctx, uri, contentType, body, o.Expires)
	if err != nil {
		return "", err
	}
	c.emit(Event{Type: "sent", Via: "page", Peer: message.AOR(uri), Code: code, MessageID: id})
	return id, nil
}

// pageTo sends a MESSAGE and gives the status of its 2xx.
func (c *Client) pageTo(ctx context.Context, uri message.URI, contentType string, body []byte, expires time.Duration) (status int, err error) {
	req := c.request(message.MESSAGE, uri, message.Address{URI: uri}.String())
	if expires >= time.Second { // RFC 3428 section 4
		message.Add(req, "Expires", seconds(expires))
		message.Add(req, "Date", c.clock.Now().UTC().Format(http.TimeFormat))
	}
	message.SetBody(req, contentType, body)
	res, err := c.do(ctx, req, nil, nil)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, nil
}
