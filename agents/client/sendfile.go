package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"presfed/agents/internal/file"
	"presfed/agents/internal/msrp"
)

// FileOptions say how SendFile sends.
type FileOptions struct {
	ContentType string        // empty: by the ending of the file's name
	Timeout     time.Duration // until the offer is answered; 0: as long as it may ring
	// Progress hears how much has been sent, often, from the goroutine that sends.
	Progress func(sent, size int64)
}

// SendFile offers a file to a user in a session of its own, sends it when a device
// takes it, and ends the session (RFC 5547). It returns when the peer has the
// whole file and has said so. An ended ctx gives it up, and the peer keeps
// nothing. Errors: a *RefusedError, a *StatusError with what the peer said by MSRP,
// ErrNoFiles, ErrDeclined, ErrTooLarge, ErrType, ErrLost, ErrLate, or what is
// wrong with the file (*fs.PathError).
func (c *Client) SendFile(ctx context.Context, target, path string, o FileOptions) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // of a pipe, nobody is waited for
	if err != nil {
		return err
	}
	defer f.Close()
	d, err := describe(ctx, f, o.ContentType)
	if err != nil {
		return err
	}
	answer, cancel := context.WithTimeout(ctx, cmp.Or(o.Timeout, callTime))
	s, err := c.callFor(answer, target, "", d)
	cancel()
	if err != nil {
		return err
	}
	err = s.sendFile(ctx, f, o.Progress)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	if cerr := s.Close(last); err == nil {
		err = cerr
	}
	if err == nil {
		c.emit(Event{Type: "sent", Peer: s.peer, Via: "file", File: path, ContentType: d.Type, Size: d.Size, Hash: d.NewChecker().String()})
	}
	return err
}

// describe reads a file once, for its hashes, and leaves it at its beginning.
func describe(ctx context.Context, f *os.File, contentType string) (*file.Description, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "send", Path: f.Name(), Err: errors.New("not a file with an end")}
	}
	hashes, size, err := file.Sum(counted{ctx, f, nil})
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, err
	}
	if contentType == "" {
		contentType, _, _ = strings.Cut(mime.TypeByExtension(filepath.Ext(f.Name())), ";")
	}
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	return &file.Description{
		Name: filepath.Base(f.Name()), Type: contentType, Size: size, Hashes: hashes, ID: rand.Text(),
		Disposition: "attachment", Modified: info.ModTime(),
	}, nil
}

func (s *Session) sendFile(ctx context.Context, f io.Reader, progress func(sent, size int64)) error {
	d, sent := s.sends, int64(0)
	body := counted{ctx, f, func(n int) {
		if sent += int64(n); progress != nil {
			progress(sent, d.Size)
		}
	}}
	_, err := s.media.Send(ctx, d.Type, io.LimitReader(body, d.Size), msrp.SendOptions{
		Size:        d.Size,
		Disposition: mime.FormatMediaType(d.Disposition, map[string]string{"filename": d.Name, "size": strconv.FormatInt(d.Size, 10)}),
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, msrp.ErrClosed) && ctx.Err() == nil:
		return fmt.Errorf("%s ended the session after about %d of %d bytes: %w", s.peer, sent, d.Size, ErrLost)
	}
	return fmt.Errorf("file to %s, after about %d of %d bytes: %w", s.peer, sent, d.Size, err)
}

// counted reads until its ctx ends, and tells how much.
type counted struct {
	ctx context.Context
	io.Reader
	read func(n int)
}

func (c counted) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	n, err := c.Reader.Read(p)
	if c.read != nil && n > 0 {
		c.read(n)
	}
	return n, err
}
