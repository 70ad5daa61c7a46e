package sip

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// patience reads a connection and bounds how long one message may take to come
// in: a peer may be silent between messages, not within one. A connection that
// was accepted owes its first one.
type patience struct {
	net.Conn
	limit time.Duration
	begun bool         // part of a message is there, or owed
	timed bool         // a deadline is set
	heard *atomic.Bool // set when something comes
}

// Read is net.Conn's. A message that comes whole costs no deadline.
func (p *patience) Read(b []byte) (int, error) {
	if p.begun && !p.timed {
		p.timed = true
		if err := p.SetReadDeadline(time.Now().Add(p.limit)); err != nil {
			return 0, err
		}
	}
	n, err := p.Conn.Read(b)
	if n > 0 {
		p.begun = true
		p.heard.Store(true)
	}
	return n, err
}

// next says that a message is complete; begun, that part of another is there.
func (p *patience) next(begun bool) {
	if p.timed {
		_ = p.SetReadDeadline(time.Time{}) // a connection that is gone says so when it is read
	}
	p.begun, p.timed = begun, false
}

// lingering is how long a peer has to take in why its connection ends.
const lingering = 2 * time.Second

// linger lets a refusal reach the peer: to close with bytes unread would reset
// the connection, and the refusal with it.
func linger(ctx context.Context, nc net.Conn) {
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	defer nc.Close()
	half, ok := nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || nc.SetReadDeadline(time.Now().Add(lingering)) != nil {
		return
	}
	_, _ = io.Copy(io.Discard, nc)
}
