package msrp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Report is what a REPORT says of a message of ours, or a refusal that came
// after Send had returned, as it may with FailurePartial.
type Report struct {
	MessageID string
	Range     ByteRange // without a Byte-Range: 1-*/*
	Status    int
	Comment   string
}

// Sent is a message that has been sent.
type Sent struct {
	MessageID string
	Size      int64
	Chunks    int

	once    sync.Once
	settled chan struct{}
	err     error

	total    int64 // Unknown until all was sent; under the session's lock, and so is:
	reported spans
}

// How many messages of a session wait for success REPORTs, and how many are
// remembered so that REPORTs on others are ignored (RFC 4975 section 7.1.1).
const maxTracked = 256

// maxRanges is how many separate ranges of a message are remembered as reported.
const maxRanges = 256

var errNotAsked = errors.New("msrp: no success REPORT was asked for")

// Reported waits until success REPORTs have covered the whole message, which
// must have been sent with SuccessReport. A *StatusError: a failure REPORT
// came. The session's Err: it ended before.
func (m *Sent) Reported(ctx context.Context) error {
	select {
	case <-m.settled:
		return m.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *Sent) settle(err error) {
	m.once.Do(func() {
		m.err = err
		close(m.settled)
	})
}

// enlist makes m known for the REPORTs that may come.
func (s *Session) enlist(m *message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch id := m.sent.MessageID; {
	case s.err != nil:
		return s.err
	case s.sending[id] != nil:
		return fmt.Errorf("msrp: message %s is being sent already", id)
	default:
		s.sending[id] = m
		s.recent = pushLast(s.recent, id, maxTracked)
	}
	if !m.options.SuccessReport {
		m.sent.settle(errNotAsked)
		return nil
	}
	if len(s.tracked) >= maxTracked {
		s.tracked[0].settle(fmt.Errorf("%w: too many messages wait for REPORTs", ErrLimit))
	}
	s.tracked = pushLast(s.tracked, m.sent, maxTracked)
	return nil
}

// delist ends the sending of m.
func (s *Session) delist(m *message, err error) {
	s.mu.Lock()
	delete(s.sending, m.sent.MessageID)
	m.sent.total = m.sent.Size
	whole := err == nil && m.sent.reported != nil && m.sent.reported.whole(m.sent.total)
	s.mu.Unlock()
	if err != nil || whole {
		m.sent.settle(err)
	}
}

// report takes a REPORT request. It is never answered (RFC 4975 section
// 7.1.2).
func (s *Session) report(f *Frame) {
	namespace, code, text, err := f.ReportStatus()
	r, rangeErr := f.ByteRange()
	if err != nil || rangeErr != nil || namespace != "000" {
		return
	}
	id := f.MessageID()
	s.mu.Lock()
	if !slices.Contains(s.recent, id) {
		s.mu.Unlock()
		return
	}
	m := s.sending[id]
	var settled []*Sent
	for _, t := range s.tracked {
		if t.MessageID == id && (code/100 != 2 || t.cover(r)) {
			settled = append(settled, t)
		}
	}
	s.tracked = slices.DeleteFunc(s.tracked, func(t *Sent) bool { return slices.Contains(settled, t) })
	s.mu.Unlock()

	var failure error
	if code/100 != 2 {
		failure = &StatusError{Code: code, Comment: text}
	}
	if code == StatusTimeout {
		failure = ErrTimeout
	}
	for _, t := range settled {
		t.settle(failure)
	}
	s.tell(Report{MessageID: id, Range: r, Status: code, Comment: text})
	if failure == nil {
		return
	}
	if m != nil {
		m.fail(Outcome{MessageID: id, Range: r, Status: code, Comment: text, Err: failure})
	}
	_, ranged := f.Headers.Get(headerByteRange)
	if endsSession(code) || ranged && !aboutContent(code) {
		// RFC 4975 section 7.3.2: a range was not received.
		s.end(failure)
	}
}

// cover notes a success REPORT; true: the whole message has been reported.
func (m *Sent) cover(r ByteRange) bool {
	end := r.End
	if end == Unknown {
		end = max(r.Total, m.total)
	}
	if m.reported == nil {
		m.reported = spans{}
	}
	if end == Unknown {
		end = maxOffset // all of a message whose size is not known yet
	}
	if m.reported.add(r.Start-1, end); len(m.reported) > maxRanges {
		m.reported = m.reported[:maxRanges]
	}
	return m.total != Unknown && m.reported.whole(m.total)
}

func (s *Session) tell(r Report) {
	if s.cfg.OnReport != nil {
		s.call(func() { s.cfg.OnReport(r) })
	}
}

// endsSession: RFC 4975 sections 10.8 and 10.10.
func endsSession(code int) bool { return code == StatusNoSession || code == StatusOtherConnection }

// aboutContent: what came was not wanted, but it came.
func aboutContent(code int) bool {
	return code == StatusForbidden || code == StatusStop || code == StatusUnsupportedType
}
