package msrp

import (
	"crypto/tls"
	"errors"
	"fmt"
)

// afterRefusal is how much more of a chunk is read past after it has been
// refused: what was on its way. A chunk that may be that long is
// interruptible, and has to be interrupted (RFC 4975 section 10.5).
const afterRefusal = 8 << 20

// maxOther bounds the body of requests other than SEND (RFC 4975 section 7.1).
const maxOther = 10240

var errPeer = fmt.Errorf("%w: broken by the peer", ErrFraming)

// request acts on a request whose head is f and whose body begins with held,
// and goes on in d unless that was all.
func (c *conn) request(d *Reader, f *Frame, held []byte, whole bool) error {
	var in *reception
	s, refusal := c.admit(f)
	if refusal == nil {
		switch f.Method {
		case MethodSend:
			in, refusal = s.receive(f)
		case MethodReport:
			s.report(f)
		default:
			refusal = &StatusError{Code: StatusUnknownMethod}
		}
	}
	if refusal != nil {
		if err := c.refuse(f, refusal); err != nil {
			return err
		}
	}
	piece, past := held, 0
	for {
		if past += len(piece); f.Method != MethodSend && past > maxOther {
			return fmt.Errorf("%w: body of %s over %d bytes", errPeer, f.Method, maxOther)
		}
		if refusal == nil && in != nil {
			if refusal = in.write(piece); refusal != nil {
				past = 0
				if err := c.refuse(f, refusal); err != nil {
					return err
				}
			}
		} else if past > afterRefusal {
			return fmt.Errorf("%w: refused chunk goes on", errPeer)
		}
		if whole || d.Flag() != 0 {
			break
		}
		n, err := d.Read(c.piece[:])
		if err != nil && d.Flag() == 0 {
			return err
		}
		piece = c.piece[:n]
	}
	if !whole {
		c.tapIn(d.Head(), held, d.Tail())
	}
	if refusal != nil || f.Method != MethodSend {
		return nil
	}
	return c.conclude(s, in, f, d.Flag())
}

// conclude answers a SEND that was taken to its end-line.
func (c *conn) conclude(s *Session, in *reception, f *Frame, flag Flag) error {
	then := func() {}
	if in != nil {
		var refusal *StatusError
		if then, refusal = in.finish(flag); refusal != nil {
			return c.refuse(f, refusal)
		}
	} else if flag == Abort {
		s.abort(f.MessageID())
	}
	var err error
	if f.FailureReport() == FailureYes {
		err = c.respond(f, StatusOK, "")
	}
	then() // what is whole is delivered, whether the peer hears of it or not
	if err != nil {
		return err
	}
	if in != nil && in.whole && f.SuccessReport() {
		return c.succeed(s, in, f)
	}
	return nil
}

// admit finds the session a request belongs to, and binds it to this
// connection if it is bound to none.
func (c *conn) admit(f *Frame) (*Session, *StatusError) {
	if f.Problem != nil {
		return nil, &StatusError{Code: StatusMalformed}
	}
	to, from, err := f.paths()
	if err != nil {
		return nil, &StatusError{Code: StatusMalformed}
	}
	// RFC 4975 section 7.3: exactly one URI, which must be that of a session.
	var s *Session
	if len(to) == 1 {
		s = c.e.session(to[0])
	}
	if s == nil {
		return nil, &StatusError{Code: StatusNoSession}
	}
	return s, s.admit(c, from.End())
}

// admit checks that a request from a peer, on a connection, is this session's.
func (s *Session) admit(c *conn, from URI) *StatusError {
	if s.local.Secure {
		// Which certificate is the peer's, Start says. Limits.Unbound ends the wait.
		select {
		case <-s.named:
		case <-s.ended:
		case <-c.dead:
		}
	}
	s.mu.Lock()
	bound := s.conn
	known := s.peer
	if s.state != created {
		peer := s.remote.Path.End()
		known = &peer
	}
	s.mu.Unlock()
	switch {
	case bound != nil && bound != c:
		return &StatusError{Code: StatusOtherConnection}
	case known != nil && !known.Equal(from):
		return &StatusError{Code: StatusNoSession}
	case bound == c:
		return nil
	}
	// The URI is a secret that only the peer has been told: whoever uses it is
	// the peer (RFC 4975 section 5.4). The answer that names the peer may come
	// later than its first request; Start then compares.
	s.mu.Lock()
	if s.peer == nil {
		s.peer = &from
	}
	s.mu.Unlock()
	if err := s.bind(c); err != nil {
		var untrusted *tls.CertificateVerificationError
		switch {
		case errors.As(err, &untrusted):
			// RFC 4975 section 14.4: the session must be torn down at once.
			s.end(err)
			return &StatusError{Code: StatusForbidden}
		case errors.Is(err, ErrInsecure):
			return &StatusError{Code: StatusForbidden}
		}
		return &StatusError{Code: StatusNoSession}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return &StatusError{Code: StatusOtherConnection}
	}
	return nil
}

// refuse answers a request with an error, unless nobody wants to hear it. An
// error: there is no way to answer, and the connection is of no use.
func (c *conn) refuse(f *Frame, why *StatusError) error {
	c.e.log.Debug("request refused", "peer", c.remote, "transaction", f.Transaction, "method", f.Method, "code", why.Code, "err", f.Problem)
	if f.Method == MethodReport || f.FailureReport() == FailureNo {
		return nil
	}
	err := c.respond(f, why.Code, why.Comment)
	if errors.Is(err, errNoWay) {
		return fmt.Errorf("%w: %w", errPeer, f.Problem)
	}
	return err
}
