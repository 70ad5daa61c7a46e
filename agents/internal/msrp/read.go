package msrp

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// read is the reading goroutine: every frame of the connection in its order.
func (c *conn) read() {
	err := c.handshake()
	if err == nil {
		err = c.frames()
	}
	if errors.Is(err, ErrFraming) {
		c.e.log.Warn("connection dropped", "peer", c.remote, "err", err)
	}
	if errors.Is(err, ErrFraming) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		// The peer may still be listening: what it is owed goes out first.
		c.flush()
	}
	c.close(err)
}

func (c *conn) frames() error {
	p := &patient{c: c}
	d := NewReader(p, c.e.cfg.Limits)
	var held []byte
	for {
		p.inFrame = false
		f, err := d.Next()
		if err != nil {
			return err
		}
		p.inFrame = true
		held, err = hold(d, f, held[:0])
		if err != nil {
			return err
		}
		refused := f.IsResponse() && f.Status/100 != 2
		if f.IsResponse() {
			t := c.find(f.Transaction)
			if refused {
				c.response(f) // at once: the rest of the chunk may still be to write
			}
			// The request this answers was written, or there would be no response:
			// wait for its record.
			if t != nil {
				select {
				case <-t.recorded:
				case <-c.dead:
				}
			}
		}
		whole := d.Flag() != 0
		if whole {
			c.tapIn(d.Head(), held, d.Tail())
		}
		if f.IsResponse() {
			if !whole {
				return fmt.Errorf("%w: endless response", errPeer)
			}
			if !refused {
				c.response(f)
			}
			continue
		}
		if err := c.request(d, f, held, whole); err != nil {
			return err
		}
	}
}

// hold reads a body up to what a record holds, so that a frame of usual size is
// recorded before anything is done about it.
func hold(d *Reader, f *Frame, to []byte) ([]byte, error) {
	if !f.HasBody {
		return to, nil
	}
	for len(to) < maxRecorded {
		if len(to) == cap(to) {
			bigger := make([]byte, len(to), min(max(4096, 2*cap(to)), maxRecorded))
			copy(bigger, to)
			to = bigger
		}
		n, err := d.Read(to[len(to):cap(to)])
		to = to[:len(to)+n]
		if err == io.EOF {
			return to, nil
		}
		if err != nil {
			return to, err
		}
	}
	return to, nil
}

// patient reads from the connection, and does not wait for ever.
type patient struct {
	c       *conn
	inFrame bool
}

func (p *patient) Read(b []byte) (int, error) {
	wait := p.c.e.cfg.Limits.Idle
	if p.inFrame {
		wait = p.c.e.cfg.Limits.Frame
	}
	var deadline time.Time
	if wait > 0 {
		deadline = time.Now().Add(wait) // real time, as for writing
	}
	if err := p.c.nc.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	n, err := p.c.nc.Read(b)
	p.inFrame = true
	if t, ok := err.(interface{ Timeout() bool }); ok && t.Timeout() {
		err = fmt.Errorf("nothing for %s: %w", wait, err)
	}
	return n, err
}
