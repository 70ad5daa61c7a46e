package sip

import (
	"net/netip"

	"presfed/agents/internal/message"
)

// replyLink is where the responses to a request go (RFC 3261 section 18.2.2,
// RFC 3581 section 4): back where it came from; a datagram without rport to
// the port its Via names, but never to another host.
func (e *Endpoint) replyLink(via message.Via, l link) link {
	switch l := l.(type) {
	case datagram:
		if _, ok := via.Params.Get("rport"); ok {
			return l
		}
		port := via.Port
		if port == 0 {
			port = 5060
		}
		return datagram{l.socket, netip.AddrPortFrom(l.peer.Addr(), uint16(port))}
	case *stream:
		return replyStream{stream: l, via: via}
	}
	return l
}

// replyStream answers down the connection of the request, or down a new one to
// the sender's own port where that connection has gone meanwhile.
type replyStream struct {
	*stream
	via message.Via
}

func (r replyStream) send(b []byte) error {
	err := r.stream.send(b)
	if err == nil {
		return nil
	}
	src := r.source()
	port := r.via.Port
	if port == 0 {
		port = map[string]int{"TCP": 5060, "TLS": 5061}[src.Transport]
	}
	to := Target{Transport: src.Transport, Addr: netip.AddrPortFrom(src.Remote.Addr(), uint16(port))}
	if src.Transport == "TLS" {
		if len(src.Identities) == 0 {
			return err // a client without a certificate cannot be dialled safely
		}
		to.ServerName = src.Identities[0]
	}
	again, lerr := r.endpoint.link(to)
	if lerr != nil {
		return err
	}
	return again.send(b)
}
