package msrp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// accept takes connections until the listener is closed.
func (e *Endpoint) accept() error {
	for {
		nc, err := e.listen.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			// Out of descriptors, most likely: the listener is still good.
			e.log.Warn("accept failed", "err", err)
			select {
			case <-e.ctx.Done():
				return nil
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		c := e.newConn(nc, "")
		if e.cfg.TLS != nil {
			c.nc = tls.Server(nc, e.cfg.TLS)
		}
		if err := e.addConn(c); err != nil {
			e.log.Warn("connection refused", "peer", c.remote, "err", err)
			_ = nc.Close()
		}
	}
}

// handshake completes TLS on an accepted connection.
func (c *conn) handshake() error {
	t, ok := c.nc.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.e.ctx, c.e.cfg.Limits.Dial)
	defer cancel()
	return t.HandshakeContext(ctx)
}
