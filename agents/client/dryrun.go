package client

import (
	"errors"
	"net/netip"
	"strings"

	"presfed/agents/internal/message"
	"presfed/agents/internal/resolve"
	"presfed/agents/internal/sip"
)

// ErrDryRun: the request was shown and not sent.
var ErrDryRun = errors.New("not sent: a dry run")

// Unsent is a request of a dry run.
type Unsent struct {
	Method string
	CallID string
	Raw    []byte // as it would be sent
}

// show gives Config.DryRun the request as it would be sent, if there is one.
// Nothing is resolved for it: the Via is that of the transport the server's URI
// names, or of the first that would be tried.
func (c *Client) show(req *message.Request) error {
	if c.cfg.DryRun == nil {
		return nil
	}
	to := sip.Target{Transport: "UDP", Addr: netip.AddrPortFrom(c.cfg.Bind, 0)}
	if v, ok := message.URIParam(c.server, "transport"); ok {
		to.Transport = strings.ToUpper(v)
	}
	if at, err := netip.ParseAddr(strings.Trim(c.server.Host, "[]")); err == nil && resolve.Literal(c.server) {
		to.Addr = netip.AddrPortFrom(at, 0)
	}
	shown := message.Clone(req)
	message.Prepend(shown, "Via", c.endpoint.Via(to, sip.NewBranch()))
	c.cfg.DryRun(Unsent{shown.Method, message.CallID(shown), message.Bytes(shown)})
	return ErrDryRun
}
