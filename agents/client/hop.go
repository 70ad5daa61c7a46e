package client

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
	"presfed/agents/internal/resolve"
	"presfed/agents/internal/sip"
)

// contact is where this device is reached.
func (c *Client) contact() message.URI {
	transport := "TCP"
	if v, ok := message.URIParam(c.server, "transport"); ok && strings.EqualFold(v, "udp") {
		transport = "UDP"
	}
	at := c.endpoint.Addr(transport)
	host := at.Addr().String()
	if at.Addr().Is6() {
		host = "[" + host + "]"
	}
	u := message.URI{Scheme: "sip", User: c.aor.User, Host: host, Port: int(at.Port())}
	if transport == "TCP" {
		u.UriParams.Add("transport", "tcp")
	}
	return u
}

// targets are the addresses of the server, in the order to try.
func (c *Client) targets(ctx context.Context) ([]sip.Target, error) {
	c.mu.Lock()
	known := c.hops
	c.mu.Unlock()
	if known != nil {
		return known, nil
	}
	list, err := c.resolver.URI(ctx, c.server)
	if err != nil {
		return nil, err
	}
	known = targetsOf(list)
	c.mu.Lock()
	c.hops = known
	c.mu.Unlock()
	return known, nil
}

func targetsOf(list []resolve.Candidate) []sip.Target {
	var to []sip.Target
	for _, cand := range list {
		t := sip.Target{Transport: cand.Transport, Addr: cand.Addr}
		if cand.Transport == "TLS" {
			t.ServerName = cand.Host
		}
		to = append(to, t)
	}
	return to
}

// lookupTime is how long the DNS is asked for the next hop of a dialog.
const lookupTime = 3 * time.Second

// nextHop is where a dialog's requests go. A name that nobody knows belongs to
// the server's own world: the server, as the device's outbound proxy, finds it.
func (c *Client) nextHop(ctx context.Context, d *dialog.Dialog) ([]sip.Target, error) {
	uri, err := d.NextHop()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	to, known := c.found[uri.String()]
	c.mu.Unlock()
	if known {
		return to, nil
	}
	asking, cancel := context.WithTimeout(ctx, lookupTime)
	list, err := c.resolver.URI(asking, uri)
	cancel()
	to = targetsOf(list)
	if err != nil || len(to) == 0 {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		c.log.Debug("next hop by way of the server", "uri", uri.String(), "error", err)
		if to, err = c.targets(ctx); err != nil {
			return nil, err
		}
	}
	if _, err := netip.ParseAddr(strings.Trim(uri.Host, "[]")); err != nil {
		c.mu.Lock()
		if len(c.found) >= maxFound {
			clear(c.found)
		}
		c.found[uri.String()] = to
		c.mu.Unlock()
	}
	return to, nil
}

// maxFound bounds the next hops remembered.
const maxFound = 64
