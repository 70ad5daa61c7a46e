package proxy

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// Request is a request that is being proxied, with the responses of its
// branches: the response context of RFC 3261 section 16.
type Request struct {
	proxy   *Proxy
	tx      *sip.ServerTx
	msg     *message.Request // after Route preprocessing; the last branch makes it its own
	loop    uint64           // the loop-detection value of what came in
	breadth int
	origin  Origin
	sender  userHash // of the client it came from; zero: a server's
	route   route    // what our own Routes in it said

	serial   // guards what follows
	started  bool
	finished bool // a final response went upstream
	branches []*branch
}

// Origin is who handed us a request: a server, or a client for one user.
type Origin struct {
	Peer string // the server; "" for a client
	User string // the address of record that a client proved to be
}

// Begin checks a request (section 16.3) and takes our own Routes out (section
// 16.4). It answers what it refuses and gives nil then.
func (p *Proxy) Begin(tx *sip.ServerTx, origin Origin) *Request {
	req := tx.Request()
	loop := loopValue(req, cmp.Or(origin.Peer, "client"))
	if res := p.check(req, loop); res != nil {
		p.respond(tx, res)
		return nil
	}
	r := &Request{proxy: p, tx: tx, msg: message.Clone(req), loop: loop, breadth: breadthOf(req), origin: origin}
	if origin.Peer == "" {
		r.sender = hashUser(origin.User)
	}
	var err error
	if r.route, err = p.takeRoutes(r.msg); err != nil {
		p.respond(tx, message.NewResponse(req, 400, "", sip.NewTag()))
		return nil
	}
	if req.Method == message.INVITE {
		if !p.keep(tx, r) {
			res := message.NewResponse(req, 403, "Too many calls", sip.NewTag())
			message.Add(res, "Warning", message.Warning(fmt.Sprintf("more than %d INVITEs under way; cancel one, or wait for its answer", p.cfg.Invites)))
			p.respond(tx, res)
			return nil
		}
		tx.OnEnd(func(error) { p.forget(tx) })
		// Section 16.2: a fork may take its time, the client must not retransmit.
		p.respond(tx, message.NewResponse(req, 100, "", ""))
	}
	return r
}

// keep remembers an INVITE, unless its user has too many already.
func (p *Proxy) keep(tx *sip.ServerTx, r *Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.sender != (userHash{}) {
		if p.callers[r.sender] >= p.cfg.Invites {
			return false
		}
		p.callers[r.sender]++
	}
	p.invites[tx] = r
	return true
}

func (p *Proxy) forget(tx *sip.ServerTx) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.invites[tx]; r != nil && r.sender != (userHash{}) {
		if p.callers[r.sender]--; p.callers[r.sender] == 0 {
			delete(p.callers, r.sender)
		}
	}
	delete(p.invites, tx)
}

// Message is the request after Route preprocessing, to be read until Forward or Relay.
func (r *Request) Message() *message.Request { return r.msg }

// ToClient says whether our Routes lead the request to a client's device rather
// than to a server.
func (r *Request) ToClient() bool { return r.route.far.user != (userHash{}) }

// Source is where it came from.
func (r *Request) Source() sip.Source { return r.tx.Source() }

// Refuse answers with a final response of our own, with fields given as name and
// value in turn.
func (r *Request) Refuse(status int, reason string, fields ...string) {
	res := message.NewResponse(r.tx.Request(), status, reason, sip.NewTag())
	for i := 0; i+1 < len(fields); i += 2 {
		message.Add(res, fields[i], fields[i+1])
	}
	r.Answer(res)
}

// Answer is Refuse with a response made by the caller from the transaction's
// request.
func (r *Request) Answer(res *message.Response) {
	r.do(func() {
		if !r.started && !r.finished {
			r.started = true
			r.upstream(res)
		}
	})
}

// check is section 16.3; nil lets the request pass.
func (p *Proxy) check(req *message.Request, loop uint64) *message.Response {
	refuse := func(status int) *message.Response { return message.NewResponse(req, status, "", sip.NewTag()) }
	if req.Recipient.Scheme != "sip" && req.Recipient.Scheme != "sips" {
		return refuse(416)
	}
	if p.loops.seen(req, loop) {
		return refuse(482)
	}
	if extensions := message.Values(req, "Proxy-Require"); len(extensions) > 0 {
		res := refuse(420)
		message.Add(res, "Unsupported", strings.Join(extensions, ", "))
		return res
	}
	return nil
}

// maxForwards reads the field; the endpoint has refused a malformed one.
func maxForwards(req *message.Request) (hops int, ok bool) {
	hops, err := strconv.Atoi(message.Get(req, "Max-Forwards"))
	return hops, err == nil
}

// takeRoutes is section 16.4 on a copy of ours: a strict router's rewriting is
// undone, and the Routes on top that name us are taken out, both of a doubled
// Record-Route. One that bears no seal of ours for this dialog says nothing.
func (p *Proxy) takeRoutes(req *message.Request) (found route, err error) {
	routes := message.Values(req, "Route")
	callID := message.CallID(req)
	read := func(uri message.URI) {
		e, ok := p.sealed(uri, callID)
		if !ok {
			return
		}
		if !found.sealed {
			found.near, found.nearSeal = e, uri.User
		}
		found.far, found.farSeal, found.sealed = e, uri.User, true
	}
	if len(routes) > 0 && p.recorded(req.Recipient) {
		last, err := message.ParseAddress(routes[len(routes)-1])
		if err != nil {
			return found, err
		}
		read(req.Recipient)
		req.Recipient, routes = last.URI, routes[:len(routes)-1]
	}
	for len(routes) > 0 {
		first, err := message.ParseAddress(routes[0])
		if err != nil {
			return found, err
		}
		if !p.cfg.Own(first.URI) {
			break
		}
		read(first.URI)
		routes = routes[1:]
	}
	setRoutes(req, routes)
	return found, nil
}

// Sealed says whether a request is one within a dialog whose path we are on.
func (p *Proxy) Sealed(req *message.Request) bool {
	found, err := p.takeRoutes(message.Clone(req))
	return err == nil && found.sealed
}

// route is what our own Routes in a request said.
type route struct {
	near, far         end // of the dialog: where it comes from, and where it leads
	nearSeal, farSeal string
	sealed            bool // at least one bore the dialog's seal
}

// seal is the one that stood in the request for that end; "" where none did.
func (r *route) seal(e end) string {
	switch {
	case !r.sealed:
		return ""
	case e.says(r.near):
		return r.nearSeal
	case e.says(r.far):
		return r.farSeal
	}
	return ""
}

// recorded knows our own Record-Route in a Request-URI, where a strict router
// has put it.
func (p *Proxy) recorded(uri message.URI) bool {
	_, lr := message.URIParam(uri, "lr")
	return lr && p.cfg.Own(uri)
}

func setRoutes(req *message.Request, routes []string) {
	message.Remove(req, "Route")
	message.Lead(req, "Route", routes...)
}

func (p *Proxy) respond(tx *sip.ServerTx, res *message.Response) {
	if p.verbose() {
		p.log.Debug("answered", "call_id", message.CallID(res), "status", res.StatusCode, "method", tx.Request().Method)
	}
	if err := tx.Respond(res); err != nil {
		p.log.Info("response not sent", "call_id", message.CallID(res), "status", res.StatusCode, "error", err)
	}
}
