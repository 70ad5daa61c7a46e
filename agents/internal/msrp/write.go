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
			if f.divide == nil {
				buf = append(buf, f.raw...)
			}
		}
		at := c.e.cfg.Clock.Now()
		err := c.put(buf)
		if last := &batch[len(batch)-1]; err == nil && last.divide != nil {
			err = c.putChunk(last)
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
func (c *conn) flush() { <-c.flushed() }

func (c *conn) flushed() <-chan struct{} {
	done := make(chan struct{})
	if c.out.push(nil, outgoing{written: func(error) { close(done) }}) != nil {
		close(done)
	}
	return done
}

// drain is flush, for so long at most.
func (c *conn) drain(wait time.Duration) {
	limit := time.NewTimer(wait) // real time, as for writing
	defer limit.Stop()
	select {
	case <-c.flushed():
	case <-limit.C:
	}
}
