package msrp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
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

// RFC 4975 sections 7.2 and 7.1.3: a response goes to the last hop, a REPORT the
// whole way back.
func TestReportsGoTheWholeWayBack(t *testing.T) {
	inbox := newInbox()
	s, p := bound(t, Config{}, inbox.config())
	const relay = "msrp://127.0.0.1:7/relay;tcp"
	p.send(s, `
MSRP d93kswow SEND
To-Path: {our}
From-Path: `+relay+` {peer}
Message-ID: 12339sdqwer
Byte-Range: 1-2/2
Success-Report: yes
Content-Type: text/plain

Hi
-------d93kswow$
`)
	for _, want := range []string{relay, relay + " " + p.uri} {
		f, _, _ := p.frame()
		if to, _ := f.Headers.Get("To-Path"); to != want {
			t.Errorf("%s%d to %s, want %s", f.Method, f.Status, to, want)
		}
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

// Chunks of our own, as RFC 4975 section 7.1.1 wants them.
func TestChunksOnTheWire(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 4196) // 67136 bytes, two chunks and a small one
	for _, c := range []struct {
		name  string
		body  io.Reader
		total string
	}{{"size known", strings.NewReader(body), "67136"}, {"size unknown", io.MultiReader(strings.NewReader(body)), "*"}} {
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
			}{{"1-*/" + c.total, More}, {"32769-*/" + c.total, More}, {"65537-67136/67136", Last}} {
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
