package proxy

import (
	"strconv"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// Ack passes on an ACK to a 2xx: end to end, without a transaction (sections
// 13.2.2.4 and 16.11), along the dialog's route. What cannot be passed on is
// dropped, for nothing answers an ACK. Nor can one be challenged: the seal for
// its Call-ID is what vouches for it. edit is Target.Edit.
func (p *Proxy) Ack(ack *message.Request, from sip.Source, edit func(copy *message.Request)) {
	hops, ok := maxForwards(ack)
	if ok && hops == 0 {
		return
	}
	if !ok {
		hops = 71
	}
	req := message.Clone(ack)
	route, err := p.takeRoutes(req)
	if err != nil || !route.sealed {
		p.log.Info("ACK not passed on: no seal of ours", "call_id", message.CallID(req), "peer", from.Remote)
		return
	}
	message.Set(req, "Max-Forwards", strconv.Itoa(hops-1))
	if edit != nil {
		edit(req)
	}
	for _, hop := range p.dialogHops(req, route.far.hop) {
		if p.sendAck(req, hop) == nil {
			return
		}
	}
	next, err := nextHop(req)
	if err != nil {
		return
	}
	p.hops.Do(string(message.AppendURI(nil, next)), func(done func()) {
		p.cfg.Resolve(next, func(hops []sip.Target, err error) {
			defer done()
			for _, hop := range hops {
				if err = p.sendAck(req, hop); err == nil {
					return
				}
			}
			p.log.Info("ACK not passed on", "call_id", message.CallID(req), "next", next.String(), "error", err, "peer", from.Remote)
		})
	})
}

func (p *Proxy) sendAck(req *message.Request, hop sip.Target) error {
	return p.cfg.Endpoint.SendStateless(message.Clone(req), hop)
}
