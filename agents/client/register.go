package client

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/rlmi"
)

// capabilities are the parameters of the registered Contact (RFC 3840; the
// message tag: RFC 4569).
func (c *Client) capabilities() string {
	return cmp.Or(c.cfg.Capabilities, `;+sip.message;methods="`+strings.ReplaceAll(allowed, " ", "")+`"`)
}

// Register binds this device's contact for expires and gives what the registrar
// granted (RFC 3261 section 10.2); 0 removes the binding.
func (c *Client) Register(ctx context.Context, expires time.Duration) (granted time.Duration, err error) {
	return c.register(ctx, expires, c.cfg.Lengthen)
}

func (c *Client) register(ctx context.Context, expires time.Duration, lengthen bool) (granted time.Duration, err error) {
	req := c.request(message.REGISTER, message.URI{Scheme: "sip", Host: c.aor.Host}, message.Address{URI: c.aor}.String())
	message.Set(req, "Call-ID", c.registerID)
	contact := message.Address{URI: c.contact()}
	if contact.Params, err = message.ParseParams(c.capabilities()); err != nil {
		return 0, err
	}
	message.Add(req, "Contact", contact.String())
	message.Add(req, "Expires", seconds(expires))
	res, err := c.lasting(ctx, req, nil, lengthen)
	if err != nil {
		return 0, err
	}
	granted = c.grantedTo(res, expires)
	c.mu.Lock()
	c.lists = message.HasToken(res, "Supported", rlmi.Extension)
	c.winfo = message.HasToken(res, "Allow-Events", WatchersEvent)
	c.mu.Unlock()
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
	if n, ok := message.Seconds(res, "Expires"); ok && asked > 0 { // RFC 3261 section 10.2.4: for contacts without their own
		return time.Duration(n) * time.Second
	}
	return asked
}

// KeepRegistered registers, and registers again before the binding ends, or
// when the connection to the server has broken, until Close.
func (c *Client) KeepRegistered(ctx context.Context, expires time.Duration) error {
	k := c.newKept("registration", func(ctx context.Context) (time.Duration, error) { return c.register(ctx, expires, true) })
	if err := k.now(ctx); err != nil {
		k.stop()
		return err
	}
	c.mu.Lock()
	old := c.registration
	c.registration = k
	c.mu.Unlock()
	old.stop()
	return nil
}

// unregister removes a binding that is kept.
func (c *Client) unregister(ctx context.Context) error {
	c.mu.Lock()
	k := c.registration
	c.registration = nil
	c.mu.Unlock()
	return k.last(ctx, func(ctx context.Context) error {
		_, err := c.Register(ctx, 0)
		return err
	})
}
