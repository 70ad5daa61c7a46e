package proxy

import (
	"slices"
	"strings"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// own is a final response that stands for one that did not come.
func (b *branch) own(status int) *message.Response {
	return message.NewResponse(b.request.tx.Request(), status, "", sip.NewTag())
}

// warns is own with a Warning about the next hop (RFC 3261 section 20.43).
func (b *branch) warns(status int, what string) *message.Response {
	res := b.own(status)
	if next, err := nextHop(message.Clone(b.copy)); err == nil {
		message.Add(res, "Warning", message.Warning(next.Host+" "+what))
	}
	return res
}

// unreached is a 503 that says which hop could not be reached.
func (b *branch) unreached() *message.Response { return b.warns(503, "cannot be reached") }

// stranger stands for the challenge of a server that takes us for a client.
func (b *branch) stranger() *message.Response {
	b.request.proxy.log.Warn("a server asks for a password: it does not know this server by its certificate",
		"call_id", message.CallID(b.copy), "uri", b.copy.Recipient.String())
	return b.warns(500, "does not know this server")
}

// asksOurs says that a response asks for credentials that are given to us.
func (p *Proxy) asksOurs(res *message.Response) bool {
	if p.cfg.Realm == "" || res.StatusCode != 401 && res.StatusCode != 407 {
		return false
	}
	challenges := append(message.Raw(res, "WWW-Authenticate"), message.Raw(res, "Proxy-Authenticate")...)
	return slices.ContainsFunc(challenges, func(c string) bool { return strings.Contains(c, `realm="`+p.cfg.Realm+`"`) })
}
