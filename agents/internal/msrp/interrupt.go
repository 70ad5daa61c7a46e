package msrp

import (
	"cmp"
	"sync/atomic"
	"time"
)

// slice is how much of a chunk's body is written before it is looked whether
// something else waits: a chunk is interrupted behind a slice.
const slice = 8 << 10

// divisible is what an outgoing chunk has that may be interrupted (RFC 4975
// section 7.1.1).
type divisible struct {
	lane      *lane
	body, end int // where in raw its body is
	// cut makes the chunk end behind n bytes of its body, and gives its bytes then.
	// With More the rest is queued again.
	cut func(n int, flag Flag) []byte
}

// put writes bytes. A deadline is the network's, not the clock's: it is absolute
// real time.
func (c *conn) put(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_ = c.nc.SetWriteDeadline(time.Now().Add(c.e.cfg.Limits.Write))
	_, err := c.nc.Write(b)
	return err
}

// putChunk writes a chunk slice by slice, as far as nothing else waits and its
// message is still wanted. What was written of it is then f.raw.
func (c *conn) putChunk(f *outgoing) error {
	at := 0
	for next := f.divide.body + slice; next < f.divide.end; next += slice {
		if err := c.put(f.raw[at:next]); err != nil {
			return err
		}
		at = next
		if flag := c.out.interrupts(f.divide.lane); flag != Last {
			f.raw = f.divide.cut(at-f.divide.body, flag)
			break
		}
	}
	return c.put(f.raw[at:])
}

// slot is a chunk's place in its message's window: free when every part that
// the chunk was cut into has its outcome.
type slot struct {
	parts atomic.Int32
	free  func()
}

func (s *slot) release() {
	if s.parts.Add(-1) == 0 {
		s.free()
	}
}

// frame makes one SEND, and the transaction that awaits its response.
func (m *message) frame(body []byte, r ByteRange, flag Flag, place *slot) (outgoing, *transaction, error) {
	written := r
	large := len(body) > smallChunk
	if large {
		written.End = Unknown // RFC 4975 section 7.1.1: it may be interrupted
	}
	f := Frame{
		Transaction: newTransaction(body, newIdent), Method: MethodSend, HasBody: !m.bodiless,
		Headers: append(append(m.head[:len(m.head):len(m.head)], Header{headerByteRange, written.String()}), m.mime...),
	}
	partial := m.options.FailureReport == FailurePartial
	t := &transaction{
		session: m.s, report: cmp.Or(m.options.FailureReport, FailureYes), done: func(o Outcome) {
			m.outcome(o)
			if !partial {
				place.release()
			}
		},
		outcome: Outcome{MessageID: m.sent.MessageID, Transaction: f.Transaction, Range: r},
	}
	if err := m.conn.begin(t); err != nil {
		return outgoing{}, nil, err
	}
	raw := f.AppendHead(m.s.e.buffer())
	at := len(raw)
	raw = f.AppendEnd(append(raw, body...), flag)
	out := outgoing{raw: raw, written: func(err error) {
		m.conn.sent(t, err)
		m.s.e.reuse(raw)
		if partial {
			place.release()
		}
	}}
	if large {
		end := at + len(body)
		out.divide = &divisible{lane: &m.lane, body: at, end: end, cut: func(n int, stop Flag) []byte {
			t.cut(r.Start - 1 + int64(n))
			if stop == More && !m.resume(raw[at+n:end], ByteRange{Start: r.Start + int64(n), End: r.End, Total: r.Total}, flag, place) {
				stop = Abort
			}
			return f.AppendEnd(raw[:at+n], stop)
		}}
	}
	m.s.mu.Lock()
	m.sent.Chunks++
	m.s.mu.Unlock()
	return out, t, nil
}

// resume queues what is left of an interrupted chunk, ahead of what the message
// has queued behind it; false: the message has been stopped.
func (m *message) resume(body []byte, r ByteRange, flag Flag, place *slot) bool {
	place.parts.Add(1)
	out, t, err := m.frame(body, r, flag, place)
	if err == nil {
		if err = m.conn.out.resume(&m.lane, out); err != nil {
			m.conn.take(t.outcome.Transaction)
		}
	}
	if err != nil {
		place.release()
	}
	return err == nil
}

// cut notes that only what is before end, counted from 1, was sent.
func (t *transaction) cut(end int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.outcome.Range.End = end
}
