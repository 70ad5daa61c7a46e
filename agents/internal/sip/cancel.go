package sip

import "presfed/agents/internal/message"

// Cancel asks the far end to give up an INVITE (section 9.1): at once if a
// provisional response has come, else when the first one does. The final
// response still comes; if it does not within 64*T1, ErrTimeout does.
func (tx *ClientTx) Cancel() {
	tx.mu.Lock()
	if tx.method != message.INVITE || tx.state >= clientCompleted || tx.cancelled {
		tx.mu.Unlock()
		return
	}
	if tx.state == clientCalling {
		tx.cancelled = true
		tx.mu.Unlock()
		return
	}
	tx.mu.Unlock()
	tx.sendCancel()
}

func (tx *ClientTx) sendCancel() {
	e := tx.endpoint
	tx.mu.Lock()
	invite := tx.req
	if invite == nil { // answered meanwhile
		tx.mu.Unlock()
		return
	}
	if tx.end != nil {
		tx.end.Stop()
	}
	tx.end = e.clock.AfterFunc(64*e.cfg.Timers.T1, func() { tx.fail(ErrTimeout) })
	tx.mu.Unlock()
	req := hopByHop(invite, message.CANCEL, message.Get(invite, "To"))
	c := &ClientTx{endpoint: e, method: message.CANCEL, req: req, bytes: message.Bytes(req), to: tx.to, on: func(*message.Response, error) {}}
	if s, ok := tx.link.(*stream); ok {
		c.to.Flow = s.src.Flow // the same way as the INVITE
	}
	via, _ := message.TopVia(invite)
	c.begin(via.Branch())
}

// ackFor acknowledges a non-2xx (section 17.1.1.3).
func ackFor(invite *message.Request, res *message.Response) *message.Request {
	return hopByHop(invite, message.ACK, message.Get(res, "To"))
}

// hopByHop is a CANCEL or ACK that goes where the INVITE went: its top Via, its
// Route, its Call-ID, From and CSeq number.
func hopByHop(invite *message.Request, method, to string) *message.Request {
	req := message.NewRequest(method, *invite.Recipient.Clone())
	message.Add(req, "Via", message.Get(invite, "Via"))
	for _, r := range message.Raw(invite, "Route") {
		message.Add(req, "Route", r)
	}
	message.Add(req, "Max-Forwards", "70")
	message.Add(req, "From", message.Get(invite, "From"))
	message.Add(req, "To", to)
	message.Add(req, "Call-ID", message.CallID(invite))
	cseq, _ := message.CSeqOf(invite)
	message.Add(req, "CSeq", message.CSeq{Seq: cseq.Seq, Method: method}.String())
	return req
}
