package msrp

import (
	"errors"
	"slices"

	"presfed/agents/internal/clock"
)

// Incoming is what is known of a message when it begins.
type Incoming struct {
	ID            string
	ContentType   string
	Disposition   string // Content-Disposition; empty: none
	Size          int64  // bytes; Unknown: not said
	SuccessReport bool   // the sender wants to hear of success; this room reports it
	FailureReport FailureReport
}

// Message is one that arrived whole and was assembled in memory.
type Message struct {
	Incoming // Size is known
	Body     []byte
}

// reception is one message on its way in. The connection's reading goroutine
// alone works on it; the session's end may take it away.
type reception struct {
	s     *Session
	info  Incoming
	sink  Sink
	mem   *memory // the sink, when the message is assembled
	got   spans
	total int64 // Unknown until the chunk with the "$" flag has ended
	whole bool
	late  clock.Timer // gives it up when its next chunk does not come; under the session's lock

	chunk ByteRange // of the present chunk
	at    int64     // position of its next byte, from 0
}

type refusal struct {
	id  string
	why *StatusError
}

// receive is the reception that a SEND belongs to, begun if it is new; nil for
// a SEND without a body, and for what comes of a message once more that has
// been whole before, which must not be shown again (RFC 4975 section 5.4). What it refuses is not to be taken.
func (s *Session) receive(f *Frame) (*reception, *StatusError) {
	if !f.HasBody && f.ContentType() == "" {
		return nil, nil
	}
	r, err := f.ByteRange()
	if err != nil {
		return nil, &StatusError{Code: StatusMalformed}
	}
	id := f.MessageID()
	s.mu.Lock()
	in := s.incoming[id]
	if in != nil && in.late != nil {
		in.late.Stop()
	}
	i := slices.IndexFunc(s.refused, func(x refusal) bool { return x.id == id })
	var before *StatusError
	if i >= 0 {
		before = s.refused[i].why
	}
	again := slices.Contains(s.seen, id)
	full := len(s.incoming) >= s.e.cfg.Limits.Incoming || len(s.incoming)+s.waiting >= s.e.cfg.Limits.Deliveries
	s.mu.Unlock()
	switch {
	case before != nil:
		return nil, before
	case in == nil && again:
		return nil, nil
	case in == nil && full:
		return nil, s.decline(id, &StatusError{Code: StatusStop})
	case in == nil:
		var why *StatusError
		if in, why = s.open(f, r); why != nil {
			return nil, s.decline(id, why)
		}
	}
	in.chunk, in.at = r, r.Start-1
	if r.Total != Unknown && in.info.Size == Unknown {
		in.info.Size = r.Total
	}
	return in, nil
}

// open begins a message.
func (s *Session) open(f *Frame, r ByteRange) (*reception, *StatusError) {
	if !accepts(s.cfg.AcceptTypes, f.ContentType()) {
		return nil, &StatusError{Code: StatusUnsupportedType}
	}
	disposition, _ := f.Headers.Get(headerContentDisposition)
	in := &reception{s: s, total: Unknown, info: Incoming{
		ID: f.MessageID(), ContentType: f.ContentType(), Disposition: disposition, Size: r.Total,
		SuccessReport: f.SuccessReport(), FailureReport: f.FailureReport(),
	}}
	if s.cfg.MaxSize > 0 && r.Total > s.cfg.MaxSize {
		return nil, &StatusError{Code: StatusStop}
	}
	if s.cfg.Accept != nil {
		sink, err := s.cfg.Accept(in.info)
		if err != nil {
			return nil, asStatus(err, StatusForbidden)
		}
		in.sink = sink
	}
	if in.sink == nil {
		if s.cfg.OnMessage == nil {
			return nil, &StatusError{Code: StatusForbidden}
		}
		if r.Total > s.e.cfg.Limits.Message {
			return nil, &StatusError{Code: StatusStop}
		}
		in.mem = &memory{}
		in.sink = in.mem
	}
	s.mu.Lock()
	err := s.err
	if err == nil {
		s.incoming[in.info.ID] = in
	}
	s.mu.Unlock()
	if err != nil {
		_ = in.sink.End(err)
		return nil, &StatusError{Code: StatusNoSession}
	}
	return in, nil
}

// decline remembers a refusal: chunks of the message that were on their way
// get the same answer.
func (s *Session) decline(id string, why *StatusError) *StatusError {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = pushLast(s.refused, refusal{id, why}, 64)
	return why
}

func asStatus(err error, otherwise int) *StatusError {
	var s *StatusError
	if errors.As(err, &s) {
		return s
	}
	return &StatusError{Code: otherwise}
}
