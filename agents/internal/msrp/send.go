package msrp

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	// smallChunk is the largest body that need not be interruptible (RFC 4975
	// section 7.1.1).
	smallChunk = 2048
	// chunkSize is the largest body of a chunk, in bytes. It is held whole, so that
	// the end-line is known not to occur in it.
	chunkSize = 32 << 10
	// window is how many chunks of a message may be written, or waiting to be,
	// without a response.
	window = 32
)

// SendOptions of one message.
type SendOptions struct {
	MessageID     string        // empty: a new one. Give the old one to send a message again on a new session
	Size          int64         // bytes; 0: as body.Len() says if it has that method, else unknown until its end
	SuccessReport bool          // ask for success REPORTs
	FailureReport FailureReport // empty: FailureYes
	Disposition   string        // Content-Disposition; empty: none
}

// Send sends one message in chunks of at most 32 KiB, which are interrupted
// where something else waits for the connection, reading body as it
// goes, and returns when the last chunk has its response; with FailurePartial
// and FailureNo, which bring none, when it is written. A nil body and empty
// contentType send a bodiless SEND. On a session that is not Ready it waits.
//
// Several messages may be sent at once: their chunks take turns. Send returns
// a *StatusError if the peer refuses, ErrTimeout, ErrType, ErrTooLarge, the
// session's Err, ctx's or body's error; what follows a chunk that was sent is
// then given up with the "#" flag, unless the peer said to stop. An ended ctx
// is seen between two reads from body, not during one. Send never closes body.
func (s *Session) Send(ctx context.Context, contentType string, body io.Reader, o SendOptions) (*Sent, error) {
	select {
	case <-s.ready:
	case <-s.ended:
		return nil, s.Err()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	m, err := s.newMessage(contentType, body, o)
	if err != nil {
		return nil, err
	}
	if err = s.enlist(m); err != nil {
		return nil, err
	}
	if err = m.sendAll(ctx); err == nil {
		err = m.wait(ctx)
	}
	s.delist(m, err)
	if err != nil {
		return nil, err
	}
	return m.sent, nil
}

// message is one message on its way out.
type message struct {
	s        *Session
	conn     *conn
	options  SendOptions
	head     Headers // of every chunk, but for Byte-Range and Content-Type
	mime     Headers // the latter, and what comes before it
	body     *bufio.Reader
	total    int64
	maxSize  int64 // what the peer announced; 0: nothing
	sent     *Sent
	lane     lane
	slots    chan struct{} // one in it for each chunk without its outcome
	once     sync.Once
	failed   chan struct{} // closed when a chunk has failed
	failure  Outcome       // which, and how
	bodiless bool
}

func (s *Session) newMessage(contentType string, body io.Reader, o SendOptions) (*message, error) {
	m := &message{
		s: s, options: o, bodiless: body == nil && contentType == "", total: Unknown,
		slots: make(chan struct{}, window), failed: make(chan struct{}),
	}
	s.mu.Lock()
	m.conn = s.conn
	to, types := s.to, s.remote.AcceptTypes
	m.maxSize = s.remote.MaxSize
	s.mu.Unlock()
	id := cmp.Or(o.MessageID, newIdent())
	if !isIdent(id) {
		return nil, fmt.Errorf("msrp: Message-ID %.60q", id)
	}
	m.head = Headers{{headerToPath, to}, {headerFromPath, s.address}, {headerMessageID, id}}
	m.sent = &Sent{MessageID: id, total: Unknown, settled: make(chan struct{})}
	switch o.FailureReport {
	case "", FailureYes:
	case FailurePartial, FailureNo:
		m.head = append(m.head, Header{headerFailureReport, string(o.FailureReport)})
	default:
		return nil, fmt.Errorf("msrp: Failure-Report %.60q", string(o.FailureReport))
	}
	if o.SuccessReport {
		m.head = append(m.head, Header{headerSuccessReport, "yes"})
	}
	if m.bodiless {
		return m, nil
	}
	if body == nil || !isMediaType(contentType) || !isText(o.Disposition) {
		return nil, fmt.Errorf("msrp: a message of type %.60q, disposition %.60q", contentType, o.Disposition)
	}
	if !accepts(types, contentType) {
		// RFC 4975 section 8.6: what the peer did not signal must not be sent.
		return nil, fmt.Errorf("%w: %s, not in %q", ErrType, contentType, types)
	}
	if o.Disposition != "" {
		m.mime = append(m.mime, Header{headerContentDisposition, o.Disposition})
	}
	m.mime = append(m.mime, Header{headerContentType, contentType})
	if o.Size > 0 {
		m.total = o.Size
	} else if sized, ok := body.(interface{ Len() int }); ok {
		m.total = int64(sized.Len())
	}
	if err := m.fits(m.total); err != nil {
		return nil, err
	}
	m.body = bufio.NewReaderSize(body, 2*smallChunk)
	return m, nil
}

// sendAll writes chunk after chunk, as fast as window lets it.
func (m *message) sendAll(ctx context.Context) error {
	if m.bodiless {
		// RFC 4975 section 7.1.1: a Byte-Range of nothing starts at 1.
		return m.chunk(ctx, nil, ByteRange{Start: 1, End: 0, Total: 0}, Last)
	}
	size := int64(chunkSize)
	if m.total != Unknown {
		size = min(size, m.total)
	}
	buf := make([]byte, size)
	for at := int64(0); ; {
		want := size
		if m.total != Unknown {
			want = min(want, m.total-at)
		}
		n, err := io.ReadFull(m.body, buf[:want])
		last := m.total != Unknown && at+int64(n) == m.total
		if m.total == Unknown {
			if err == nil {
				_, err = m.body.Peek(1)
			}
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				err, last, m.total = nil, true, at+int64(n)
			}
		} else if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = fmt.Errorf("msrp: body ends after %d of %d bytes", at+int64(n), m.total)
		}
		if err = cmp.Or(ctx.Err(), err, m.fits(at+int64(n))); err != nil && at+int64(n) == 0 {
			return err
		}
		r := ByteRange{Start: at + 1, End: at + int64(n), Total: m.total}
		if err != nil {
			return m.giveUp(err, buf[:n], r)
		}
		flag := More
		if last {
			flag = Last
		}
		if err := m.chunk(ctx, buf[:n], r, flag); err != nil {
			if at == 0 || ctx.Err() == nil {
				return err
			}
			return m.giveUp(err, buf[:n], r)
		}
		at += int64(n)
		m.sent.Size = at
		if last {
			return nil
		}
	}
}

// giveUp queues what is at hand as the last chunk of an unfinished message, and
// waits for nothing: the peer must not wait for the rest. It returns why.
func (m *message) giveUp(why error, body []byte, r ByteRange) error {
	if m.stopped() {
		return m.failure.Err
	}
	if len(body) > smallChunk {
		body = body[:smallChunk]
		r.End = r.Start - 1 + smallChunk
	}
	return errors.Join(why, m.queue(body, r, Abort, func() {}))
}

// stopped: a chunk was refused or lost. RFC 4975 sections 7.3.2 and 10.5: no
// further chunks then.
func (m *message) stopped() bool {
	select {
	case <-m.failed:
		return true
	default:
		return false
	}
}

// fits: RFC 4975 section 8.6, the peer's max-size.
func (m *message) fits(size int64) error {
	if m.maxSize > 0 && size > m.maxSize {
		return fmt.Errorf("%w: the peer takes %d bytes", ErrTooLarge, m.maxSize)
	}
	return nil
}
