package msrp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// midChunk is a peer that has read the head and the first slice of a large
// message's first chunk, whose next slice is being written: nothing is held
// between the two ends.
func midChunk(t *testing.T, body []byte) (*Session, *peer, *Frame, chan error) {
	t.Helper()
	e := startEndpoint(t, Config{})
	s := newSession(t, e, SessionConfig{})
	if err := s.Start(testContext(t), describe(t, peerURI), Passive); err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	if err := e.addConn(e.newConn(ours, "")); err != nil {
		t.Fatal(err)
	}
	p := newPeer(t, theirs)
	p.send(s, "MSRP bind0001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: bind\n-------bind0001$\n")
	p.frame()
	await(t, s.Ready())
	result := make(chan error, 1)
	go func() {
		_, err := s.Send(context.Background(), "a/b", bytes.NewReader(body), SendOptions{MessageID: "long"})
		result <- err
	}()
	f, err := p.r.Next()
	if err != nil {
		t.Fatal(err)
	}
	return s, p, f, result
}

// RFC 4975 section 7.1.1: a chunk of more than 2048 bytes is interrupted where
// something else has to go out, and another goes on where it ended.
func TestLargeChunksAreInterrupted(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 10_000)
	for name, waits := range map[string]func(s *Session, p *peer){
		"by another message": func(s *Session, _ *peer) {
			go func() { _, _ = s.Send(context.Background(), "a/b", strings.NewReader("short"), SendOptions{}) }()
		},
		"by a response": func(s *Session, p *peer) {
			p.send(s, "MSRP ask00001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: ask1\n-------ask00001$\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, p, f, result := midChunk(t, body)
			waits(s, p)
			queued := func() bool {
				s.conn.out.mu.Lock()
				defer s.conn.out.mu.Unlock()
				return len(s.conn.out.urgent) > 0 || len(s.conn.out.lanes) > 1
			}
			for end := time.Now().Add(patience); !queued(); runtime.Gosched() {
				if time.Now().After(end) {
					t.Fatal("nothing is queued")
				}
			}
			for i, at := 0, 0; at < len(body); i++ {
				part, err := io.ReadAll(p.r)
				if err != nil {
					t.Fatal(err)
				}
				r, err := f.ByteRange()
				if err != nil || r != (ByteRange{int64(at) + 1, Unknown, int64(len(body))}) || !bytes.Equal(part, body[at:at+len(part)]) {
					t.Fatalf("behind %d bytes: %+v, %v", at, r, err)
				}
				if at += len(part); i == 0 && (len(part) > 2*slice || p.r.Flag() != More) {
					t.Errorf("interrupted after %d bytes with %c", len(part), p.r.Flag())
				}
				go p.respond(s, f, "200 OK")
				for other := i == 0; at < len(body); other = false {
					if f, err = p.r.Next(); err != nil {
						t.Fatal(err)
					}
					if f.MessageID() == "long" {
						break
					}
					if !other {
						t.Errorf("%+v does not come at once", f)
					}
					if !f.IsResponse() {
						go p.respond(s, f, "200 OK")
					}
				}
			}
			if err := await(t, result); err != nil {
				t.Error(err)
			}
		})
	}
}

// RFC 4975 sections 7.3.2 and 10.5: who hears in the middle of a chunk that the
// message is not wanted ends it there, with "#".
func TestARefusalInterruptsTheChunk(t *testing.T) {
	body := make([]byte, 1<<20)
	for name, refuse := range map[string]func(s *Session, p *peer, f *Frame){
		"a response": func(s *Session, p *peer, f *Frame) { p.respond(s, f, "413 enough") },
		"a REPORT": func(s *Session, p *peer, f *Frame) {
			p.send(s, "MSRP rep00001 REPORT\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: long\nByte-Range: 1-*/*\nStatus: 000 413 enough\n-------rep00001$\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, p, f, result := midChunk(t, body)
			refuse(s, p, f)
			var status *StatusError
			if err := await(t, result); !errors.As(err, &status) || status.Code != 413 {
				t.Fatalf("Send: %v", err)
			}
			if part, err := io.ReadAll(p.r); err != nil || len(part) > 2*slice || p.r.Flag() != Abort {
				t.Errorf("%d bytes, %c, %v", len(part), p.r.Flag(), err)
			}
			p.send(s, "MSRP next0001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: ping\n-------next0001$\n")
			if f, _, _ := p.frame(); f.Transaction != "next0001" || f.Status != 200 {
				t.Errorf("the session suffers: %+v", f)
			}
		})
	}
}

// A Sink that cannot keep what it took refuses the last chunk: no 200 comes.
func TestASinkMayRefuseAtTheEnd(t *testing.T) {
	s, p := bound(t, Config{}, SessionConfig{Accept: func(Incoming) (Sink, error) { return keepsNothing{}, nil }})
	for _, flag := range []string{"+", "$"} {
		at := map[string]string{"+": "1-3/6", "$": "4-6/6"}[flag]
		p.send(s, "MSRP chunk001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: file\nByte-Range: "+at+"\nSuccess-Report: yes\nContent-Type: a/b\n\nabc\n-------chunk001"+flag+"\n")
		if f, _, _ := p.frame(); flag == "+" && f.Status != 200 || flag == "$" && (f.Status != 413 || f.Comment != "hash differs") {
			t.Errorf("%s: %+v", flag, f)
		}
	}
	p.send(s, "MSRP next0001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: ping\n-------next0001$\n")
	if f, _, _ := p.frame(); f.Transaction != "next0001" || f.Status != 200 {
		t.Errorf("a success REPORT? %+v", f)
	}
	s.Close()
	await(t, s.Done())
}

type keepsNothing struct{}

func (keepsNothing) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (keepsNothing) End(err error) error {
	if err != nil {
		return nil
	}
	return &StatusError{Code: StatusStop, Comment: "hash differs"}
}
