package sip

import (
	"bytes"
	"errors"

	"presfed/agents/internal/message"
)

// mostDatagram is the largest request that goes by UDP where the path MTU is not
// known, and belowMTU how far below it a request must stay where it is (RFC 3261
// section 18.1.1).
const mostDatagram, belowMTU = 1300, 200

// tooLarge says that a request must go by TCP to the address where it would have
// gone by UDP. That a URI asks for UDP makes no difference: RFC 3263 section 4.1
// has its transport parameter followed as a SHOULD, section 18.1.1 is a MUST.
func (e *Endpoint) tooLarge(raw []byte, to Target) bool {
	most := mostDatagram
	if e.cfg.PathMTU > 0 {
		most = e.cfg.PathMTU - belowMTU
	}
	return to.Transport == "UDP" && len(raw) > most
}

// overTCP is a target and a request on its way by TCP instead of UDP: its top Via
// says so.
func (e *Endpoint) overTCP(raw []byte, branch string, to Target) ([]byte, Target) {
	tcp := to
	tcp.Transport = "TCP"
	return bytes.Replace(raw, []byte(e.Via(to, branch)), []byte(e.Via(tcp, branch)), 1), tcp
}

// byDatagram is what a transaction that went by TCP for its size was made of: it is
// sent so if there is no TCP at that address.
type byDatagram struct {
	bytes []byte
	to    Target
	via   string
}

// enlarge moves a transaction to TCP if its request is too large.
func (tx *ClientTx) enlarge(branch string) {
	if !tx.endpoint.tooLarge(tx.bytes, tx.to) {
		return
	}
	tx.small = &byDatagram{tx.bytes, tx.to, tx.endpoint.Via(tx.to, branch)}
	tx.bytes, tx.to = tx.endpoint.overTCP(tx.bytes, branch, tx.to)
	if tx.req != nil {
		message.SetFirst(tx.req, "Via", tx.endpoint.Via(tx.to, branch))
	}
}

// fallBack sends by UDP after all what no TCP connection could be had for: it was
// refused, or has not come about within 8*T1, as with what drops it in silence.
// False where that is no way out; lost is the link that failed, if one did.
func (tx *ClientTx) fallBack(lost link, err error) bool {
	e := tx.endpoint
	if !errors.Is(err, ErrTransport) || e.ctx.Err() != nil {
		return false
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.small == nil {
		return false
	}
	if tx.fallen && lost != nil && lost != tx.link {
		return true // the same failure, told twice
	}
	old, _ := tx.link.(*stream)
	if tx.state != clientCalling || tx.fallen || old != nil && old.connected() {
		return false
	}
	l, err := e.link(tx.small.to)
	if err != nil {
		return false
	}
	if old != nil {
		old.unwatch(tx)
	}
	tx.fallen, tx.link, tx.bytes, tx.to = true, l, tx.small.bytes, tx.small.to
	if tx.req != nil {
		message.SetFirst(tx.req, "Via", tx.small.via)
	}
	e.log.Info("no TCP for a large request, sent by UDP", "peer", tx.to.Addr, "bytes", len(tx.bytes))
	if tx.resend != nil {
		tx.resend.Stop()
	}
	if tx.end != nil {
		tx.end.Stop()
	}
	tx.arm()
	if err = l.watch(tx); err == nil {
		err = l.send(tx.bytes)
	}
	if err != nil {
		e.later(func() { tx.finish(err) })
	}
	return true
}

// sendLarge sends a request that has no transaction and is too large for UDP.
func (e *Endpoint) sendLarge(raw []byte, branch string, to Target) error {
	byUDP := func() error {
		l, err := e.link(to)
		if err != nil {
			return err
		}
		return l.send(raw)
	}
	large, tcp := e.overTCP(raw, branch, to)
	l, err := e.link(tcp)
	if err != nil {
		return byUDP()
	}
	if c, ok := l.(*stream); ok && !c.otherwise(func() { byUDP() }) {
		return byUDP()
	}
	return l.send(large)
}
