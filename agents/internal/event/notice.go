package event

import (
	"cmp"
	"errors"
	"strconv"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db/state"
)

// Notice is one NOTIFY, serialised but for the Via that the endpoint puts in.
type Notice struct {
	Resource string
	Watcher  string
	Peer     string      // whose link the subscription lives on
	Hop      message.URI // the next hop: the first of the route set, or the remote target
	Source   sip.Source  // where the watcher's latest SUBSCRIBE came from; zero after a restart

	line, fields []byte // of the head, shared by all NOTIFYs of a subscription
	own          []byte // the fields of this one, with the empty line
	body         []byte
}

// Outcome is how a NOTIFY ended: a final status, or an error (of package sip).
type Outcome struct {
	Status     int
	RetryAfter time.Duration // 0: not given
	Err        error
}

// Bytes is the whole request with that Via on top.
func (n *Notice) Bytes(via string) []byte {
	out := make([]byte, 0, n.size()+len(via)+7)
	out = append(out, n.line...)
	out = append(out, "Via: "...)
	out = append(out, via...)
	out = append(out, '\r', '\n')
	out = append(out, n.fields...)
	out = append(out, n.own...)
	return append(out, n.body...)
}

// size is how many bytes it has without the Via.
func (n *Notice) size() int { return len(n.line) + len(n.fields) + len(n.own) + len(n.body) }

// Send sends it by an endpoint; done hears the outcome and must not block.
func (n *Notice) Send(e *sip.Endpoint, to sip.Target, done func(Outcome)) {
	branch := sip.NewBranch()
	e.SendPrepared(n.Bytes(e.Via(to, branch)), branch, message.NOTIFY, to, func(status int, raw []byte, err error) {
		out := Outcome{Status: status, Err: err}
		if err == nil && status >= 300 { // only then is it worth reading
			if res, perr := message.Parse(raw, message.DefaultLimits); perr == nil {
				out.RetryAfter = message.RetryAfter(res)
			}
		}
		done(out)
	})
}

// head is what the requests of a dialog begin with.
type head struct {
	line, fields []byte
	hop          message.URI
}

// newHead serialises what all requests of that method in a dialog share (RFC
// 3261 section 12.2.1.1).
func newHead(method string, rec *state.Subscription) (head, error) {
	uri, routes := rec.Target, rec.Routes
	var hop message.URI
	if len(routes) > 0 {
		first, err := message.ParseAddress(routes[0])
		if err != nil {
			return head{}, err
		}
		hop = first.URI
		if _, loose := message.URIParam(hop, "lr"); !loose {
			// A strict router wants itself in the Request-URI, the target last.
			uri = hop.String()
			routes = append(append([]string(nil), routes[1:]...), "<"+rec.Target+">")
		}
	} else {
		target, err := message.ParseURI(rec.Target)
		if err != nil {
			return head{}, err
		}
		hop = target
	}
	h := head{line: []byte(method + " " + uri + " SIP/2.0\r\n"), hop: hop}
	put := func(name, value string) {
		h.fields = append(h.fields, name...)
		h.fields = append(h.fields, ": "...)
		h.fields = append(h.fields, value...)
		h.fields = append(h.fields, "\r\n"...)
	}
	for _, r := range routes {
		put("Route", r)
	}
	put("Max-Forwards", "70")
	put("From", rec.LocalAddress)
	put("To", rec.RemoteAddress)
	put("Call-ID", rec.CallID)
	put("Contact", rec.Contact)
	put("Event", Header{Package: rec.Package, ID: rec.EventID}.String())
	for _, f := range rec.Headers {
		put(f.Name, f.Value)
	}
	return h, nil
}

// notice fills in what this NOTIFY alone says.
func (s *Subscription) notice(now time.Time, body Body) *Notice {
	own := make([]byte, 0, 160)
	own = append(own, "CSeq: "...)
	own = strconv.AppendUint(own, uint64(s.cseq), 10)
	own = append(own, " NOTIFY\r\nSubscription-State: "...)
	own = append(own, s.state...)
	switch {
	case s.state != StateTerminated:
		own = append(own, ";expires="...)
		own = append(own, Seconds(s.rec.Expires.Sub(now))...)
	case s.reason != "":
		own = append(own, ";reason="...)
		own = append(own, s.reason...)
		if s.retry > 0 {
			own = append(own, ";retry-after="...)
			own = append(own, Seconds(s.retry)...)
		}
	}
	if len(body.Bytes) > 0 {
		own = append(own, "\r\nContent-Type: "...)
		own = append(own, cmp.Or(body.Type, s.rec.ContentType)...)
	}
	own = append(own, "\r\nContent-Length: "...)
	own = strconv.AppendInt(own, int64(len(body.Bytes)), 10)
	own = append(own, "\r\n\r\n"...)
	return &Notice{
		Resource: s.rec.Resource, Watcher: s.rec.Watcher, Peer: s.rec.Peer, Hop: s.head.hop, Source: s.source,
		line: s.head.line, fields: s.head.fields, own: own, body: body.Bytes,
	}
}

// lost says that the request did not get through: the connection is down, or
// there is no way to the peer.
func (o Outcome) lost() bool {
	return o.Err != nil && !errors.Is(o.Err, sip.ErrTimeout)
}
