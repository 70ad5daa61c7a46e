package msrp

import (
	"fmt"
	"slices"
	"sync"
)

// SessionConfig of a session. The callbacks may be nil; with neither Accept nor
// OnMessage every message is refused with 403.
type SessionConfig struct {
	User        string   // for o= of descriptions
	AcceptTypes []string // what this end takes, "*" and "type/*" included; none: anything
	// AcceptWrappedTypes are what it takes within message/cpim and the like as well.
	AcceptWrappedTypes []string
	Secure             bool  // msrps: by TLS only, with whom the peer's description names (RFC 4975 section 14.4)
	MaxSize            int64 // bytes of the largest message this end takes; 0: no limit but Limits.Message for what is assembled in memory

	// Accept is asked when a message begins, by the goroutine that reads the
	// connection: it must not block. A Sink takes the message's bytes as they
	// come; a nil Sink leaves it to be assembled in memory, for OnMessage. A
	// *StatusError refuses the message with its code, any other error with 403.
	// Nil: all messages are assembled in memory.
	Accept func(Incoming) (Sink, error)
	// OnMessage takes each message that was assembled, in the order in which
	// they became whole, one call at a time. It may Send on the session.
	OnMessage func(Message)
	// OnReport takes each REPORT on a message of this session, in turn with
	// OnMessage.
	OnReport func(Report)
}

// Session is one conversation with one peer. Its methods may be called from
// any goroutine.
type Session struct {
	e       *Endpoint
	cfg     SessionConfig
	local   URI
	address string // local, written
	id      uint64 // for o=

	fingerprints []string // of a secure session

	ready chan struct{} // closed when messages can be sent
	named chan struct{} // closed when Start has said who the peer is
	ended chan struct{} // closed when the session is over
	done  chan struct{} // and its last callback has returned

	mu       sync.Mutex
	state    sessionState
	err      error // why it is over
	role     Role
	remote   Description // from Start on
	to       string      // the remote path, written
	peer     *URI        // whom the first request named, before Start
	conn     *conn
	incoming map[string]*reception
	refused  []refusal // messages refused whose chunks may still come
	seen     []string  // the last messages that were whole
	sending  map[string]*message
	recent   []string // messages sent, for the REPORTs on them
	tracked  []*Sent  // those among them that wait for success REPORTs
	outcomes []Outcome
	calls    []func() // callbacks still to make
	calling  bool
	buffered int64 // bytes in memory: parts of messages, and whole ones undelivered
	waiting  int   // whole ones undelivered
}

type sessionState int

const (
	created  sessionState = iota // has a URI, and may be bound by a request to it
	starting                     // Start was called
	started                      // Start has done its part
)

// NewSession gives out a URI and expects requests to it from now on. The
// caller closes the session.
func (e *Endpoint) NewSession(cfg SessionConfig) (*Session, error) {
	s := &Session{
		e: e, cfg: cfg, local: e.newURI(cfg.Secure), id: newSDPID(), incoming: map[string]*reception{}, sending: map[string]*message{},
		ready: make(chan struct{}), named: make(chan struct{}), ended: make(chan struct{}), done: make(chan struct{}),
	}
	s.address = s.local.String()
	if cfg.Secure {
		own, err := e.identity()
		if err != nil {
			return nil, err
		}
		s.fingerprints = []string{fingerprint(own.Certificate[0])}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		return nil, ErrClosed
	}
	if len(e.sessions) >= e.cfg.Limits.Sessions {
		return nil, fmt.Errorf("%w: %d sessions", ErrLimit, len(e.sessions))
	}
	e.sessions[s.local.key()] = s
	return s, nil
}

// LocalPath is the path the peer reaches this session by.
func (s *Session) LocalPath() Path { return Path{s.local} }

// Describe is the session for an offer, or for Description.Answering. It says
// the same whenever it is asked (RFC 4975 section 8.4: an unchanged
// description keeps its o=).
func (s *Session) Describe(setup Setup) Description {
	return Description{
		User: s.cfg.User, ID: s.id, Version: s.id, Host: s.local.Host, Port: s.local.Port, Secure: s.local.Secure,
		Path: s.LocalPath(), AcceptTypes: s.cfg.AcceptTypes, AcceptWrappedTypes: s.cfg.AcceptWrappedTypes,
		MaxSize: s.cfg.MaxSize, Setup: setup, Fingerprints: s.fingerprints,
	}
}

// Ready is closed when the session can send: it was started, and a connection
// is bound to it.
func (s *Session) Ready() <-chan struct{} { return s.ready }

// Done is closed when the session is over and its last callback has returned.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err is why the session is over: ErrClosed after Close, ErrConnectionLost, or
// a *StatusError that ended it. Nil while it lasts.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Outcomes are the last 128 own transactions that ended, oldest first.
func (s *Session) Outcomes() []Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.outcomes)
}

func (s *Session) note(o Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcomes = pushLast(s.outcomes, o, 128)
}

// pushLast appends, and drops the oldest beyond max.
func pushLast[T any](list []T, x T, max int) []T {
	if len(list) >= max {
		list = slices.Delete(list, 0, len(list)-max+1)
	}
	return append(list, x)
}

// Close ends the session: a peer's further requests to it are 481. Messages
// not wholly sent or received fail. It does not wait for callbacks. What was
// written to the peer but not answered is not waited for either.
func (s *Session) Close() { s.end(ErrClosed) }

// end is what ends a session, once.
func (s *Session) end(err error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	s.err = err
	c, parts, tracked := s.conn, s.incoming, s.tracked
	s.incoming, s.tracked = nil, nil
	for _, r := range parts {
		if r.late != nil {
			r.late.Stop()
		}
		s.release(r)
	}
	owed := s.waiting > 0 // messages that were answered 200: the last of them closes done
	s.mu.Unlock()

	s.e.mu.Lock()
	delete(s.e.sessions, s.local.key())
	s.e.mu.Unlock()
	close(s.ended)
	for _, r := range parts {
		_ = r.sink.End(err)
	}
	for _, m := range tracked {
		m.settle(err)
	}
	if c != nil {
		c.leave(s)
	}
	if !owed {
		s.call(func() { close(s.done) })
	}
}
