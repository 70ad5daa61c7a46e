package msrp

import (
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
		c := e.newConn(&listened{Conn: nc}, "")
		if err := e.addConn(c); err != nil {
			e.log.Warn("connection refused", "peer", c.remote, "err", err)
			_ = nc.Close()
		}
	}
}
