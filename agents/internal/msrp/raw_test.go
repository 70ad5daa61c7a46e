package msrp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// bound is a passive session of a new endpoint, and a peer bound to it.
func bound(t *testing.T, cfg Config, scfg SessionConfig) (*Session, *peer) {
	t.Helper()
	e := startEndpoint(t, cfg)
	s := newSession(t, e, scfg)
	if err := s.Start(testContext(t), describe(t, peerURI), Passive); err != nil {
		t.Fatal(err)
	}
	p := dialPeer(t, e)
	p.send(s, `
MSRP bind0001 SEND
To-Path: {our}
From-Path: {peer}
Message-ID: bind
-------bind0001$
`)
	p.expect(s, `
MSRP bind0001 200 OK
To-Path: {peer}
From-Path: {our}
-------bind0001$
`)
	await(t, s.Ready())
	return s, p
}

// RFC 4975 section 11.1, the receiving side.
func TestAMessageByHand(t *testing.T) {
	inbox := newInbox()
	s, p := bound(t, Config{}, inbox.config())
	p.send(s, `
MSRP d93kswow SEND
To-Path: {our}
From-Path: {peer}
Message-ID: 12339sdqwer
Byte-Range: 1-16/16
Content-Type: text/plain

Hi, I'm Alice!
-------d93kswow$
`)
	p.expect(s, `
MSRP d93kswow 200 OK
To-Path: {peer}
From-Path: {our}
-------d93kswow$
`)
	// The RFC's body has 14 characters, whatever its Byte-Range says; what is
	// there counts.
	if m := await(t, inbox.messages); string(m.Body) != "Hi, I'm Alice!" || m.ID != "12339sdqwer" || m.Size != 14 {
		t.Errorf("got %+v", m)
	}
}

// RFC 4975 section 5.1, figure 3; then its chunks the other way round.
func TestChunksByHand(t *testing.T) {
	first := `
MSRP dkei38sd SEND
To-Path: {our}
From-Path: {peer}
Message-ID: 4564dpWd
Byte-Range: 1-*/8
Content-Type: text/plain

abcd
-------dkei38sd+
`
	second := `
MSRP dkei38ia SEND
To-Path: {our}
From-Path: {peer}
Message-ID: 4564dpWd
Byte-Range: 5-8/8
Content-Type: text/plain

EFGH
-------dkei38ia$
`
	for _, chunks := range [][]string{{first, second}, {second, first}, {first, first, second}} {
		inbox := newInbox()
		s, p := bound(t, Config{}, inbox.config())
		for _, c := range chunks {
			p.send(s, c)
			if f, _, _ := p.frame(); f.Status != 200 {
				t.Fatalf("%+v", f)
			}
		}
		if m := await(t, inbox.messages); string(m.Body) != "abcdEFGH" || m.Size != 8 {
			t.Errorf("got %+v", m)
		}
	}
}

// RFC 4975 section 7.3.1: of bytes that come twice, the later count.
func TestOverlappingChunks(t *testing.T) {
	inbox := newInbox()
	s, p := bound(t, Config{}, inbox.config())
	for i, c := range []struct {
		at   int
		body string
		flag string
	}{{3, "cde", "+"}, {5, "EFG", "+"}, {9, "ij", "$"}, {8, "h", "+"}, {1, "ab", "+"}} {
		id := fmt.Sprintf("chunk%03d", i)
		p.send(s, fmt.Sprintf("MSRP %s SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: over\nByte-Range: %d-*/*\nContent-Type: a/b\n\n%s\n-------%s%s\n", id, c.at, c.body, id, c.flag))
		if f, _, _ := p.frame(); f.Status != 200 {
			t.Fatalf("%+v", f)
		}
	}
	if m := await(t, inbox.messages); string(m.Body) != "abcdEFGhij" {
		t.Errorf("got %q", m.Body)
	}
}

// RFC 4975 section 11.6. Its Byte-Range says 106, but with a CRLF at each line's
// end the body has 121 bytes: these are what was received.
func TestASuccessReportByHand(t *testing.T) {
	inbox := newInbox()
	s, p := bound(t, Config{}, inbox.config())
	p.send(s, `
MSRP d93kswow SEND
To-Path: {our}
From-Path: {peer}
Message-ID: 12339sdqwer
Byte-Range: 1-106/106
Success-Report: yes
Failure-Report: no
Content-Type: text/html

<html><body>
<p>Here is that important link...
<a href="http://www.example.com/foobar">foobar</a>
</p>
</body></html>
-------d93kswow$
`)
	f, _, flag := p.frame()
	status, _ := f.Headers.Get("Status")
	br, _ := f.Headers.Get("Byte-Range")
	to, _ := f.Headers.Get("To-Path")
	if f.Method != "REPORT" || flag != Last || f.MessageID() != "12339sdqwer" || status != "000 200 OK" || br != "1-121/121" || to != p.uri || f.HasBody {
		t.Errorf("got %+v", f)
	}
}

func TestFailureReportDecidesWhatIsAnswered(t *testing.T) {
	s, p := bound(t, Config{}, SessionConfig{AcceptTypes: []string{"text/plain"}, OnMessage: func(Message) {}})
	send := func(id, report, contentType string) {
		p.send(s, "MSRP "+id+" SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: m"+id+"\nFailure-Report: "+report+"\nContent-Type: "+contentType+"\n\nx\n-------"+id+"$\n")
	}
	// One answer for each that is due, in order; none between them.
	send("none0001", "no", "text/plain")
	send("none0002", "no", "image/png")
	send("part0001", "partial", "text/plain")
	send("part0002", "partial", "image/png")
	send("full0001", "yes", "text/plain; charset=utf-8")
	send("full0002", "yes", "image/png")
	for _, want := range []string{"part0002 415", "full0001 200", "full0002 415"} {
		f, _, _ := p.frame()
		if got := fmt.Sprintf("%s %d", f.Transaction, f.Status); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

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

// RFC 6135: the answer may be later than the answerer's first request.
func TestAPeerMayBeQuickerThanItsAnswer(t *testing.T) {
	for _, c := range []struct {
		named string
		good  bool
	}{{peerURI, true}, {"msrp://127.0.0.1:9/another;tcp", false}} {
		inbox := newInbox()
		e := startEndpoint(t, Config{})
		s := newSession(t, e, inbox.config())
		p := dialPeer(t, e)
		p.send(s, "MSRP abcd1234 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: early\nContent-Type: text/plain\n\nR u there\n-------abcd1234$\n")
		if f, _, _ := p.frame(); f.Status != 200 {
			t.Fatalf("got %+v", f)
		}
		if m := await(t, inbox.messages); string(m.Body) != "R u there" {
			t.Errorf("got %+v", m)
		}
		select {
		case <-s.Ready():
			t.Error("ready without a peer")
		default:
		}
		err := s.Start(testContext(t), describe(t, c.named), Passive)
		if (err == nil) != c.good {
			t.Errorf("Start with %s: %v", c.named, err)
		}
		if c.good {
			await(t, s.Ready())
		} else {
			await(t, s.Done())
		}
	}
}

func TestTheActiveSideBindsAtOnce(t *testing.T) {
	uri, accept := listenPeer(t)
	e := startEndpoint(t, Config{})
	s := newSession(t, e, SessionConfig{})
	started := make(chan error, 1)
	go func() { started <- s.Start(context.Background(), describe(t, uri), Active) }()
	p := accept()
	f, body, flag := p.frame()
	var names []string
	for _, h := range f.Headers {
		names = append(names, h.Name+": "+h.Value)
	}
	want := []string{"To-Path: " + uri, "From-Path: " + s.LocalPath().String(), "Message-ID: " + f.MessageID(), "Byte-Range: 1-0/0"}
	if strings.Join(names, "\n") != strings.Join(want, "\n") || f.Method != "SEND" || f.HasBody || body != "" || flag != Last {
		t.Errorf("got %+v", f)
	}
	select {
	case err := <-started:
		t.Errorf("bound without an answer: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
	p.respond(s, f, "200 OK")
	if err := await(t, started); err != nil {
		t.Error(err)
	}
}

func TestBindingRefused(t *testing.T) {
	uri, accept := listenPeer(t)
	e := startEndpoint(t, Config{})
	s := newSession(t, e, SessionConfig{})
	started := make(chan error, 1)
	go func() { started <- s.Start(context.Background(), describe(t, uri), Active) }()
	p := accept()
	f, _, _ := p.frame()
	p.respond(s, f, "506 taken")
	var status *StatusError
	if err := await(t, started); !errors.As(err, &status) || status.Code != 506 || status.Comment != "taken" {
		t.Errorf("Start: %v", err)
	}
	await(t, s.Done())
}

func TestNobodyListens(t *testing.T) {
	e := startEndpoint(t, Config{})
	other, err := Listen(Config{Listen: loopback})
	if err != nil {
		t.Fatal(err)
	}
	uri := other.newURI()
	other.Close()
	s := newSession(t, e, SessionConfig{})
	if err := s.Start(testContext(t), Description{Path: Path{uri}}, Active); err == nil {
		t.Error("started")
	}
	await(t, s.Done())
}

// Chunks of our own, as RFC 4975 section 7.1.1 wants them.
func TestChunksOnTheWire(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 300) // 4800 bytes
	for _, c := range []struct {
		name  string
		body  io.Reader
		total string
	}{{"size known", strings.NewReader(body), "4800"}, {"size unknown", io.MultiReader(strings.NewReader(body)), "*"}} {
		t.Run(c.name, func(t *testing.T) {
			uri, accept := listenPeer(t)
			e := startEndpoint(t, Config{})
			s := newSession(t, e, SessionConfig{})
			if err := s.Start(testContext(t), describe(t, uri), ActiveSpeaks); err != nil {
				t.Fatal(err)
			}
			sent := make(chan error, 1)
			go func() {
				_, err := s.Send(context.Background(), "text/plain", c.body, SendOptions{MessageID: "m001", Disposition: "attachment"})
				sent <- err
			}()
			p := accept()
			var got bytes.Buffer
			for i, want := range []struct {
				r    string
				flag Flag
			}{{"1-2048/" + c.total, More}, {"2049-4096/" + c.total, More}, {"4097-4800/4800", Last}} {
				f, part, flag := p.frame()
				r, _ := f.Headers.Get("Byte-Range")
				d, _ := f.Headers.Get("Content-Disposition")
				if r != want.r || flag != want.flag || f.MessageID() != "m001" || d != "attachment" || f.Headers[len(f.Headers)-1].Name != "Content-Type" {
					t.Errorf("chunk %d: %+v, %c", i, f, flag)
				}
				got.WriteString(part)
				p.respond(s, f, "200")
			}
			if err := await(t, sent); err != nil || got.String() != body {
				t.Errorf("%v, %d bytes", err, got.Len())
			}
		})
	}
}

// A peer that has said all it has to say still hears the answers.
func TestAHalfClosedConnectionIsAnswered(t *testing.T) {
	s, p := bound(t, Config{}, newInbox().config())
	for range 10 {
		p.send(s, "MSRP next0001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: ping\n-------next0001$\n")
	}
	if err := p.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if f, _, _ := p.frame(); f.Status != 200 {
			t.Errorf("got %+v", f)
		}
	}
	p.closed()
}
