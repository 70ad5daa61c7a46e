package client

import (
	"context"

	"presfed/agents/internal/message"
	"presfed/agents/internal/resolve"
)

// Page sends one message without a session (RFC 3428).
func (c *Client) Page(ctx context.Context, target, contentType string, body []byte) error {
	uri, err := resolve.User(target, c.aor.Host)
	if err != nil {
		return err
	}
	req := c.request(message.MESSAGE, uri, message.Address{URI: uri}.String())
	message.SetBody(req, contentType, body)
	res, err := c.do(ctx, req, nil, nil)
	if err != nil {
		return err
	}
	c.emit(Event{Type: "sent", Via: "page", Peer: message.AOR(uri), Code: res.StatusCode})
	return nil
}
