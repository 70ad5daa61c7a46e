package sip

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"presfed/agents/certs"
	"presfed/agents/internal/wire"
)

// stream is one TCP or TLS connection. It exists before it is connected:
// what is sent meanwhile waits in its queue.
type stream struct {
	endpoint *Endpoint
	keys     []string      // what the pool knows it by; guarded by the pool
	src      Source        // complete once connected
	accepted bool          // not dialled
	from     netip.Addr    // what it counts for where it was accepted; guarded by the pool
	quiet    atomic.Int32  // how often sweep has looked since a message came
	known    atomic.Bool   // no stranger: something was answered 2xx, or we dialled
	written  chan struct{} // closed when the writer has ended

	mu      sync.Mutex
	wake    *sync.Cond
	queue   [][]byte
	queued  int
	last    bool // what waits goes out, then the connection closes
	lingers bool // who serves it closes it
	closed  bool
	cause   error
	conn    net.Conn
	pending map[*ClientTx]struct{}
	unmet   []func() // run if it is never connected
	alive   keepAlive
}

func (e *Endpoint) newStream(transport string, remote netip.AddrPort, serverName string) *stream {
	c := &stream{endpoint: e, written: make(chan struct{}), pending: map[*ClientTx]struct{}{}}
	c.wake = sync.NewCond(&c.mu)
	c.src = Source{Transport: transport, Remote: remote, Flow: Flow(e.flows.Add(1))}
	e.pool.add(c, poolKey(transport, remote, serverName))
	return c
}

// dial connects to a target and serves the connection.
func (c *stream) dial(to Target) {
	e := c.endpoint
	c.known.Store(true)
	ctx, cancel := context.WithTimeout(e.ctx, e.cfg.Limits.ConnectTimeout)
	defer cancel()
	d := net.Dialer{}
	if e.cfg.Bind.Is4() == to.Addr.Addr().Unmap().Is4() && e.cfg.Bind.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: e.cfg.Bind.AsSlice()}
	}
	nc, err := d.DialContext(ctx, "tcp", to.Addr.String())
	if err != nil {
		c.close(fmt.Errorf("%w: %w", ErrTransport, err))
		return
	}
	if to.Transport == "TLS" {
		cfg := e.cfg.ClientTLS.Clone()
		cfg.ServerName = to.ServerName
		if verify := cfg.VerifyConnection; verify != nil {
			cfg.VerifyConnection = func(state tls.ConnectionState) error {
				state.ServerName = to.ServerName // TLS itself carries no IP literals
				return verify(state)
			}
		}
		nc = tls.Client(nc, cfg)
	}
	c.serve(nc)
}

// serve owns the connection until it ends: a handshake where there is one, a
// writer beside the reader.
func (c *stream) serve(nc net.Conn) {
	e := c.endpoint
	var identities []string
	if t, ok := nc.(*tls.Conn); ok {
		ctx, cancel := context.WithTimeout(e.ctx, e.cfg.Limits.ConnectTimeout)
		err := t.HandshakeContext(ctx)
		cancel()
		if err != nil {
			e.log.Warn("TLS handshake failed", "peer", nc.RemoteAddr(), "error", err)
			nc.Close()
			c.close(fmt.Errorf("%w: TLS: %w", ErrTransport, err))
			return
		}
		if shown := t.ConnectionState().PeerCertificates; len(shown) > 0 {
			if identities = certs.Identities(shown[0]); len(identities) == 0 {
				e.log.Warn("the certificate of a peer names no SIP domain, and proves nothing", "peer", nc.RemoteAddr(), "subject", shown[0].Subject.String())
			}
		}
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		nc.Close()
		return
	}
	c.conn, c.unmet = nc, nil
	c.src.Local, c.src.Remote, c.src.Identities = addrPort(nc.LocalAddr()), addrPort(nc.RemoteAddr()), identities
	c.mu.Unlock()
	// RFC 5923: a peer that proved who it is can be reached by its connection.
	for _, id := range identities {
		e.pool.add(c, identityKey(c.src.Transport, id))
	}
	done := c.written
	go func() { defer close(done); c.write() }()
	stop := c.keepAlive()
	err := c.read(&patience{Conn: nc, limit: e.cfg.Limits.ReadTimeout, begun: c.accepted, heard: &c.alive.heard})
	stop()
	if errors.Is(err, errUnframed) { // the refusal still has to go out
		c.mu.Lock()
		c.last, c.lingers = true, true
		c.mu.Unlock()
		c.wake.Signal()
		<-done
	}
	c.close(err)
	<-done
	if c.lingers {
		linger(e.ctx, nc)
	}
	e.cfg.Handler.ConnectionClosed(c.src)
}

func (c *stream) read(p *patience) error {
	e := c.endpoint
	r := bufio.NewReaderSize(p, 16<<10)
	frames := framer{r: r}
	blank := false // the line before was an empty one
	for {
		f, err := frames.next(e.messageLimits(c.src))
		if f.blank {
			c.alive.knows.Store(true)
			if c.known.Load() {
				c.quiet.Store(0)
			}
			if blank { // RFC 5626 section 4.4.1: the ping is two, the pong one
				c.send(pong)
			}
			blank = !blank
			p.next(r.Buffered() > 0)
			continue
		}
		blank = false
		c.quiet.Store(0)
		if f.guessed && err == nil && len(c.src.Identities) > 0 {
			err = fmt.Errorf("%w: no Content-Length", errUnframed) // what follows would speak for the peer
		}
		if len(f.raw) > 0 && (err == nil || errors.Is(err, errUnframed)) {
			e.record(wire.In, c.src, f.raw)
			e.receive(f.raw, f.problem, c)
		}
		if err != nil {
			if refusal, ok := errors.AsType[*net.OpError](err); ok && refusal.Op == "remote error" { // with TLS 1.3 a certificate is looked at late
				e.log.Warn("TLS is refused by the peer", "peer", c.src.Remote, "error", err)
			} else if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				e.log.Info("connection ends", "peer", c.src.Remote, "transport", c.src.Transport, "error", err)
			}
			return fmt.Errorf("%w: %w", ErrTransport, err)
		}
		p.next(r.Buffered() > 0)
	}
}

// lose is close for what the peer did; the log says what.
func (c *stream) lose(cause error) {
	if !errors.Is(cause, net.ErrClosed) {
		c.endpoint.log.Warn("connection lost", "peer", c.src.Remote, "transport", c.src.Transport, "error", cause)
	}
	c.close(cause)
}

// finish is close after endWrites, when the peer has taken what waited, or until
// is closed.
func (c *stream) finish(until <-chan struct{}) {
	c.mu.Lock()
	waits := c.conn != nil && !c.closed
	c.mu.Unlock()
	if waits {
		select {
		case <-c.written:
		case <-until:
		}
	}
	c.close(ErrTransport)
}

// close ends the connection once and tells every transaction that waits on it.
func (c *stream) close(cause error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed, c.cause = true, cause
	pending, unmet := c.pending, c.unmet
	c.pending, c.unmet = nil, nil
	if c.conn != nil && !c.lingers {
		c.conn.Close()
	}
	c.mu.Unlock()
	c.wake.Broadcast()
	c.endpoint.pool.remove(c)
	for tx := range pending {
		tx.lost(c, cause)
	}
	for _, f := range unmet {
		f()
	}
}

// otherwise has f run if the connection does not come about; false if it has
// come to nothing already.
func (c *stream) otherwise(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil && !c.closed {
		c.unmet = append(c.unmet, f)
	}
	return c.conn != nil || !c.closed
}

// connected says whether there was a connection, be it still there or not.
func (c *stream) connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn != nil
}

// watch has tx told when the connection closes; false if it has.
func (c *stream) watch(tx *ClientTx) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.cause
	}
	c.pending[tx] = struct{}{}
	return nil
}

func (c *stream) unwatch(tx *ClientTx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, tx)
}

func (c *stream) source() Source { return c.src }

func (c *stream) reliable() bool { return true }
