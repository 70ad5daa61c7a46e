package control

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"time"
)

// streamBatch is how many records are encoded before they are sent.
const streamBatch = 64

// session is one client's connection.
type session struct {
	*Server
	conn net.Conn
	out  *bufio.Writer
	enc  *json.Encoder
	gone chan struct{} // closed when the client sends no more
}

// serve answers one connection's requests in order.
func (s *Server) serve(ctx context.Context, conn net.Conn) {
	x := &session{Server: s, conn: conn, out: bufio.NewWriter(conn), gone: make(chan struct{})}
	x.enc = json.NewEncoder(x.out)
	x.enc.SetEscapeHTML(false)

	done := make(chan struct{})
	lines := make(chan []byte)
	var failed error // of the reader; written before gone is closed
	go func() {
		defer close(x.gone)
		scanner := bufio.NewScanner(conn)
		scanner.Buffer(nil, maxRequest)
		for scanner.Scan() {
			select {
			case lines <- append([]byte(nil), scanner.Bytes()...):
			case <-done:
				return
			}
		}
		failed = scanner.Err()
	}()
	defer func() {
		close(done)
		_ = conn.Close() // ends the reader
		<-x.gone
	}()
	for {
		select {
		case line := <-lines:
			if err := x.answer(ctx, line); err != nil {
				s.cfg.Log.Debug("control connection ended", "err", err)
				return
			}
		case <-x.gone:
			if failed == bufio.ErrTooLong {
				_ = x.send(errorLine{typeError, "request: the line is too long"})
			}
			return
		case <-ctx.Done():
			return
		}
	}
}

// answer runs one request; an error means that the client cannot be written to.
func (x *session) answer(ctx context.Context, line []byte) error {
	req, err := parseRequest(line)
	if err != nil {
		return x.send(errorLine{typeError, err.Error()})
	}
	switch req.Op {
	case opReady:
		select {
		case <-x.ready:
			return x.send(readyLine{typeReady, x.info})
		case <-ctx.Done():
			return x.send(errorLine{typeError, "the role ended before it was ready"})
		}
	case opRecords:
		return x.records(req.After, req.Follow)
	case opCommand:
		if x.cfg.Command == nil {
			return x.send(errorLine{typeError, "this role takes no commands"})
		}
		result, err := x.cfg.Command(ctx, req.Line)
		if err != nil {
			return x.send(errorLine{typeError, err.Error()})
		}
		if result == nil {
			return x.send(answerLine{Type: typeAnswer})
		}
		// Only the encoding is tried here: sending it is no fault of the answer's.
		if _, err := json.Marshal(result); err != nil {
			return x.send(errorLine{typeError, "answer: " + err.Error()})
		}
		return x.send(answerLine{typeAnswer, result})
	default: // stop
		if x.cfg.Stop == nil {
			return x.send(errorLine{typeError, "this role cannot be stopped here"})
		}
		x.cfg.Stop()
		return x.send(answerLine{Type: typeAnswer})
	}
}

// records streams the journal: to its present end, or with follow until it is
// closed or the client is gone.
func (x *session) records(after uint64, follow bool) error {
	for {
		b := x.cfg.Journal.read(after, streamBatch)
		if b.lost > 0 {
			if err := x.encode(lostLine{typeLost, b.lost}); err != nil {
				return err
			}
		}
		for _, r := range b.records {
			if err := x.encode(recordLine{typeRecord, r}); err != nil {
				return err
			}
		}
		after = b.next
		switch {
		case len(b.records) > 0 || b.lost > 0:
			continue
		case b.closed || !follow:
			return x.send(endLine{typeEnd})
		}
		if err := x.flush(); err != nil {
			return err
		}
		select {
		case <-b.changed:
		case <-x.gone:
			return nil
		}
	}
}

func (x *session) send(line any) error {
	if err := x.encode(line); err != nil {
		return err
	}
	return x.flush()
}

// encode may write as well, when its buffer is full.
func (x *session) encode(line any) error {
	if err := x.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return x.enc.Encode(line)
}

func (x *session) flush() error {
	if err := x.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return x.out.Flush()
}
