package msrp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"presfed/agents/internal/clock"
)

// conn is one connection: a goroutine that reads and one that writes.
type conn struct {
	e             *Endpoint
	nc            net.Conn
	local, remote netip.AddrPort
	hop           string // what it was made for; empty when it was accepted
	out           queue
	dead          chan struct{}  // closed when the connection is lost
	piece         [16 << 10]byte // the reading goroutine's

	mu       sync.Mutex
	err      error // why, once dead is closed
	pending  map[string]*transaction
	sessions map[*Session]struct{}
	lonely   clock.Timer // closes a connection without sessions
}

func (e *Endpoint) newConn(nc net.Conn, hop string) *conn {
	c := &conn{
		e: e, nc: nc, hop: hop, local: addrPort(nc.LocalAddr()), remote: addrPort(nc.RemoteAddr()),
		dead: make(chan struct{}), pending: map[string]*transaction{}, sessions: map[*Session]struct{}{},
	}
	c.out.init()
	wait := e.cfg.Limits.Unbound
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lonely = e.cfg.Clock.AfterFunc(wait, func() { c.closeIfLonely(fmt.Errorf("no session within %s", wait)) })
	return c
}

// close ends the connection, its transactions and its sessions. Only the
// first call counts.
func (c *conn) close(err error) {
	c.mu.Lock()
	c.closeLocked(err)
}

// closeIfLonely closes a connection that has no sessions.
func (c *conn) closeIfLonely(err error) {
	c.mu.Lock()
	if len(c.sessions) > 0 {
		c.mu.Unlock()
		return
	}
	c.closeLocked(err)
}

// closeLocked is called with c.mu held, and lets go of it.
func (c *conn) closeLocked(err error) {
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = ErrClosed
	if !errors.Is(err, ErrClosed) {
		c.err = fmt.Errorf("%w: %w", ErrConnectionLost, err)
	}
	pending, sessions := c.pending, c.sessions
	c.pending, c.sessions = nil, nil
	c.lonely.Stop()
	c.mu.Unlock()

	close(c.dead)
	_ = c.nc.Close()
	c.e.dropConn(c)
	for _, t := range pending {
		t.finish(Outcome{Err: c.err})
	}
	for s := range sessions {
		s.end(c.err)
	}
}

func (c *conn) lost() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// join makes the connection s's. An error: it is lost.
func (c *conn) join(s *Session) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.lonely.Stop()
	c.sessions[s] = struct{}{}
	return nil
}

// leave is called by a session that has ended. The last one leaves the
// connection to itself for a while, for what is still on its way.
func (c *conn) leave(s *Session) {
	c.mu.Lock()
	var orphans []*transaction
	for id, t := range c.pending {
		if t.session == s {
			orphans = append(orphans, t)
			delete(c.pending, id)
		}
	}
	delete(c.sessions, s)
	if c.err == nil && len(c.sessions) == 0 {
		c.lonely.Stop()
		c.lonely = c.e.cfg.Clock.AfterFunc(c.e.cfg.Limits.Linger, func() { c.closeIfLonely(ErrClosed) })
	}
	c.mu.Unlock()
	for _, t := range orphans {
		t.finish(Outcome{Err: ErrClosed})
	}
}
