package proxy

import (
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// Cancel takes a CANCEL (section 16.10): 200 at once, hop by hop, and every
// branch of the INVITE is given up; the INVITE's own final response follows
// from theirs. A CANCEL for an INVITE that is not known gets 481: there is no
// stateless forwarding here whose INVITE it could be.
func (p *Proxy) Cancel(tx *sip.ServerTx) {
	invite := tx.Invite()
	if invite == nil {
		p.respond(tx, message.NewResponse(tx.Request(), 481, "Call/Transaction Does Not Exist", sip.NewTag()))
		return
	}
	p.respond(tx, message.NewResponse(tx.Request(), 200, "", sip.NewTag()))
	p.mu.Lock()
	r := p.invites[invite]
	p.mu.Unlock()
	if r == nil {
		return // answered already
	}
	r.do(func() {
		if r.finished {
			return
		}
		if !r.started { // nobody has decided yet where it goes
			r.upstream(message.NewResponse(r.tx.Request(), 487, "", sip.NewTag()))
			return
		}
		for _, b := range r.branches {
			b.cancel()
		}
	})
}
