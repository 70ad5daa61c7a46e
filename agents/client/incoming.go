package client

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"presfed/agents/internal/msrp"
)

// inMemory is up to which size a message of a session is kept in memory, in
// bytes. What is larger, or may be, is only counted, or goes to a file.
const inMemory = 1 << 20

// incoming decides what becomes of a message that begins: one that is small is
// assembled in memory (nil).
func (s *Session) incoming(in msrp.Incoming, early bool) (msrp.Sink, error) {
	if in.Size != msrp.Unknown && in.Size <= inMemory {
		return nil, nil
	}
	l := &large{session: s, early: early, info: in}
	if dir := s.client.cfg.Save; dir != "" {
		var err error
		if l.file, err = os.CreateTemp(dir, "im-*.part"); err != nil {
			s.client.log.Error("a message cannot be saved", "peer", s.peer, "error", err)
			return nil, &msrp.StatusError{Code: msrp.StatusStop}
		}
	}
	return l, nil
}

// large takes a message in constant memory: its first bytes, its length, and
// all of it into a file where one is wanted.
type large struct {
	session *Session
	early   bool // it comes by an early session
	info    msrp.Incoming
	file    *os.File // nil: it is not kept

	mu   sync.Mutex
	head []byte // all of it while it may turn out to be small, up to inMemory
	size int64
	over bool
}

func (l *large) WriteAt(p []byte, off int64) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return 0, io.ErrClosedPipe
	}
	l.size = max(l.size, off+int64(len(p)))
	if l.size > inMemory {
		l.head = nil
	} else if end := off + int64(len(p)); off < end {
		if int64(len(l.head)) < end {
			l.head = append(l.head, make([]byte, end-int64(len(l.head)))...)
		}
		copy(l.head[off:end], p)
	}
	if l.file == nil {
		return len(p), nil
	}
	return l.file.WriteAt(p, off)
}

// End tells of a message that is whole. A file has its name from then on, and
// one that is not whole goes.
func (l *large) End(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	path := ""
	if l.file != nil {
		path = strings.TrimSuffix(l.file.Name(), ".part")
		cerr := l.file.Close()
		if err == nil {
			err = cerr
		}
		if err == nil {
			err = os.Rename(l.file.Name(), path)
		}
		if err != nil {
			_ = os.Remove(l.file.Name())
		}
	}
	if err != nil {
		l.session.client.emit(Failed(fmt.Errorf("a message of %s came to nothing after %d bytes: %w", l.session.peer, l.size, err)))
		return err
	}
	m := msrp.Message{Incoming: l.info}
	m.Size = l.size
	if l.size <= inMemory {
		m.Body = l.head
	}
	l.session.tell(m, l.early, path)
	return nil
}
