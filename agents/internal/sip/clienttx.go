package sip

import (
	"slices"
	"sync"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
)

// ClientTx is a client transaction (RFC 3261 section 17.1, RFC 6026).
type ClientTx struct {
	endpoint *Endpoint
	key      string
	method   string
	req      *message.Request // nil for a prepared request
	bytes    []byte
	to       Target
	link     link
	// on hears every response in wire order, each 2xx to INVITE that comes
	// again included, or one error.
	on func(res *message.Response, err error)
	// prepared hears the final status instead.
	prepared func(status int, raw []byte, err error)

	mu        sync.Mutex
	state     clientState
	every     time.Duration // Timer A or E
	until     time.Time     // Timer B or F
	resend    clock.Timer
	end       clock.Timer
	cancelled bool
	ack       []byte
	small     *byDatagram // not nil: it goes by TCP for its size
	fallen    bool        // and had to go by UDP after all
}

type clientState int

const (
	clientCalling    clientState = iota
	clientProceeding             // a provisional response came
	clientCompleted              // a final one, not 2xx to INVITE
	clientAccepted               // 2xx to INVITE (RFC 6026)
	clientEnded
)

// Send starts a client transaction: it puts our Via on top of req, which is
// the endpoint's from then on, and sends it to the target. It does not block
// and always calls on, never before it has returned the transaction's first
// chance to be used: responses on the reader of their connection, errors
// (ErrTimeout, ErrTransport, ErrOverload wrapped) from a goroutine of their own.
func (e *Endpoint) Send(req *message.Request, to Target, on func(res *message.Response, err error)) *ClientTx {
	branch := NewBranch()
	message.Prepend(req, "Via", e.Via(to, branch))
	tx := &ClientTx{endpoint: e, method: req.Method, req: req, bytes: message.Bytes(req), to: to, on: on}
	tx.enlarge(branch)
	tx.begin(branch)
	return tx
}

// SendPrepared sends a request that was serialised before, its top Via with
// branch included; done hears the final status and the response as it came, or
// the error. Not for INVITE.
func (e *Endpoint) SendPrepared(raw []byte, branch, method string, to Target, done func(status int, raw []byte, err error)) {
	tx := &ClientTx{endpoint: e, method: method, bytes: raw, to: to, prepared: done}
	tx.enlarge(branch)
	tx.begin(branch)
}

// SendStateless sends a message without a transaction: the ACK to a 2xx (with
// our Via put on top), or a response (as it is).
func (e *Endpoint) SendStateless(m message.Message, to Target) error {
	_, request := m.(*message.Request)
	branch := NewBranch()
	if request {
		message.Prepend(m, "Via", e.Via(to, branch))
	}
	raw := message.Bytes(m)
	if request && e.tooLarge(raw, to) {
		return e.sendLarge(raw, branch, to)
	}
	l, err := e.link(to)
	if err != nil {
		return err
	}
	return l.send(raw)
}

func (tx *ClientTx) begin(branch string) {
	e := tx.endpoint
	tx.key = clientKey(branch, tx.method)
	if e.clients.count.Load() >= int64(e.cfg.Limits.Transactions) {
		e.later(func() { tx.fail(ErrOverload) })
		return
	}
	e.clients.add(tx.key, tx)
	l, err := e.link(tx.to)
	if err == nil {
		tx.mu.Lock()
		tx.link = l
		tx.arm()
		raw := tx.bytes // they change where it falls back
		tx.mu.Unlock()
		if err = l.watch(tx); err == nil {
			err = l.send(raw)
		}
	}
	if err != nil {
		e.later(func() { tx.lost(l, err) })
	}
}

// later runs f apart from the caller, so that no callback comes from within
// Send; after the end of Run there is nobody left to wait for it.
func (e *Endpoint) later(f func()) {
	if !e.start(f) {
		go f()
	}
}

// arm starts Timers A and B, or E and F, which are one where there are
// retransmissions: a request costs no more of them than it needs.
func (tx *ClientTx) arm() {
	e, t := tx.endpoint, tx.endpoint.cfg.Timers
	if !tx.link.reliable() {
		tx.every, tx.until = t.T1, e.clock.Now().Add(64*t.T1)
		tx.resend = e.clock.AfterFunc(tx.every, tx.retransmit)
		return
	}
	tx.end = e.clock.AfterFunc(64*t.T1, func() { tx.fail(ErrTimeout) })
	if tx.small != nil {
		tx.resend = e.clock.AfterFunc(8*t.T1, func() { tx.fallBack(nil, ErrTransport) })
	}
}

func (tx *ClientTx) retransmit() {
	if !tx.again() {
		tx.fail(ErrTimeout)
	}
}

// again sends the request again, if that is of use; false where its time is up.
func (tx *ClientTx) again() bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	invite := tx.method == message.INVITE
	if tx.state >= clientCompleted || invite && tx.state != clientCalling {
		return true
	}
	left := tx.until.Sub(tx.endpoint.clock.Now())
	if left <= 0 {
		return false
	}
	tx.link.send(tx.bytes)
	tx.every *= 2
	if !invite { // section 17.1.2.2: capped, and at T2 once proceeding
		t2 := tx.endpoint.cfg.Timers.T2
		tx.every = min(tx.every, t2)
		if tx.state == clientProceeding {
			tx.every = t2
		}
	}
	tx.resend = tx.endpoint.clock.AfterFunc(min(tx.every, left), tx.retransmit)
	return true
}

// answeredBy says that what comes by l may be an answer. The branch alone (RFC 3261
// section 17.1.3) is known to all whom the request was passed on to: who proved its
// name when it was asked proves the same when it answers by another connection.
func (tx *ClientTx) answeredBy(l link) bool {
	tx.mu.Lock()
	asked := tx.link
	tx.mu.Unlock()
	if asked == l {
		return true
	}
	s, ok := asked.(*stream)
	if !ok {
		return true
	}
	s.mu.Lock()
	proved := s.src.Identities
	s.mu.Unlock()
	return len(proved) == 0 || slices.ContainsFunc(l.source().Identities, func(name string) bool { return slices.Contains(proved, name) })
}

// raw takes a response to a prepared request before it is parsed; false if the
// transaction wants it parsed.
func (tx *ClientTx) raw(status int, raw []byte) bool {
	tx.mu.Lock()
	prepared := tx.prepared
	first := prepared != nil && tx.advance(status)
	tx.mu.Unlock()
	if status >= 200 && first {
		tx.settled()
		prepared(status, raw, nil)
	}
	return prepared != nil
}

// receive takes a response, on its connection's reader.
func (tx *ClientTx) receive(res *message.Response) {
	tx.mu.Lock()
	if tx.prepared != nil { // what peekResponse could not read, a folded Via for one
		tx.mu.Unlock()
		tx.raw(res.StatusCode, message.Bytes(res))
		return
	}
	on, req := tx.on, tx.req
	tell := tx.advance(res.StatusCode)
	if tx.method == message.INVITE && res.StatusCode >= 300 && tx.state == clientCompleted {
		if tx.ack == nil && req != nil {
			tx.ack = message.Bytes(ackFor(req, res))
		}
		if tx.ack != nil {
			tx.link.send(tx.ack) // section 17.1.1.3; again for each retransmission
		}
	}
	cancel := tell && tx.cancelled && tx.state == clientProceeding && res.StatusCode < 200
	if cancel {
		tx.cancelled = false
	}
	tx.mu.Unlock()
	if cancel {
		tx.sendCancel()
	}
	if !tell {
		return
	}
	if res.StatusCode >= 200 {
		tx.settled()
	}
	on(res, nil)
}

// advance moves the state for a status; false where the layer above has heard
// it already. The lock is held.
func (tx *ClientTx) advance(status int) bool {
	invite := tx.method == message.INVITE
	t := tx.endpoint.cfg.Timers
	switch {
	case tx.state == clientEnded || tx.state == clientCompleted:
		return false
	case tx.state == clientAccepted:
		return status/100 == 2
	case status < 200:
		if tx.state == clientCalling && invite && tx.end != nil { // no Timer B any more: Timer C is the proxy's, ringing the user's
			tx.end.Stop()
		}
		tx.state = clientProceeding
		return true
	}
	if tx.resend != nil {
		tx.resend.Stop()
	}
	if tx.end != nil {
		tx.end.Stop()
	}
	tx.state = clientCompleted
	on := tx.on
	tx.forget()
	switch {
	case invite && status < 300:
		tx.state, tx.on = clientAccepted, on                   // further ones follow
		tx.end = tx.endpoint.clock.AfterFunc(64*t.T1, tx.over) // Timer M
	case tx.link.reliable():
		tx.endpoint.clients.remove(tx.key, tx)
	case invite:
		tx.end = tx.endpoint.clock.AfterFunc(max(32*time.Second, 64*t.T1), tx.over) // Timer D
	default:
		tx.endpoint.heard.add(tx) // Timer K
	}
	return true
}

// forget lets go of what is of no use once a final response is in. The lock is held.
func (tx *ClientTx) forget() {
	tx.req, tx.bytes, tx.small, tx.on, tx.prepared = nil, nil, nil, nil, nil
	tx.resend, tx.end = nil, nil
}

// settled: a final response is in, the connection's end is no news any more.
func (tx *ClientTx) settled() {
	if tx.link != nil {
		tx.link.unwatch(tx)
	}
}

func (tx *ClientTx) over() {
	tx.mu.Lock()
	tx.state = clientEnded
	tx.mu.Unlock()
	tx.endpoint.clients.remove(tx.key, tx)
}

// fail ends the transaction with an error, unless a final response came or there
// is another way to go.
func (tx *ClientTx) fail(err error) { tx.lost(nil, err) }

// lost is fail because of a link.
func (tx *ClientTx) lost(l link, err error) {
	if !tx.fallBack(l, err) {
		tx.finish(err)
	}
}

func (tx *ClientTx) finish(err error) {
	tx.mu.Lock()
	if tx.state >= clientCompleted {
		quiet := tx.state
		tx.state = clientEnded
		if tx.end != nil {
			tx.end.Stop()
		}
		tx.mu.Unlock()
		if quiet != clientEnded {
			tx.endpoint.clients.remove(tx.key, tx)
		}
		return
	}
	tx.state = clientEnded
	if tx.resend != nil {
		tx.resend.Stop()
	}
	if tx.end != nil {
		tx.end.Stop()
	}
	on, prepared := tx.on, tx.prepared
	tx.mu.Unlock()
	tx.endpoint.clients.remove(tx.key, tx)
	tx.settled()
	if prepared != nil {
		prepared(0, nil, err)
		return
	}
	on(nil, err)
}
