package msrp

import "time"

// write is the writing goroutine: it ends with the connection.
func (c *conn) write() {
	defer func() {
		for _, f := range c.out.close(c.lost()) {
			if f.written != nil {
				f.written(c.lost())
			}
		}
	}()
	var batch []outgoing
	var buf []byte
	for {
		batch = c.out.next(batch[:0], 16<<10)
		if len(batch) == 0 {
			select {
			case <-c.out.wake:
				continue
			case <-c.dead:
				return
			}
		}
		buf = buf[:0]
		for _, f := range batch {
			buf = append(buf, f.raw...)
		}
		// A deadline is the network's, not the clock's: it is absolute real time.
		at := c.e.cfg.Clock.Now()
		_ = c.nc.SetWriteDeadline(time.Now().Add(c.e.cfg.Limits.Write))
		var err error
		if len(buf) > 0 {
			_, err = c.nc.Write(buf)
		}
		if err != nil {
			c.close(err)
		}
		for _, f := range batch {
			if err == nil && len(f.raw) > 0 {
				c.tapOut(at, f.raw)
			}
			if f.written != nil {
				f.written(err)
			}
		}
		clear(batch)
		if err != nil {
			return
		}
	}
}

// urgent queues a response or REPORT. The reading goroutine waits here when
// the peer sends requests and takes no responses; Limits.Write ends that.
func (c *conn) urgent(raw []byte) error {
	for c.out.waiting() >= c.e.cfg.Limits.Responses {
		select {
		case <-c.out.room:
		case <-c.dead:
			return c.lost()
		}
	}
	return c.out.push(nil, outgoing{raw: raw})
}

// flush waits until what has been queued ahead of the chunks is written.
func (c *conn) flush() {
	done := make(chan struct{})
	if c.out.push(nil, outgoing{written: func(error) { close(done) }}) == nil {
		<-done
	}
}
