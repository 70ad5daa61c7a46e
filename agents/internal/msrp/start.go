package msrp

import (
	"context"
	"errors"
	"fmt"
)

// Start gives the session its peer. An active role connects, or takes a
// connection that stands to the same hop, and binds it; Active waits for the
// response to its bodiless SEND. Passive returns at once: Ready tells when the
// peer has come, and how long to wait for it is the caller's to say. When
// Start fails the session is over.
//
// A peer that knows the session's URI may come before Start: its messages are
// delivered, and Start then fails if it was not remote.
func (s *Session) Start(ctx context.Context, remote Description, role Role) error {
	if err := s.begin(remote, role); err != nil {
		return err
	}
	if role != Passive {
		if err := s.connect(ctx); err != nil {
			s.end(err)
			return err
		}
	}
	s.mu.Lock()
	s.state = started
	s.readyLocked()
	s.mu.Unlock()
	if role != Active {
		return nil
	}
	// RFC 4975 section 5.4, RFC 6135 section 4.2.2: the active endpoint must
	// immediately issue a SEND request.
	if _, err := s.Send(ctx, "", nil, SendOptions{}); err != nil {
		err = fmt.Errorf("binding the connection: %w", err)
		s.end(err)
		return err
	}
	return nil
}

func (s *Session) begin(remote Description, role Role) error {
	if len(remote.Path) == 0 {
		return ErrNoPath
	}
	s.mu.Lock()
	if s.err != nil || s.state != created {
		defer s.mu.Unlock()
		if s.err != nil {
			return s.err
		}
		return errors.New("msrp: session started twice")
	}
	s.state, s.role, s.remote, s.to = starting, role, remote, remote.Path.String()
	close(s.named)
	stranger := s.peer != nil && !s.peer.Equal(remote.Path.End())
	s.mu.Unlock()
	if stranger {
		// Somebody knew our URI before the peer's was known here, and is not the
		// peer.
		err := errors.New("msrp: the session was bound by another than its peer")
		s.end(err)
		return err
	}
	return nil
}

// connect binds a connection to the hop of the remote path, unless the peer
// has bound one already.
func (s *Session) connect(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		c, err := s.e.connect(ctx, s.remote.Path.Hop())
		if err != nil {
			return err
		}
		if err = s.bind(c); err == nil || attempt > 0 || s.Err() != nil || s.e.ctx.Err() != nil {
			return err
		}
		// The connection that stood ended just now: make a new one.
		s.e.dropConn(c)
	}
}

// bind makes c the session's connection if it has none, and if the session may
// use it.
func (s *Session) bind(c *conn) error {
	s.mu.Lock()
	remote := s.remote
	s.mu.Unlock()
	if err := s.trusts(c, &remote); err != nil {
		return err
	}
	if err := c.join(s); err != nil {
		return err
	}
	s.mu.Lock()
	err := s.err
	mine := err == nil && (s.conn == nil || s.conn == c)
	if mine {
		s.conn = c
		s.readyLocked()
	}
	s.mu.Unlock()
	if !mine {
		c.leave(s)
	}
	return err
}

// readyLocked is called with s.mu held whenever one of its conditions may have
// come true.
func (s *Session) readyLocked() {
	if s.state != started || s.conn == nil || s.err != nil {
		return
	}
	select {
	case <-s.ready:
	default:
		close(s.ready)
	}
}
