package msrp

// Sink takes the bytes of one incoming message. Chunks may come in any order
// and overlap; of bytes that come twice, the later count.
type Sink interface {
	// WriteAt takes bytes at their place in the message, from 0. It must not
	// keep p. While it blocks, nothing else is read from the connection,
	// responses to own messages included. A *StatusError refuses the message
	// with its code, any other error with 413.
	WriteAt(p []byte, off int64) (int, error)
	// End is called once: with nil when the whole message has been written,
	// else with the reason why there will be no more. If the session ends, a
	// WriteAt may be under way, or come still. What a whole message's End returns
	// refuses it as an error of WriteAt does: the peer is told 200 only after nil.
	End(err error) error
}

// memory is the sink of a message that is assembled.
type memory struct {
	bytes []byte
	size  int64 // booked with the session
}

// more is how much memory it takes beyond size to hold end bytes: twice as
// much each time, so that a message is copied a few times only.
func (m *memory) more(end int64) int64 {
	if end <= m.size {
		return 0
	}
	return max(end, min(2*m.size, end+1<<20)) - m.size
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	end := off + int64(len(p))
	if end > int64(cap(m.bytes)) {
		bigger := make([]byte, len(m.bytes), m.size)
		copy(bigger, m.bytes)
		m.bytes = bigger
	}
	if end > int64(len(m.bytes)) {
		m.bytes = m.bytes[:end]
	}
	return copy(m.bytes[off:end], p), nil
}

func (m *memory) End(error) error { return nil }
