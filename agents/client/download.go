package client

import (
	"context"
	"fmt"
	"io"
	"sync"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/file"
	"presfed/agents/internal/msrp"
)

// download is a file that comes: it has a name only when it is whole, has its hash,
// and is on the disk. It is a sink (msrp.Sink).
type download struct {
	client *Client
	from   string
	file   *file.Description
	most   int64         // bytes that may come
	name   string        // safe
	check  *file.Checker // nil: there is nothing to check

	mu      sync.Mutex
	part    *file.Part // nil: nothing has come yet, or it is over
	next    int64      // what is before it has been hashed
	size    int64
	mixed   bool // it did not come in order, and is to be read for its hash
	over    bool // an event has said what became of it
	session *Session
	idle    clock.Timer // ends the session of a peer that neither sends nor goes
}

// await ends the session unless something happens. The lock is held.
func (d *download) await() {
	d.idle = d.client.clock.AfterFunc(ringTime, func() {
		d.client.spawn(func(context.Context) { d.session.giveUpOn("nothing more came") })
	})
}

// media is the session's end: one message, of the type that was offered.
func (d *download) media(s *Session, secure bool) (*msrp.Session, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.session = s
	d.await()
	types := []string{"*"}
	if d.file.Type != "" {
		types = []string{d.file.Type}
	}
	return d.client.media.NewSession(msrp.SessionConfig{
		User: d.client.aor.User, AcceptTypes: types, Secure: secure, MaxSize: max(d.most, 1),
		Accept: d.begin,
	})
}

func (d *download) begin(in msrp.Incoming) (msrp.Sink, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.part != nil || d.over {
		return nil, &msrp.StatusError{Code: msrp.StatusForbidden, Comment: "one file a session"} // RFC 5547 section 8.7
	}
	d.idle.Stop()
	var err error
	if d.part, err = file.NewPart(d.client.cfg.AcceptFiles); err != nil {
		d.client.log.Error("a file cannot be saved", "peer", d.from, "error", err)
		d.tell("failed", "", err.Error())
		return nil, onDisk(err)
	}
	return d, nil
}

func (d *download) WriteAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.part == nil {
		return 0, io.ErrClosedPipe
	}
	n, err := d.part.WriteAt(p, off)
	end := off + int64(n)
	d.size = max(d.size, end)
	if off == d.next && d.check != nil {
		_, _ = d.check.Write(p[:n])
		d.next = end
	} else if off != d.next {
		d.mixed = true
	}
	return n, onDisk(err)
}

// End keeps the file if it is what was offered, else nothing of it.
func (d *download) End(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.part == nil {
		return err
	}
	path := ""
	if err == nil {
		err = d.verify()
	}
	if err == nil {
		path, err = d.part.Keep(d.name)
		err = onDisk(err)
	}
	if cerr := d.part.Close(); cerr != nil {
		d.client.log.Error("what has come of a file may stay", "peer", d.from, "error", cerr)
	}
	d.part = nil
	if err != nil {
		d.tell("failed", "", err.Error())
		d.client.log.Info("a file was not kept", "peer", d.from, "error", err)
		return err
	}
	d.tell("complete", path, "")
	return nil
}

// verify holds what has come against what was offered. Its errors are what the
// peer is told.
func (d *download) verify() error {
	if d.file.Size != file.Unknown && d.size != d.file.Size {
		return &msrp.StatusError{Code: msrp.StatusStop, Comment: fmt.Sprintf("%d bytes came, not %d", d.size, d.file.Size)}
	}
	if d.check == nil {
		return nil
	}
	if d.mixed {
		d.check.Reset()
		if _, err := io.CopyBuffer(struct{ io.Writer }{d.check}, io.NewSectionReader(d.part, 0, d.size), make([]byte, 256<<10)); err != nil {
			return onDisk(err)
		}
	}
	if !d.check.Matches() {
		return &msrp.StatusError{Code: msrp.StatusStop, Comment: "the hash is another"}
	}
	return nil
}

// close ends what has come to nothing. On nil it does nothing.
func (d *download) close(reason string) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.over {
		d.tell("failed", "", reason)
	}
	d.idle.Stop()
}

// tell tells what became of the file, once. The lock is held.
func (d *download) tell(state, path, reason string) {
	d.over = true
	d.idle.Stop()
	d.await()
	d.client.mu.Lock()
	d.client.downloads--
	d.client.mu.Unlock()
	e := Event{Type: "file", From: d.from, State: state, Name: d.name, File: path, ContentType: d.file.Type, Size: d.size, Reason: reason}
	if state == "complete" && d.check != nil {
		e.Hash = d.check.String()
	}
	d.client.emit(e)
}
