package client

import (
	"context"

	"presfed/agents/internal/message"
	"presfed/agents/internal/resolve"
)

// Abilities is what a 200 to OPTIONS tells (RFC 3261 section 11.2).
type Abilities struct {
	Allow, Accept, Supported, AllowEvents []string
	Server                                string
}

// Options asks the server what it can do, or a user's device if target is not
// empty.
func (c *Client) Options(ctx context.Context, target string) (Abilities, error) {
	uri := message.URI{Scheme: "sip", Host: c.aor.Host}
	if target != "" {
		u, err := resolve.User(target, c.aor.Host)
		if err != nil {
			return Abilities{}, err
		}
		uri = u
	}
	req := c.request(message.OPTIONS, uri, message.Address{URI: uri}.String())
	message.Add(req, "Accept", "application/sdp")
	res, err := c.do(ctx, req, nil, nil)
	if err != nil {
		return Abilities{}, err
	}
	return Abilities{
		Allow: message.Values(res, "Allow"), Accept: message.Values(res, "Accept"),
		Supported: message.Values(res, "Supported"), AllowEvents: message.Values(res, "Allow-Events"),
		Server: message.Get(res, "Server"),
	}, nil
}
