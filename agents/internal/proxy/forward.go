package proxy

import (
	"cmp"
	"strconv"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// Target is where one branch goes.
type Target struct {
	URI message.URI // the Request-URI of the copy
	// Route is put on top of the copy, the next hop first, name-addr values: a
	// Route to a root, or the Path of a binding (RFC 3327).
	Route []string
	// Hop is the connection or address to use, tried before anything is
	// resolved; zero: what Route or URI resolve to.
	Hop sip.Target
	// Absent has a server answer as it would if the user had no device there: the
	// request ends at it, and its 483 is a 480.
	Absent bool
	// User is the address of record whose device this is; "": it is a server.
	User string
	// Edit has the last word on the copy's fields, such as P-Asserted-Identity;
	// nil leaves it. Via, Route and Record-Route are not its business.
	Edit func(copy *message.Request)
}

// Forward sends the request to every target at once (section 16.6). Without
// targets it answers 480. Routes that the sender left in the request beyond
// ours are dropped: where a user is found is for the targets to say.
func (r *Request) Forward(targets ...Target) {
	r.do(func() { r.start(targets, false) })
}

// Relay sends a request within a dialog where its own Route and Request-URI
// lead. Anybody can write a To tag and a Route, so that only the seal in our own
// Record-Route shows that the dialog came this way, 481 otherwise, and whose it
// is on the side it comes from: 403 to everybody else.
func (r *Request) Relay(edit func(copy *message.Request)) {
	if !r.route.sealed {
		r.Refuse(481, "")
		return
	}
	if r.sender != r.route.near.user {
		r.proxy.log.Info("refused: somebody else's dialog", "call_id", message.CallID(r.msg), "method", r.msg.Method,
			"sender", cmp.Or(r.origin.Peer, r.origin.User))
		r.Refuse(403, "")
		return
	}
	r.do(func() {
		t := Target{URI: r.msg.Recipient, Edit: edit}
		r.start([]Target{t}, true)
	})
}

func (r *Request) start(targets []Target, keepRoutes bool) {
	if r.started || r.finished {
		return
	}
	r.started = true
	breadths := shares(r.breadth, len(targets))
	switch {
	case len(targets) == 0:
		r.upstream(message.NewResponse(r.tx.Request(), 480, "", sip.NewTag()))
		return
	case r.spent(): // section 16.3 step 3: not before it is known that there is anywhere to go
		r.upstream(message.NewResponse(r.tx.Request(), 483, "", sip.NewTag()))
		return
	case breadths == nil:
		r.upstream(message.NewResponse(r.tx.Request(), 440, "", sip.NewTag()))
		return
	}
	for i, t := range targets {
		b := &branch{request: r, target: t, user: hashUser(t.User)}
		if keepRoutes {
			b.user = r.route.far.user
		}
		b.copy = r.msg
		if i < len(targets)-1 {
			b.copy = message.Clone(r.msg)
		}
		r.address(b.copy, t, breadths[i], keepRoutes)
		switch {
		case t.Hop != (sip.Target{}):
			b.hops = []sip.Target{t.Hop}
		case keepRoutes:
			b.hops = r.proxy.dialogHops(b.copy, r.route.far.hop)
		}
		r.branches = append(r.branches, b)
	}
	for _, b := range r.branches {
		b.try()
	}
}

// spent says that the request may go no further.
func (r *Request) spent() bool {
	hops, ok := maxForwards(r.msg)
	return ok && hops == 0
}

// address is section 16.6 steps 2, 3, 5 and 6 on a copy. Record-Route and Via wait
// until the hop is known.
func (r *Request) address(req *message.Request, t Target, breadth int, keepRoutes bool) {
	req.Recipient = *t.URI.Clone()
	req.Recipient.Headers = nil // section 19.1.1: not in a Request-URI
	hops, ok := maxForwards(req)
	if !ok {
		hops = 71 // step 3: the field is added with 70
	}
	if t.Absent {
		hops = 1
	}
	message.Set(req, "Max-Forwards", strconv.Itoa(hops-1))
	message.Set(req, "Max-Breadth", strconv.Itoa(breadth))
	if !keepRoutes {
		setRoutes(req, t.Route)
	}
	if t.Edit != nil {
		t.Edit(req)
	}
}

// dialogHops is what a request within a dialog tries before anything is
// resolved, once no Route is left: the connection that the device uses now,
// then the one it used when the dialog began.
func (p *Proxy) dialogHops(req *message.Request, routed sip.Target) []sip.Target {
	if message.Has(req, "Route") {
		return nil
	}
	var out []sip.Target
	if p.cfg.Live != nil {
		if hop, ok := p.cfg.Live(req); ok {
			out = append(out, hop)
		}
	}
	if routed.Flow != 0 && (len(out) == 0 || out[0].Flow != routed.Flow) {
		out = append(out, routed)
	}
	return out
}

// nextHop is section 16.6 steps 6 and 7: the URI that the copy is sent to. A
// strict router gets the request in the way it expects.
func nextHop(req *message.Request) (message.URI, error) {
	routes := message.Values(req, "Route")
	if len(routes) == 0 {
		return req.Recipient, nil
	}
	first, err := message.ParseAddress(routes[0])
	if err != nil {
		return message.URI{}, err
	}
	if _, loose := message.URIParam(first.URI, "lr"); !loose {
		target := "<" + req.Recipient.String() + ">"
		setRoutes(req, append(routes[1:], target))
		req.Recipient = *first.URI.Clone()
	}
	return first.URI, nil
}
