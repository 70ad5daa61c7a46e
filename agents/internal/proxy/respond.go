package proxy

import (
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// settle is section 16.7 steps 5, 6, 9 and 10 for a branch that got its final
// response.
func (r *Request) settle(b *branch) {
	switch class := b.final.StatusCode / 100; {
	case class == 2:
		if r.msg.Method != message.INVITE && r.finished {
			return // one final response is all that such a transaction has
		}
		r.upstream(b.final)
		r.cancelOthers(b)
		return
	case class == 6:
		r.cancelOthers(b)
	}
	if r.finished {
		return
	}
	var finals []*message.Response
	for _, b := range r.branches {
		if b.final == nil {
			return
		}
		finals = append(finals, b.final)
	}
	res := r.final(finals)
	if res.StatusCode == 408 && r.msg.Method != message.INVITE {
		// RFC 4320 section 4.2: nobody is told 408 but who sent an INVITE. The
		// sender's own transaction ran out before: silence is the answer.
		r.finished = true
		r.tx.Drop()
		return
	}
	r.upstream(res)
}

func (r *Request) cancelOthers(except *branch) {
	for _, b := range r.branches {
		if b != except {
			b.cancel()
		}
	}
}

// final is the response for upstream when no branch brought a 2xx.
func (r *Request) final(finals []*message.Response) *message.Response {
	res := best(finals)
	switch {
	case res.StatusCode == 503:
		// Section 16.7 step 6: a 503 speaks of the next hop, not of us. What it
		// warns of stays, and when to come again.
		away := res
		res = message.NewResponse(r.tx.Request(), 500, "", sip.NewTag())
		for _, name := range []string{"Retry-After", "Warning"} {
			for _, v := range message.Values(away, name) {
				message.Add(res, name, v)
			}
		}
	case res.StatusCode == 401 || res.StatusCode == 407:
		res = gatherChallenges(res, finals)
	}
	return res
}

// upstream hands a response on.
func (r *Request) upstream(res *message.Response) {
	if res.StatusCode >= 200 && !r.finished {
		r.finished = true
		if r.msg.Method == message.INVITE {
			r.proxy.forget(r.tx)
		}
	}
	r.proxy.respond(r.tx, res)
}
