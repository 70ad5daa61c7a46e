package msrp

import (
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// Whatever a peer writes, each of its requests that wants a response has one,
// in order, and nothing else has; nothing is delivered that was not sent to
// this session.
func FuzzWhatAPeerWrites(f *testing.F) {
	paths := "To-Path: {our}\nFrom-Path: {peer}\n"
	for _, seed := range []string{
		"MSRP abcd1234 SEND\n" + paths + "Message-ID: 1234\nByte-Range: 1-3/6\nContent-Type: a/b\n\nabc\n-------abcd1234+\n" +
			"MSRP abcd1235 SEND\n" + paths + "Message-ID: 1234\nByte-Range: 4-6/6\nSuccess-Report: yes\nContent-Type: a/b\n\ndef\n-------abcd1235$\n",
		"MSRP abcd1234 SEND\n" + paths + "Message-ID: 1234\nFailure-Report: no\nContent-Type: a/b\n\nabc\n-------abcd1234#\n",
		"MSRP abcd1234 SEND\n" + paths + "Message-ID: 1234\nFailure-Report: partial\nContent-Type: a/c\n\nabc\n-------abcd1234$\n",
		"MSRP abcd1234 REPORT\n" + paths + "Message-ID: 1234\nByte-Range: 1-2/2\nStatus: 000 413 no\n-------abcd1234$\n",
		"MSRP abcd1234 OTHER\n" + paths + "-------abcd1234$\nMSRP abcd1234 200 OK\n" + paths + "-------abcd1234$\n",
		"MSRP abcd1234 SEND\nTo-Path: msrp://h:1/s;tcp\nFrom-Path: {peer}\nMessage-ID: 1234\n-------abcd1234$\n",
		"MSRP abcd1234 SEND\n" + paths + "Message-ID: 1234\nByte-Range: 9-*/*\nContent-Type: a/b\n\nabc\n-------abcd1234$\n",
	} {
		f.Add([]byte(crlf(seed)))
	}
	e, err := Listen(Config{Listen: loopback, Limits: Limits{Message: 64, Buffer: 256, Incoming: 4, Gaps: 2, Head: 1024}})
	if err != nil {
		f.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- e.Run(context.Background()) }()
	f.Cleanup(func() {
		e.Close()
		<-ran
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		var delivered int
		s, err := e.NewSession(SessionConfig{AcceptTypes: []string{"a/b"}, OnMessage: func(m Message) {
			delivered++
			if m.Size != int64(len(m.Body)) || m.Size > 64 || m.ContentType == "" {
				t.Errorf("delivered %+v", m)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		own := s.LocalPath().String()
		data = []byte(strings.NewReplacer("{our}", own, "{peer}", peerURI).Replace(string(data)))
		due, sends := answersDue(data, e.cfg.Limits)

		p, err := net.Dial("tcp", e.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		_ = p.SetDeadline(time.Now().Add(patience))
		go func() {
			_, _ = p.Write(data)
			_ = p.(*net.TCPConn).CloseWrite()
		}()
		got, end := readAll(p, Limits{})
		s.Close()
		<-s.Done()
		for _, x := range got {
			if x.Flag == 0 || x.Problem {
				t.Fatalf("wrote %+v", x)
			}
			if x.Frame.Method == MethodReport {
				continue
			}
			for len(due) > 0 && due[0].optional && due[0].transaction != x.Frame.Transaction {
				due = due[1:]
			}
			if len(due) == 0 || due[0].transaction != x.Frame.Transaction {
				t.Fatalf("answered %+v, due %+v", x, due)
			}
			due = due[1:]
		}
		if i := slices.IndexFunc(due, func(d answerDue) bool { return !d.optional }); i >= 0 && end == io.EOF {
			t.Fatalf("no answer to %+v in %q", due[i], data)
		}
		if delivered > sends {
			t.Fatalf("%d delivered of %d sent", delivered, sends)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.waiting != 0 || s.buffered < 0 || s.buffered > 256 {
			t.Fatalf("%d waiting, %d bytes booked", s.waiting, s.buffered)
		}
	})
}

type answerDue struct {
	transaction string
	optional    bool // with Failure-Report: partial, only a refusal comes
}

// answersDue reads what a peer writes, up to where it breaks off or leaves no
// path to answer on.
func answersDue(data []byte, limits Limits) (due []answerDue, sends int) {
	events, _ := readAll(bytes.NewReader(data), limits)
	for _, x := range events {
		f := x.Frame
		if x.Flag == 0 {
			break
		}
		if f.Method == MethodSend {
			sends++
		}
		if f.IsResponse() || f.Method == MethodReport || f.FailureReport() == FailureNo {
			continue
		}
		back, _ := f.Headers.Get(headerFromPath)
		if f.Method == MethodSend {
			back, _, _ = strings.Cut(back, " ")
		}
		if _, err := ParsePath(back); err != nil {
			break
		}
		due = append(due, answerDue{f.Transaction, f.FailureReport() == FailurePartial})
	}
	return due, sends
}
