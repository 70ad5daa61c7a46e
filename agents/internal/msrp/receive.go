package msrp

import (
	"errors"
	"fmt"
)

// write takes bytes of the present chunk. RFC 4975 section 7.3.1: what counts
// is how many there are, not how many the Byte-Range promised: the RFC's own
// example in section 11.6 promises too few. A refusal ends the message.
func (in *reception) write(p []byte) *StatusError {
	if len(p) == 0 {
		return nil
	}
	limits := &in.s.e.cfg.Limits
	end := in.at + int64(len(p))
	size := in.s.cfg.MaxSize
	if in.mem != nil && (size == 0 || size > limits.Message) {
		size = limits.Message
	}
	switch {
	case in.total != Unknown && end > in.total, end > maxOffset:
		return in.give(&StatusError{Code: StatusMalformed}, errors.New("msrp: bytes behind the end"))
	case size > 0 && end > size:
		return in.give(&StatusError{Code: StatusStop}, ErrTooLarge)
	case in.mem != nil && !in.s.reserve(in, end):
		return in.give(&StatusError{Code: StatusStop}, ErrLimit)
	}
	if _, err := in.sink.WriteAt(p, in.at); err != nil {
		return in.give(asStatus(err, StatusStop), err)
	}
	if in.got.add(in.at, end); len(in.got) > limits.Gaps {
		return in.give(&StatusError{Code: StatusStop}, ErrLimit)
	}
	in.at = end
	return nil
}

// finish ends the present chunk. What then does comes after the response.
func (in *reception) finish(flag Flag) (then func(), why *StatusError) {
	switch flag {
	case Abort:
		in.drop(ErrAborted)
		return func() {}, nil
	case Last:
		// RFC 4975 section 7.3.1: this chunk defines the message's length.
		if in.got.end() > in.at {
			return nil, in.give(&StatusError{Code: StatusMalformed}, errors.New("msrp: bytes behind the end"))
		}
		in.total = in.at
	}
	if in.total == Unknown || !in.got.whole(in.total) {
		in.await()
		return func() {}, nil
	}
	s := in.s
	s.mu.Lock()
	mine := s.incoming[in.info.ID] == in
	if mine {
		delete(s.incoming, in.info.ID)
		s.waiting++
	}
	s.mu.Unlock()
	if !mine {
		return nil, &StatusError{Code: StatusNoSession}
	}
	in.info.Size = in.total
	if err := in.sink.End(nil); err != nil {
		s.call(in.handled)
		return nil, s.decline(in.info.ID, asStatus(err, StatusStop))
	}
	in.whole = true
	s.mu.Lock()
	s.seen = pushLast(s.seen, in.info.ID, 64)
	s.mu.Unlock()
	return in.deliver, nil
}

// await gives the message up if no other chunk of it comes in time.
func (in *reception) await() {
	s, wait := in.s, in.s.e.cfg.Limits.Stalled
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.incoming[in.info.ID] == in {
		in.late = s.e.cfg.Clock.AfterFunc(wait, func() {
			_ = in.give(&StatusError{Code: StatusStop}, fmt.Errorf("%w: half a message for %s", ErrTimeout, wait))
		})
	}
}

// deliver hands an assembled message to its callback; a sink has had its own.
// The session is not over before.
func (in *reception) deliver() {
	in.s.call(func() {
		if in.mem != nil {
			in.s.cfg.OnMessage(Message{Incoming: in.info, Body: in.mem.bytes[:in.total]})
		}
		in.handled()
	})
}

// handled: the message is out of our hands. Called by the session's callbacks.
func (in *reception) handled() {
	s := in.s
	s.mu.Lock()
	s.waiting--
	s.release(in)
	last := s.err != nil && s.waiting == 0
	s.mu.Unlock()
	if last {
		s.call(func() { close(s.done) })
	}
}

// give gives the message up: the peer hears why, the sink the reason.
func (in *reception) give(why *StatusError, reason error) *StatusError {
	in.drop(reason)
	return in.s.decline(in.info.ID, why)
}

// drop ends the message unfinished.
func (in *reception) drop(reason error) {
	s := in.s
	s.mu.Lock()
	mine := s.incoming[in.info.ID] == in
	if mine {
		delete(s.incoming, in.info.ID)
		s.release(in)
		if in.late != nil {
			in.late.Stop()
		}
	}
	s.mu.Unlock()
	if mine {
		_ = in.sink.End(reason)
	}
}

// abort is a "#" in a SEND without a body.
func (s *Session) abort(id string) {
	s.mu.Lock()
	in := s.incoming[id]
	s.mu.Unlock()
	if in != nil {
		in.drop(ErrAborted)
	}
}

// reserve books memory for a message; false: there is no more to be had, or the
// session is over.
func (s *Session) reserve(in *reception, end int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	more, limits := in.mem.more(end), &s.e.cfg.Limits
	if s.incoming[in.info.ID] != in || s.buffered+more > limits.Buffer {
		return false
	}
	if s.e.held.Add(more) > limits.Held {
		s.e.held.Add(-more)
		return false
	}
	s.buffered += more
	in.mem.size += more
	return true
}

// release gives back what a message has booked. The lock is held.
func (s *Session) release(in *reception) {
	if in.mem != nil {
		s.buffered -= in.mem.size
		s.e.held.Add(-in.mem.size)
	}
}
