package proxy

import (
	"errors"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// branch is one copy on its way. All of it is used within its request's serial.
type branch struct {
	request  *Request
	target   Target
	user     userHash         // whose device it leads to; zero: a server
	copy     *message.Request // without Via and Record-Route, for each attempt anew
	hop      sip.Target       // of the attempt
	hops     []sip.Target     // still to be tried
	resolved bool             // the resolver has been asked
	tx       *sip.ClientTx
	id       string // branch parameter of the attempt
	taken    bool   // a provisional response came: it is there
	stopped  bool   // CANCELled by us
	timerC   clock.Timer
	final    *message.Response // with our Via taken off; nil: pending
}

// try sends the copy to the next hop there is, or resolves one.
func (b *branch) try() {
	p := b.request.proxy
	if b.stopped {
		b.finish(b.own(487))
		return
	}
	if len(b.hops) > 0 {
		hop := b.hops[0]
		b.hops = b.hops[1:]
		b.send(hop)
		return
	}
	if b.resolved {
		b.finish(b.unreached()) // section 16.9
		return
	}
	b.resolved = true
	next, err := nextHop(b.copy)
	if err != nil {
		b.finish(b.own(400))
		return
	}
	p.hops.Do(string(message.AppendURI(nil, next)), func(done func()) {
		p.cfg.Resolve(next, func(hops []sip.Target, err error) {
			b.request.do(func() {
				if err != nil {
					p.log.Info("next hop not resolved", "call_id", message.CallID(b.copy), "next", next.String(), "error", err)
				}
				b.hops = hops
				b.try()
				done() // not before: what waits behind must be sent behind
			})
		})
	})
}

// send is section 16.6 steps 4 and 8 to 11.
func (b *branch) send(hop sip.Target) {
	p, r := b.request.proxy, b.request
	req := message.Clone(b.copy)
	if MakesDialog(req.Method) {
		r.recordRoute(req, hop, b.user)
	}
	b.hop, b.taken = hop, false
	// An attempt that has ended is silent, but for 2xx: hear never mixes two up.
	b.tx = p.cfg.Endpoint.Send(req, hop, func(res *message.Response, err error) {
		r.do(func() { b.hear(res, err) })
	})
	b.id = branchOf(message.Get(req, "Via"))
	if p.verbose() {
		p.log.Debug("passed on", "call_id", message.CallID(req), "method", req.Method, "uri", req.Recipient.String(), "transport", hop.Transport, "peer", hop.Addr)
	}
	p.loops.put(b.id, r.loop)
	if req.Method == message.INVITE {
		b.armTimerC()
	}
}

func (b *branch) armTimerC() {
	if b.timerC != nil {
		b.timerC.Stop()
	}
	b.timerC = b.request.proxy.clock.AfterFunc(b.request.proxy.cfg.TimerC, func() {
		// Section 16.8: the far end has had its time.
		b.request.do(func() { b.cancel() })
	})
}

// hear takes one response or failure of an attempt (section 16.7).
func (b *branch) hear(res *message.Response, err error) {
	r := b.request
	if b.final != nil {
		// Late and repeated 2xx go upstream each time (section 16.7 step 5).
		if res != nil && res.StatusCode/100 == 2 && r.msg.Method == message.INVITE && b.takes(res) {
			r.upstream(res)
		}
		return
	}
	if err != nil {
		b.failed(err)
		return
	}
	if !b.takes(res) {
		return // step 3: it was meant for us alone
	}
	b.taken = b.taken || res.StatusCode < 200
	switch {
	case res.StatusCode == 100:
	case res.StatusCode < 200:
		if b.timerC != nil {
			b.armTimerC() // step 2
		}
		r.upstream(res)
	case res.StatusCode == 503 && b.elsewhere():
		b.leave()
		b.try() // RFC 3263 section 4.3
	case b.user == (userHash{}) && r.proxy.asksOurs(res):
		b.finish(b.stranger())
	case b.target.Absent && res.StatusCode == 483:
		res.StatusCode, res.Reason = 480, message.Reason(480)
		b.finish(res)
	default:
		b.finish(res)
	}
}

// failed is section 16.9, with failover where a request may still arrive
// elsewhere in time; an INVITE that has been taken may ring already, and must not
// ring twice.
func (b *branch) failed(err error) {
	p := b.request.proxy
	p.log.Info("branch failed", "call_id", message.CallID(b.copy), "method", b.copy.Method, "error", err)
	timeout := errors.Is(err, sip.ErrTimeout)
	b.leave()
	switch {
	case b.stopped:
		b.finish(b.own(487))
	case timeout && (b.taken || b.copy.Method != message.INVITE || !b.more()):
		b.finish(b.own(408))
	case b.taken && b.copy.Method == message.INVITE:
		b.finish(b.unreached())
	default:
		b.try()
	}
}

// elsewhere says that a refused request may go to another of a server's addresses:
// a device is the same one by its connection and by its contact, and what was
// taken may have rung.
func (b *branch) elsewhere() bool {
	return b.user == (userHash{}) && !b.stopped && !(b.taken && b.copy.Method == message.INVITE) && b.more()
}

// more says whether another hop is left to try.
func (b *branch) more() bool { return len(b.hops) > 0 || !b.resolved }

// leave ends the attempt.
func (b *branch) leave() {
	b.request.proxy.loops.remove(b.id)
	if b.timerC != nil {
		b.timerC.Stop()
	}
}

func (b *branch) finish(res *message.Response) {
	b.leave()
	b.final = res
	b.request.settle(b)
}

// cancel asks the far end to give up an INVITE; the branch ends by its final
// response, or by the transaction's time-out. Anything else goes on to whom it
// was meant for (section 9.1).
func (b *branch) cancel() {
	if b.final != nil || b.stopped || b.copy.Method != message.INVITE {
		return
	}
	b.stopped = true
	if b.tx != nil {
		b.tx.Cancel()
	}
}

// takes makes a response one that can go upstream, if it can.
func (b *branch) takes(res *message.Response) bool {
	if !takeVia(res) {
		return false
	}
	if screen := b.request.proxy.cfg.Screen; screen != nil {
		screen(res, b.hop, b.user != (userHash{}), b.request.origin.Peer == "")
	}
	return true
}

// takeVia takes our Via off a response; false where no other is left.
func takeVia(res *message.Response) bool {
	if message.Count(res, "Via") < 2 {
		return false
	}
	message.RemoveFirst(res, "Via")
	return true
}
