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
	*served
	req    *message.Request
	src    Source
	invite *ServerTx
}

// served is what is kept of a server transaction while something may come for it:
// of one that is answered no more than its response.
type served struct {
	endpoint *Endpoint
	key      string
	method   string
	link     link

	mu     sync.Mutex
	tx     *ServerTx // nil once other than an INVITE is answered
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
	tx := &ServerTx{req: req, src: src}
	tx.served = &served{endpoint: e, key: key, method: req.Method, link: l, tx: tx}
	return tx
}

// cameFrom says that the host is the one of the request: the branch (RFC 3261 section
// 17.2.3) is known to all whom that was passed on to.
func (s *served) cameFrom(src Source) bool { return s.link.source().Remote.Addr() == src.Remote.Addr() }

// start arms the 100 that an INVITE must get within 200 ms (section 17.2.1), if it
// has no response yet.
func (tx *ServerTx) start() {
	if tx.req.Method != message.INVITE {
		return
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.state != serverTrying || tx.ended {
		return
	}
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
func (s *served) OnEnd(f func(error)) {
	s.mu.Lock()
	if !s.ended {
		s.onEnd = append(s.onEnd, f)
		s.mu.Unlock()
		return
	}
	err := s.err
	s.mu.Unlock()
	f(err)
}

// Answered is the status of the latest response, 0 before the first.
func (s *served) Answered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Queued says that the answer waits for this server's own work and for nobody
// else: by how long such answers take, overload is known (Limits.Delay).
func (s *served) Queued() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended && !s.queued && s.state < serverCompleted {
		s.queued = true
		s.endpoint.pressureOf(s.method).enter(s.endpoint.clock.Now())
	}
}

// Unqueued says that it waits for somebody else from now on.
func (s *served) Unqueued() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unqueue()
}

// unqueue is Queued's end. s.mu is held.
func (s *served) unqueue() {
	if s.queued {
		s.queued = false
		s.endpoint.pressureOf(s.method).leave(s.endpoint.clock.Now())
	}
}

// Respond sends a response: provisional ones, then one final; after a 2xx to
// INVITE further 2xx. It does not block. What comes after a final response is
// dropped; an error says that the response could not be handed to the socket.
func (s *served) Respond(res *message.Response) error {
	return s.RespondBytes(res.StatusCode, message.Bytes(res))
}

// RespondBytes is Respond with a response serialised before.
func (s *served) RespondBytes(status int, raw []byte) error {
	s.mu.Lock()
	if s.ended || s.state == serverCompleted || s.state == serverConfirmed ||
		s.state == serverAccepted && status/100 != 2 {
		s.mu.Unlock()
		return nil
	}
	invite := s.method == message.INVITE
	first := s.state < serverCompleted
	s.last, s.status = raw, status
	if r, ok := s.link.(replyStream); ok && status/100 == 2 && s.method != message.OPTIONS {
		r.known.Store(true) // before the answer is there: who has it must not go for the next connection
	}
	err := s.link.send(raw)
	if s.resend != nil {
		s.resend.Stop()
	}
	if status >= 200 {
		s.unqueue()
	}
	var over bool
	t := s.endpoint.cfg.Timers
	switch {
	case status < 200:
		s.state = serverProceeding
	case invite && status < 300:
		s.state = serverAccepted
		if first {
			s.end = s.endpoint.clock.AfterFunc(64*t.T1, func() { s.terminate(nil) }) // Timer L
		}
	case invite:
		s.state = serverCompleted
		s.end = s.endpoint.clock.AfterFunc(64*t.T1, func() { s.terminate(ErrTimeout) }) // Timer H
		if !s.link.reliable() {
			s.every = t.T1
			s.resend = s.endpoint.clock.AfterFunc(s.every, s.retransmit) // Timer G
		}
	default:
		s.state = serverCompleted
		if over = s.link.reliable(); !over {
			s.tx, s.resend = nil, nil
			s.endpoint.answered.add(s) // Timer J
		}
	}
	s.mu.Unlock()
	if over {
		s.terminate(nil)
	}
	return err
}

// RespondOnce is Respond with a final response that is neither sent again nor
// remembered; a retransmission of the request is a new one. So whoever has not
// proved who it is has nothing kept here, and nobody is sent more than was sent in
// its name (RFC 3261 sections 8.2.7 and 26.3.2.4). To has the request's Tag.
func (s *served) RespondOnce(res *message.Response) error {
	s.mu.Lock()
	if s.ended || s.state >= serverCompleted {
		s.mu.Unlock()
		return nil
	}
	s.state, s.status = serverCompleted, res.StatusCode
	err := s.link.send(message.Bytes(res))
	s.mu.Unlock()
	s.terminate(nil)
	return err
}

// Drop ends a transaction that gets no final response: other than to INVITE, an
// answer that comes too late is none (RFC 4320 section 4.2). What was answered
// already stays so.
func (s *served) Drop() {
	s.mu.Lock()
	open := s.state < serverCompleted
	s.mu.Unlock()
	if open {
		s.terminate(nil)
	}
}

// retransmit is Timer G.
func (s *served) retransmit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.state != serverCompleted {
		return
	}
	s.link.send(s.last)
	s.every = min(2*s.every, s.endpoint.cfg.Timers.T2)
	s.resend = s.endpoint.clock.AfterFunc(s.every, s.retransmit)
}

// retransmitted answers a request that came again. After a 2xx to INVITE the
// layer above sends it again itself (RFC 6026 section 7.1).
func (s *served) retransmitted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && s.state != serverConfirmed && s.state != serverAccepted {
		s.link.send(s.last)
	}
}

// ack takes the ACK of a non-2xx; false if it is one for the layer above.
func (s *served) ack() bool {
	s.mu.Lock()
	switch s.state {
	case serverConfirmed:
		s.mu.Unlock()
		return true
	case serverCompleted:
	default:
		s.mu.Unlock()
		return false
	}
	s.state = serverConfirmed
	if s.resend != nil {
		s.resend.Stop()
	}
	if s.end != nil {
		s.end.Stop()
	}
	reliable := s.link.reliable()
	if !reliable {
		s.end = s.endpoint.clock.AfterFunc(s.endpoint.cfg.Timers.T4, func() { s.terminate(nil) }) // Timer I
	}
	s.mu.Unlock()
	if reliable {
		s.terminate(nil)
	}
	return true
}

func (s *served) over() { s.terminate(nil) }

func (s *served) terminate(err error) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended, s.err = true, err
	s.unqueue()
	told := s.onEnd
	s.onEnd = nil
	if s.resend != nil {
		s.resend.Stop()
	}
	if s.end != nil {
		s.end.Stop()
	}
	s.mu.Unlock()
	s.endpoint.servers.remove(s.key, s)
	for _, f := range told {
		f(err)
	}
}
