package msrp

import (
	"io"
	"slices"
	"sync"
)

// Stream is a Sink to read from: the message's bytes in their order, in
// constant memory. What comes early is kept, up to a window; a peer that
// leaves larger gaps is refused with 413. WriteAt waits for Read.
type Stream struct {
	r      *io.PipeReader
	w      *io.PipeWriter
	window int

	mu   sync.Mutex // between WriteAt, one at a time, and End
	next int64      // position of the next byte to read
	kept []early    // in ascending order
	held int        // bytes in kept
}

// early are bytes that came before those in front of them.
type early struct {
	off   int64
	bytes []byte
}

// NewStream is a stream that keeps up to window bytes that come too early.
// Read gives io.EOF at the message's end, or the reason why it broke off.
// Whoever reads closes it, if not at its end.
func NewStream(window int) *Stream {
	r, w := io.Pipe()
	return &Stream{r: r, w: w, window: window}
}

// Read reads the message.
func (s *Stream) Read(p []byte) (int, error) { return s.r.Read(p) }

// Close gives up reading: the peer is told 413, stop sending.
func (s *Stream) Close() error {
	return s.r.CloseWithError(&StatusError{Code: StatusStop})
}

// WriteAt is the Sink's.
func (s *Stream) WriteAt(p []byte, off int64) (int, error) {
	if !s.take(p, off) {
		return 0, &StatusError{Code: StatusStop}
	}
	for {
		b := s.due()
		if b == nil {
			return len(p), nil
		}
		if _, err := s.w.Write(b); err != nil {
			return 0, err
		}
	}
}

// take keeps p if there is room for it. It takes what has been read before for
// read.
func (s *Stream) take(p []byte, off int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if skip := s.next - off; skip > 0 {
		if skip >= int64(len(p)) {
			return true
		}
		p, off = p[skip:], s.next
	}
	if off > s.next && s.held+len(p) > s.window {
		return false
	}
	if off > s.next {
		p = slices.Clone(p)
	}
	i, _ := slices.BinarySearchFunc(s.kept, off, func(e early, off int64) int {
		if e.off <= off {
			return -1
		}
		return 1
	})
	s.kept = slices.Insert(s.kept, i, early{off, p})
	s.held += len(p)
	return true
}

// due takes out the bytes that come next; nil: they are not there.
func (s *Stream) due() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.kept) > 0 && s.kept[0].off <= s.next {
		e := s.kept[0]
		s.kept = slices.Delete(s.kept, 0, 1)
		s.held -= len(e.bytes)
		if skip := s.next - e.off; skip < int64(len(e.bytes)) {
			s.next = e.off + int64(len(e.bytes))
			return e.bytes[skip:]
		}
	}
	return nil
}

// End is the Sink's.
func (s *Stream) End(err error) error {
	return s.w.CloseWithError(err) // nil: io.EOF
}
