package sip

import (
	"sync"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
)

// ServerTx is a server transaction (RFC 3261 section 17.2, RFC 6026). The
// layer above answers with Respond, from any goroutine, whenever it can.
type ServerTx struct {
	endpoint *Endpoint
	key      string
	req      *message.Request
	src      Source
	link     link
	invite   *ServerTx

	mu     sync.Mutex
	state  serverState
	last   []byte // the latest response, for retransmissions
	status int
	every  time.Duration // Timer G
	resend clock.Timer
	end    clock.Timer
	onEnd  []func(error)
	ended  bool
	queued bool
	err    error
}

type serverState int

const (
	serverTrying     serverState = iota
	serverProceeding             // a provisional response was sent
	serverCompleted              // a final one, not 2xx to INVITE
	serverConfirmed              // its ACK came
	serverAccepted               // 2xx to INVITE (RFC 6026)
)

func newServerTx(e *Endpoint, key string, req *message.Request, src Source, l link) *ServerTx {
	return &ServerTx{endpoint: e, key: key, req: req, src: src, link: l}
}

// start arms the 100 that an INVITE must get within 200 ms (section 17.2.1).
func (tx *ServerTx) start() {
	if tx.req.Method != message.INVITE {
		return
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.resend = tx.endpoint.clock.AfterFunc(200*time.Millisecond, func() {
		tx.mu.Lock()
		defer tx.mu.Unlock()
		if tx.state == serverTrying && !tx.ended {
			tx.state, tx.status = serverProceeding, 100
			tx.last = message.Bytes(message.NewResponse(tx.req, 100, "", ""))
			tx.link.send(tx.last)
		}
	})
}

// Request is what came in. It must not be changed.
func (tx *ServerTx) Request() *message.Request { return tx.req }

// Source is where it came from.
func (tx *ServerTx) Source() Source { return tx.src }

// Invite is the transaction that a CANCEL is about; nil if there is none.
func (tx *ServerTx) Invite() *ServerTx { return tx.invite }

// OnEnd has f called once when the transaction is over: with nil, or with
// ErrTimeout where the ACK to a final response never came.
func (tx *ServerTx) OnEnd(f func(error)) {
	tx.mu.Lock()
	if !tx.ended {
		tx.onEnd = append(tx.onEnd, f)
		tx.mu.Unlock()
		return
	}
	err := tx.err
	tx.mu.Unlock()
	f(err)
}

// Answered is the status of the latest response, 0 before the first.
func (tx *ServerTx) Answered() int {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.status
}

// Queued says that the answer waits for this server's own work and for nobody
// else: by how long such answers take, overload is known (Limits.Delay).
func (tx *ServerTx) Queued() {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if !tx.ended && !tx.queued && tx.state < serverCompleted {
		tx.queued = true
		tx.endpoint.pressure.enter(tx.endpoint.clock.Now())
	}
}

// unqueue is Queued's end. tx.mu is held.
func (tx *ServerTx) unqueue() {
	if tx.queued {
		tx.queued = false
		tx.endpoint.pressure.leave(tx.endpoint.clock.Now())
	}
}

// Respond sends a response: provisional ones, then one final; after a 2xx to
// INVITE further 2xx. It does not block. What comes after a final response is
// dropped; an error says that the response could not be handed to the socket.
func (tx *ServerTx) Respond(res *message.Response) error {
	return tx.RespondBytes(res.StatusCode, message.Bytes(res))
}

// RespondBytes is Respond with a response serialised before.
func (tx *ServerTx) RespondBytes(status int, raw []byte) error {
	tx.mu.Lock()
	if tx.ended || tx.state == serverCompleted || tx.state == serverConfirmed ||
		tx.state == serverAccepted && status/100 != 2 {
		tx.mu.Unlock()
		return nil
	}
	invite := tx.req.Method == message.INVITE
	first := tx.state < serverCompleted
	tx.last, tx.status = raw, status
	err := tx.link.send(raw)
	if tx.resend != nil {
		tx.resend.Stop()
	}
	if status >= 200 {
		tx.unqueue()
	}
	if r, ok := tx.link.(replyStream); ok && status/100 == 2 && tx.req.Method != message.OPTIONS {
		r.known.Store(true)
	}
	var over bool
	t := tx.endpoint.cfg.Timers
	switch {
	case status < 200:
		tx.state = serverProceeding
	case invite && status < 300:
		tx.state = serverAccepted
		if first {
			tx.end = tx.endpoint.clock.AfterFunc(64*t.T1, func() { tx.terminate(nil) }) // Timer L
		}
	case invite:
		tx.state = serverCompleted
		tx.end = tx.endpoint.clock.AfterFunc(64*t.T1, func() { tx.terminate(ErrTimeout) }) // Timer H
		if !tx.link.reliable() {
			tx.every = t.T1
			tx.resend = tx.endpoint.clock.AfterFunc(tx.every, tx.retransmit) // Timer G
		}
	default:
		tx.state = serverCompleted
		if over = tx.link.reliable(); !over {
			tx.end = tx.endpoint.clock.AfterFunc(64*t.T1, func() { tx.terminate(nil) }) // Timer J
		}
	}
	tx.mu.Unlock()
	if over {
		tx.terminate(nil)
	}
	return err
}

// RespondOnce is Respond with a final response that is neither sent again nor
// remembered; a retransmission of the request is a new one. So whoever has not
// proved who it is has nothing kept here, and nobody is sent more than was sent in
// its name (RFC 3261 sections 8.2.7 and 26.3.2.4). To has the request's Tag.
func (tx *ServerTx) RespondOnce(res *message.Response) error {
	tx.mu.Lock()
	if tx.ended || tx.state >= serverCompleted {
		tx.mu.Unlock()
		return nil
	}
	tx.state, tx.status = serverCompleted, res.StatusCode
	err := tx.link.send(message.Bytes(res))
	tx.mu.Unlock()
	tx.terminate(nil)
	return err
}

// Drop ends a transaction that gets no final response: other than to INVITE, an
// answer that comes too late is none (RFC 4320 section 4.2). What was answered
// already stays so.
func (tx *ServerTx) Drop() {
	tx.mu.Lock()
	open := tx.state < serverCompleted
	tx.mu.Unlock()
	if open {
		tx.terminate(nil)
	}
}

// retransmit is Timer G.
func (tx *ServerTx) retransmit() {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.ended || tx.state != serverCompleted {
		return
	}
	tx.link.send(tx.last)
	tx.every = min(2*tx.every, tx.endpoint.cfg.Timers.T2)
	tx.resend = tx.endpoint.clock.AfterFunc(tx.every, tx.retransmit)
}

// retransmitted answers a request that came again. After a 2xx to INVITE the
// layer above sends it again itself (RFC 6026 section 7.1).
func (tx *ServerTx) retransmitted() {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.last != nil && tx.state != serverConfirmed && tx.state != serverAccepted {
		tx.link.send(tx.last)
	}
}

// ack takes the ACK of a non-2xx; false if it is one for the layer above.
func (tx *ServerTx) ack() bool {
	tx.mu.Lock()
	switch tx.state {
	case serverConfirmed:
		tx.mu.Unlock()
		return true
	case serverCompleted:
	default:
		tx.mu.Unlock()
		return false
	}
	tx.state = serverConfirmed
	if tx.resend != nil {
		tx.resend.Stop()
	}
	if tx.end != nil {
		tx.end.Stop()
	}
	reliable := tx.link.reliable()
	if !reliable {
		tx.end = tx.endpoint.clock.AfterFunc(tx.endpoint.cfg.Timers.T4, func() { tx.terminate(nil) }) // Timer I
	}
	tx.mu.Unlock()
	if reliable {
		tx.terminate(nil)
	}
	return true
}

func (tx *ServerTx) terminate(err error) {
	tx.mu.Lock()
	if tx.ended {
		tx.mu.Unlock()
		return
	}
	tx.ended, tx.err = true, err
	tx.unqueue()
	told := tx.onEnd
	tx.onEnd = nil
	if tx.resend != nil {
		tx.resend.Stop()
	}
	if tx.end != nil {
		tx.end.Stop()
	}
	tx.mu.Unlock()
	tx.endpoint.servers.remove(tx.key, tx)
	for _, f := range told {
		f(err)
	}
}
