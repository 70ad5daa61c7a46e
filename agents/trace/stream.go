package trace

import "slices"

// maxAhead bounds what is kept of a connection's direction behind a gap.
const maxAhead = 4 << 20

// stream puts the segments of one direction of a connection in order, each
// byte once.
type stream struct {
	framer
	begun bool
	next  uint32 // sequence number of the next byte
	ahead []segment
	size  int // of ahead
}

type segment struct {
	seq  uint32
	data []byte
}

// segment takes one segment and returns the messages that end with it. A gap
// that is not filled ends the stream: a capture with holes is not guessed at.
func (s *stream) segment(seq uint32, syn bool, data []byte) []frame {
	if syn {
		if s.begun && s.next == seq+1 {
			return nil // captured twice
		}
		*s = stream{begun: true, next: seq + 1}
		return nil
	}
	if len(data) == 0 || s.foreign {
		return nil
	}
	if !s.begun {
		s.begun, s.next = true, seq
	}
	if before(s.next, seq) {
		if s.size += len(data); s.size > maxAhead {
			s.foreign, s.ahead = true, nil
			return nil
		}
		s.ahead = append(s.ahead, segment{seq, slices.Clone(data)})
		return nil
	}
	out := s.take(seq, data)
	for more := true; more; {
		more = false
		for i, w := range s.ahead {
			if !before(s.next, w.seq) {
				s.ahead = slices.Delete(s.ahead, i, i+1)
				s.size -= len(w.data)
				out = append(out, s.take(w.seq, w.data)...)
				more = true
				break
			}
		}
	}
	return out
}

// take adds what is new of a segment that begins no later than next.
func (s *stream) take(seq uint32, data []byte) []frame {
	have := s.next - seq
	if have >= uint32(len(data)) {
		return nil
	}
	data = data[have:]
	s.next += uint32(len(data))
	return s.add(data)
}

// before compares sequence numbers, which wrap around (RFC 9293 section 3.4).
func before(a, b uint32) bool { return int32(a-b) < 0 }
