package msrp

import "context"

// chunk queues one SEND when there is a slot for it.
func (m *message) chunk(ctx context.Context, body []byte, r ByteRange, flag Flag) error {
	select {
	case m.slots <- struct{}{}:
	case <-m.failed:
		return m.failure.Err
	case <-m.s.ended:
		return m.s.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
	if m.stopped() {
		return m.failure.Err
	}
	return m.queue(body, r, flag, func() { <-m.slots })
}

// queue queues one SEND. release is called once, unless queue fails: when the
// chunk has its outcome or, where none is due, when it is written.
func (m *message) queue(body []byte, r ByteRange, flag Flag, release func()) error {
	place := &slot{free: release}
	place.parts.Store(1)
	out, t, err := m.frame(body, r, flag, place)
	if err != nil {
		return err
	}
	if err = m.conn.out.push(&m.lane, out); err != nil {
		m.conn.take(t.outcome.Transaction)
		if m.stopped() {
			return m.failure.Err
		}
	}
	return err
}

// outcome takes the end of one chunk's transaction.
func (m *message) outcome(o Outcome) {
	if o.Err != nil {
		m.fail(o)
	}
	if m.options.FailureReport == FailurePartial && o.Status != 0 && o.Err != nil {
		// Send need not be there any more to return it.
		m.s.tell(Report{MessageID: o.MessageID, Range: o.Range, Status: o.Status, Comment: o.Comment})
	}
}

// fail stops the message: what is queued of it is not sent.
func (m *message) fail(o Outcome) {
	m.once.Do(func() {
		m.failure = o
		close(m.failed)
	})
	for _, f := range m.conn.out.drop(&m.lane) {
		f.written(o.Err)
	}
}

// wait is over when every chunk has its outcome, or one has failed.
func (m *message) wait(ctx context.Context) error {
	for range window {
		select {
		case m.slots <- struct{}{}:
		case <-m.failed:
			return m.failure.Err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if m.stopped() {
		return m.failure.Err
	}
	return nil
}

// buffer is an empty one that a chunk fits into; reuse takes it back.
func (e *Endpoint) buffer() []byte {
	if b, ok := e.buffers.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, chunkSize+1024)
}

func (e *Endpoint) reuse(b []byte) { e.buffers.Put(&b) }
