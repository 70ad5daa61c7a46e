package client

import (
	"context"

	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
)

// leg is one device that our INVITE has reached: an early dialog, in which its
// reliable responses are acknowledged, and the early session that it offers.
type leg struct {
	*within // the early dialog's requests, counted by a copy of its own
	inv     *invitation
	ctx     context.Context // ends with the early dialog
	end     context.CancelFunc

	// The rest is guarded by the invitation's lock.
	dialog *dialog.Dialog // the fork's
	answer []byte         // the first description that it sent reliably
	before chan struct{}  // closed when the last PRACK so far is answered; nil: there is none
	early  bool           // it has, or had, an early session
	tried  chan struct{}  // closed when it has been sent the first message, or could not be; nil before
	there  bool           // it has the first message
	over   bool           // it has answered: nothing begins early any more
}

// newLeg is called with the invitation's lock held.
func (inv *invitation) newLeg(d *dialog.Dialog) *leg {
	l := &leg{within: newWithin(inv.call.session.client), inv: inv, dialog: d}
	l.ctx, l.end = context.WithCancel(inv.call.ctx)
	own := *d
	l.d = &own
	inv.legs = append(inv.legs, l)
	return l
}

// confirmed is the leg's dialog as its 2xx made it, its CSeq past what the PRACKs
// have used. The invitation's lock is held.
func (l *leg) confirmed() *dialog.Dialog {
	d := *l.dialog
	l.mu.Lock()
	d.LocalSeq = max(d.LocalSeq, l.d.LocalSeq)
	l.mu.Unlock()
	if len(l.turn) == 0 { // one is on its way, and may be challenged yet
		d.LocalSeq += spare
	}
	return &d
}

// owes takes what a reliable response says: the answer to our offer at once, for a
// 2xx may be right behind it, the early offer when the PRACKs before it are answered,
// for they have an order. The invitation's lock is held.
func (l *leg) owes(res *message.Response, owed dialog.RAck) {
	theirs, err := descriptionsOf(res)
	if extensions := unsupported(res); err != nil || len(extensions) > 0 {
		// What it asks for is not understood, so nothing in it is; that it came
		// must be said all the same.
		l.client.log.Warn("a provisional response is acknowledged and not used", "call_id", message.CallID(res), "requires", extensions, "error", err)
		theirs = descriptions{}
	}
	if l.answer == nil {
		l.answer = theirs.session
	}
	before, done := l.before, make(chan struct{})
	l.before = done
	l.client.spawn(func(context.Context) {
		if before != nil {
			<-before
		}
		begun, err := l.acknowledge(owed, theirs.early)
		close(done)
		if begun != nil {
			defer begun.Close()
		}
		switch {
		case err != nil:
			l.client.log.Info("PRACK failed", "call_id", message.CallID(res), "peer", l.inv.call.session.peer, "error", err)
		case begun != nil:
			l.show(begun)
		}
	})
}

// acknowledge sends the PRACK that a response is owed, with the answer to its
// early offer, and gives the early session that this begins; nil: none.
func (l *leg) acknowledge(owed dialog.RAck, offered []byte) (*earlySession, error) {
	begun, answer := l.take(offered)
	_, err := l.send(l.ctx, message.PRACK, func(req *message.Request) {
		message.Add(req, "RAck", owed.String())
		if answer != nil {
			message.SetBody(req, sdp, answer)
			message.Add(req, "Content-Disposition", early)
		}
	})
	return begun, err
}
