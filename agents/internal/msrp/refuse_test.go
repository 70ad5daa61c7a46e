package msrp

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestRefusals(t *testing.T) {
	const paths = "To-Path: {our}\nFrom-Path: {peer}\n"
	for name, c := range map[string]struct {
		method, head string
		status       int
	}{
		"another session":       {"SEND", "To-Path: msrp://127.0.0.1:5/nobody;tcp\nFrom-Path: {peer}\nMessage-ID: 1234\n", 481},
		"the device":            {"SEND", "To-Path: msrp://127.0.0.1:5;tcp\nFrom-Path: {peer}\nMessage-ID: 1234\n", 481},
		"two URIs in To-Path":   {"SEND", "To-Path: {our} {our}\nFrom-Path: {peer}\nMessage-ID: 1234\n", 481},
		"another peer":          {"SEND", "To-Path: {our}\nFrom-Path: msrp://127.0.0.1:9/other;tcp\nMessage-ID: 1234\n", 481},
		"no such method":        {"NICKNAME", paths + "Use-Nickname: \"bob\"\n", 501},
		"no Message-ID":         {"SEND", paths + "Content-Type: a/b\n\nx\n", 400},
		"no Content-Type":       {"SEND", paths + "Message-ID: 1234\n\nx\n", 400},
		"an impossible range":   {"SEND", paths + "Message-ID: 1234\nByte-Range: 7-3/9\nContent-Type: a/b\n\nx\n", 400},
		"a header without name": {"SEND", paths + ": x\n", 400},
		"too large, announced":  {"SEND", paths + "Message-ID: 1234\nByte-Range: 1-*/5000000000\nContent-Type: a/b\n\nxyz\n", 413},
		"too large, far behind": {"SEND", paths + "Message-ID: 1234\nByte-Range: 999999999999-*/*\nContent-Type: a/b\n\nxyz\n", 413},
		"too large, found out":  {"SEND", paths + "Message-ID: 1234\nContent-Type: a/b\n\n" + strings.Repeat("x", 2000) + "\n", 413},
		"not wanted":            {"SEND", paths + "Message-ID: 1234\nContent-Type: not/wanted\n\nx\n", 403},
		"not wanted for longer": {"SEND", paths + "Message-ID: 1234\nContent-Type: stop/it\n\nx\n", 413},
		"a response due to all": {"OTHER", "To-Path: {our}\nFrom-Path: msrp://127.0.0.1:7/relay;tcp {peer}\n", 501},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := bound(t, Config{}, SessionConfig{
				MaxSize: 1000, OnMessage: func(m Message) { t.Errorf("delivered: %+v", m) },
				Accept: func(in Incoming) (Sink, error) {
					switch in.ContentType {
					case "not/wanted":
						return nil, errors.New("no")
					case "stop/it":
						return nil, &StatusError{Code: 413, Comment: "Enough"}
					}
					return nil, nil
				},
			})
			p.send(s, "MSRP abcd1234 "+c.method+"\n"+c.head+"-------abcd1234$\n")
			f, _, _ := p.frame()
			if f.Transaction != "abcd1234" || f.Status != c.status {
				t.Errorf("got %+v, want %d", f, c.status)
			}
			from, _ := f.Headers.Get("From-Path")
			to, _ := f.Headers.Get("To-Path")
			if strings.Contains(c.head, "relay") {
				if to != "msrp://127.0.0.1:7/relay;tcp "+p.uri {
					t.Errorf("To-Path %s: RFC 4975 section 7.2 wants the full path", to)
				}
			} else if strings.Contains(c.head, "From-Path: {peer}") && to != p.uri || from == "" {
				t.Errorf("paths: %+v", f)
			}
			// The connection and the session are as good as before.
			p.send(s, "MSRP next0001 SEND\n"+paths+"Message-ID: ping\n-------next0001$\n")
			if f, _, _ := p.frame(); f.Transaction != "next0001" || f.Status != 200 {
				t.Errorf("afterwards: %+v", f)
			}
		})
	}
}

func TestARefusedMessageStaysRefused(t *testing.T) {
	asked := 0
	s, p := bound(t, Config{}, SessionConfig{Accept: func(Incoming) (Sink, error) { asked++; return nil, &StatusError{Code: 413} }})
	for i := range 3 {
		id := fmt.Sprintf("abcd000%d", i)
		p.send(s, "MSRP "+id+" SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: long\nByte-Range: "+fmt.Sprint(i+1)+"-*/*\nContent-Type: a/b\n\nx\n-------"+id+"+\n")
		if f, _, _ := p.frame(); f.Status != 413 {
			t.Errorf("got %+v", f)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// A chunk larger than what a record holds is handed on while it comes; when it
// is refused, its rest is not taken for ever.
func TestAnUnboundedChunkIsStoppedWhileItComes(t *testing.T) {
	stream := NewStream(0)
	s, p := bound(t, Config{}, SessionConfig{Accept: func(Incoming) (Sink, error) { return stream, nil }})
	p.send(s, "MSRP long0001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: long\nByte-Range: 1-*/*\nContent-Type: a/b\n\n")
	wrote := make(chan error, 1)
	go func() {
		_, err := io.CopyN(p.conn, endless{}, 100<<20)
		wrote <- err
	}()
	if _, err := io.CopyN(io.Discard, stream, 1<<20); err != nil {
		t.Fatal(err)
	}
	stream.Close()
	if f, _, _ := p.frame(); f.Transaction != "long0001" || f.Status != 413 {
		t.Errorf("got %+v", f)
	}
	if err := await(t, wrote); err == nil {
		t.Error("100 MB more were taken of a chunk that nobody wants")
	}
}

func TestASecondConnectionIsRefused(t *testing.T) {
	inbox := newInbox()
	s, p := bound(t, Config{}, inbox.config())
	q := dialPeer(t, s.e)
	q.send(s, `
MSRP abcd1234 SEND
To-Path: {our}
From-Path: {peer}
Message-ID: evil
Content-Type: text/plain

x
-------abcd1234$
`)
	q.expect(s, `
MSRP abcd1234 506 Session Bound To Another Connection
To-Path: {peer}
From-Path: {our}
-------abcd1234$
`)
	q.conn.Close()
	p.send(s, "MSRP next0001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: ping\n-------next0001$\n")
	if f, _, _ := p.frame(); f.Status != 200 {
		t.Errorf("the first connection suffers: %+v", f)
	}
}

func TestREPORTsAreNeverAnswered(t *testing.T) {
	s, p := bound(t, Config{}, SessionConfig{})
	for _, head := range []string{
		"To-Path: {our}\nFrom-Path: {peer}\nMessage-ID: 1234\nStatus: 000 200 OK\n",
		"To-Path: {our}\nFrom-Path: {peer}\nMessage-ID: 1234\n",
		"To-Path: msrp://127.0.0.1:5/nobody;tcp\nFrom-Path: {peer}\nMessage-ID: 1234\nStatus: 000 200 OK\n",
	} {
		p.send(s, "MSRP abcd1234 REPORT\n"+head+"-------abcd1234$\n")
	}
	p.send(s, "MSRP next0001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: ping\n-------next0001$\n")
	if f, _, _ := p.frame(); f.Transaction != "next0001" {
		t.Errorf("answered: %+v", f)
	}
}

func TestNobodyToAnswerEndsTheConnection(t *testing.T) {
	for name, wire := range map[string]string{
		"no path back": "MSRP abcd1234 SEND\r\nMessage-ID: 1234\r\n-------abcd1234$\r\n",
		"not MSRP":     "GET / HTTP/1.1\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := dialPeer(t, startEndpoint(t, Config{}))
			if _, err := io.WriteString(p.conn, wire); err != nil {
				t.Fatal(err)
			}
			p.closed()
		})
	}
}
