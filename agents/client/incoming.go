package client

import (
	"crypto/rand"
	"fmt"
	"io"
	"sync"

	"presfed/agents/internal/file"
	"presfed/agents/internal/msrp"
)

// inMemory is up to which size a message of a session is kept in memory, in
// bytes. What is larger, or may be, is only counted, or goes to a file.
const inMemory = 1 << 20

// maxHeads bounds the messages of all sessions that come without a size and are kept
// in memory while they may turn out to be small.
const maxHeads = 64

// incoming decides what becomes of a message that begins: one that is small is
// assembled in memory (nil).
func (s *Session) incoming(in msrp.Incoming, early bool) (msrp.Sink, error) {
	if in.Size != msrp.Unknown && in.Size <= inMemory {
		return nil, nil
	}
	l := &large{session: s, early: early, info: in}
	l.small = in.Size == msrp.Unknown && s.client.heads.Add(1) <= maxHeads
	if dir := s.client.cfg.Save; dir != "" {
		var err error
		if l.part, err = file.NewPart(dir); err != nil {
			l.uncount()
			s.client.log.Error("a message cannot be saved", "peer", s.peer, "error", err)
			return nil, onDisk(err)
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
	part    *file.Part // nil: it is not kept

	mu    sync.Mutex
	small bool   // it may turn out to be, and is kept in head
	head  []byte // up to inMemory
	size  int64
	over  bool
}

// uncount takes it from the client's heads.
func (l *large) uncount() {
	if l.info.Size == msrp.Unknown {
		l.session.client.heads.Add(-1)
	}
}

func (l *large) WriteAt(p []byte, off int64) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return 0, io.ErrClosedPipe
	}
	l.size = max(l.size, off+int64(len(p)))
	if l.size > inMemory {
		l.small, l.head = false, nil
	} else if end := off + int64(len(p)); l.small && off < end {
		if int64(len(l.head)) < end {
			l.head = append(l.head, make([]byte, end-int64(len(l.head)))...)
		}
		copy(l.head[off:end], p)
	}
	if l.part == nil {
		return len(p), nil
	}
	n, err := l.part.WriteAt(p, off)
	return n, onDisk(err)
}

// End tells of a message that is whole. A file has its name from then on, and is on
// the disk; of one that is not whole there is none.
func (l *large) End(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.uncount()
	path := ""
	if l.part != nil {
		if err == nil {
			path, err = l.part.Keep("im-" + rand.Text()[:12])
			err = onDisk(err)
		}
		if cerr := l.part.Close(); cerr != nil {
			l.session.client.log.Error("what has come of a message may stay", "peer", l.session.peer, "error", cerr)
		}
	}
	if err != nil {
		l.session.client.emit(Failed(fmt.Errorf("a message of %s came to nothing after %d bytes: %w", l.session.peer, l.size, err)))
		return err
	}
	m := msrp.Message{Incoming: l.info}
	m.Size = l.size
	if l.small {
		m.Body = l.head
	}
	l.session.tell(m, l.early, path)
	return nil
}
