package client

import (
	"context"
	"strconv"
	"time"

	"presfed/agents/internal/message"
)

// Register binds this device's contact for expires and gives what the registrar
// granted (RFC 3261 section 10.2); 0 removes the binding.
func (c *Client) Register(ctx context.Context, expires time.Duration) (granted time.Duration, err error) {
	req := c.request(message.REGISTER, message.URI{Scheme: "sip", Host: c.aor.Host}, message.Address{URI: c.aor}.String())
	contact := message.Address{URI: c.contact()}
	if contact.Params, err = message.ParseParams(c.cfg.Capabilities); err != nil {
		return 0, err
	}
	message.Add(req, "Contact", contact.String())
	message.Add(req, "Expires", seconds(expires))
	res, err := c.do(ctx, req, nil, nil)
	if err != nil {
		return 0, err
	}
	granted = c.grantedTo(res, expires)
	c.emit(Event{Type: "registered", AOR: c.AOR(), Expires: int(granted / time.Second)})
	return granted, nil
}

// grantedTo finds our own contact among those the registrar lists.
func (c *Client) grantedTo(res *message.Response, asked time.Duration) time.Duration {
	own := c.contact()
	contacts, err := message.Addresses(res, "Contact")
	if err != nil {
		return asked
	}
	for _, a := range contacts {
		if a.URI.User != own.User || a.URI.Host != own.Host || a.URI.Port != own.Port {
			continue
		}
		if v, ok := a.Params.Get("expires"); ok {
			if n, err := strconv.ParseUint(v, 10, 32); err == nil {
				return time.Duration(n) * time.Second
			}
		}
	}
	return asked
}
