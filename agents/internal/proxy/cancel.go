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
	if r != nil { // else it is answered already
		r.giveUp()
	}
}

// Lost gives up every INVITE that a server sent by a connection which is no more:
// to that server its branch has failed, so that who answers now is heard by
// nobody.
func (p *Proxy) Lost(flow sip.Flow) {
	p.mu.Lock()
	var lost []*Request
	for tx, r := range p.invites {
		if r.origin.Peer != "" && tx.Source().Flow == flow {
			lost = append(lost, r)
		}
	}
	p.mu.Unlock()
	for _, r := range lost {
		p.log.Info("given up: the connection to the server that sent it is lost", "call_id", message.CallID(r.tx.Request()), "peer", r.origin.Peer)
		r.giveUp()
	}
}

// giveUp cancels every branch; the final response follows from theirs.
func (r *Request) giveUp() {
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
