package sip

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/message"
)

// ended waits until the peer has closed a connection in good order, and gives what
// it wrote: a reset could have destroyed that.
func ended(t *testing.T, c io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("not closed: %v after %q", err, b)
	}
	return string(b)
}

// A message that has begun must come to its end, and a new connection must begin.
func TestSlowMessageEndsItsConnection(t *testing.T) {
	for name, sent := range map[string]string{
		"silent":           "",
		"half a line":      "OPTIONS sip:bob@",
		"head":             wireRequest("OPTIONS", "z9hG4bK1", "Content-Length: 5\r\n"),
		"part of the body": wireRequest("OPTIONS", "z9hG4bK1", "Content-Length: 5\r\n") + "abc",
		"after a message":  wireRequest("OPTIONS", "z9hG4bK1", "Content-Length: 0\r\n") + "OPT",
		"after keep-alive": "\r\n\r\nOPT",
	} {
		t.Run(name, func(t *testing.T) {
			closed := make(chan Source, 1)
			server := start(t, &handler{closed: func(s Source) { closed <- s }}, func(c *Config) { c.Limits.ReadTimeout = 20 * time.Millisecond })
			c := raw(t, server, "tcp")
			io.WriteString(c, sent)
			ended(t, c)
			recv(t, closed)
		})
	}
}

// A peer that drips bytes gains nothing by it.
func TestDrippedMessageEndsItsConnection(t *testing.T) {
	server := start(t, &handler{}, func(c *Config) { c.Limits.ReadTimeout = 50 * time.Millisecond })
	c := raw(t, server, "tcp")
	drip := time.NewTicker(5 * time.Millisecond)
	defer drip.Stop()
	for end := time.After(20 * time.Second); ; {
		select {
		case <-drip.C:
		case <-end:
			t.Fatal("still open")
		}
		if _, err := io.WriteString(c, "x"); err != nil {
			return
		}
	}
}

// Between messages a peer may be silent for as long as it likes.
func TestSilenceBetweenMessages(t *testing.T) {
	const patience = 20 * time.Millisecond
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, func(c *Config) { c.Limits.ReadTimeout = patience })
	c := raw(t, server, "tcp")
	r := bufio.NewReader(c)
	for i, head := range []string{"z9hG4bK1", "z9hG4bK2"} {
		whole := wireRequest("OPTIONS", head, "Content-Length: 3\r\n") + "abc"
		io.WriteString(c, whole[:60]) // a deadline is set, and has to be taken back
		io.WriteString(c, whole[60:])
		if _, err := readFrame(r, message.DefaultLimits); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		waiting, cancel := context.WithTimeout(t.Context(), 5*patience)
		<-waiting.Done()
		cancel()
	}
}

// A header without end is answered by 513 as far as it can be, and the peer gets to
// read that though more of its bytes were on their way.
func TestHeaderWithoutEnd(t *testing.T) {
	server := start(t, &handler{}, nil)
	c := raw(t, server, "tcp")
	go func() {
		head := wireRequest("OPTIONS", "z9hG4bKlong", "")
		io.WriteString(c, strings.TrimSuffix(head, "\r\n"))
		for range 1000 {
			if _, err := io.WriteString(c, "X-More: "+strings.Repeat("x", 4000)+"\r\n"); err != nil {
				return
			}
		}
		c.(*net.TCPConn).CloseWrite()
	}()
	if got := ended(t, c); !strings.HasPrefix(got, "SIP/2.0 513 ") || !strings.Contains(got, "branch=z9hG4bKlong") {
		t.Errorf("answered %q", got)
	}
}

// A head above the limit that comes to its end costs its own message, not the
// connection: a peer's carries other users' requests as well.
func TestOverlongHeadKeepsItsConnection(t *testing.T) {
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, nil)
	c := raw(t, server, "tcp")
	r := bufio.NewReader(c)
	more := "X-More: " + strings.Repeat("x", 3*message.DefaultLimits.HeaderBytes) + "\r\nContent-Length: 3\r\n"
	io.WriteString(c, wireRequest("MESSAGE", "z9hG4bKlong", more)+"abc"+wireRequest("OPTIONS", "z9hG4bKnext", "Content-Length: 0\r\n"))
	for _, want := range [][2]string{{"SIP/2.0 513 ", "branch=z9hG4bKlong"}, {"SIP/2.0 200 ", "branch=z9hG4bKnext"}} {
		f, err := readFrame(r, message.DefaultLimits)
		if got := string(f.raw); err != nil || !strings.HasPrefix(got, want[0]) || !strings.Contains(got, want[1]) {
			t.Fatalf("want %s, answered %q, %v", want, got, err)
		}
	}
}

// What a peer passes on may be longer than what a client may send: a head within
// the client's limit has grown on its way.
func TestProvenPeerMaySendMore(t *testing.T) {
	with, _ := secure(t)
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, with)
	peer := start(t, &handler{}, with)
	for name, tt := range map[string]struct {
		to   Target
		want int
	}{
		"a peer":   {Target{Transport: "TLS", Addr: server.Addr("TLS"), ServerName: "localhost"}, 200},
		"a client": {Target{Transport: "TCP", Addr: server.Addr("TCP")}, 513},
	} {
		t.Run(name, func(t *testing.T) {
			req := request("MESSAGE")
			for range message.DefaultLimits.Headers {
				message.Add(req, "Identity", strings.Repeat("x", 3*message.DefaultLimits.HeaderBytes/message.DefaultLimits.Headers))
			}
			got := make(chan outcome, 1)
			peer.Send(req, tt.to, collect(got))
			if o := recv(t, got); o.status != tt.want {
				t.Errorf("%+v, want %d", o, tt.want)
			}
		})
	}
}

// A body that nobody would read to its end is answered by 413 at once.
func TestHugeBody(t *testing.T) {
	server := start(t, &handler{}, nil)
	c := raw(t, server, "tcp")
	io.WriteString(c, wireRequest("MESSAGE", "z9hG4bKhuge", "Content-Length: 1000000000\r\n"))
	go func() {
		for range 8 {
			if _, err := c.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
		c.(*net.TCPConn).CloseWrite()
	}()
	if got := ended(t, c); !strings.HasPrefix(got, "SIP/2.0 413 ") || !strings.Contains(got, "branch=z9hG4bKhuge") {
		t.Errorf("answered %q", got)
	}
}

func TestLargeDatagrams(t *testing.T) {
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, func(c *Config) {
		c.Limits.Message.HeaderBytes, c.Limits.Message.BodyBytes = 2000, 1000
	})
	c := raw(t, server, "udp")
	buf := make([]byte, 8192)
	for _, tt := range []struct{ send, want string }{
		{wireRequest("OPTIONS", "z9hG4bKd1", "X-More: "+strings.Repeat("x", 3000)+"\r\n"), "SIP/2.0 513 "},
		{wireRequest("MESSAGE", "z9hG4bKd2", "Content-Length: 1001\r\n") + strings.Repeat("x", 1001), "SIP/2.0 413 "},
		{wireRequest("MESSAGE", "z9hG4bKd3", "Content-Length: 1000\r\n") + strings.Repeat("x", 1000), "SIP/2.0 200 "},
	} {
		io.WriteString(c, tt.send)
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(buf[:n]); !strings.HasPrefix(got, tt.want) {
			t.Errorf("want %s, answered %s", tt.want, got)
		}
	}
}

// Where there are too many connections, one that was of no use yet goes for the next;
// those of use stay, and where there are no others the next is not taken.
func TestTooManyConnections(t *testing.T) {
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, func(c *Config) { c.Limits.Connections = 2 })
	ask := func(c io.ReadWriter, method string) {
		t.Helper()
		io.WriteString(c, wireRequest(method, NewBranch(), "Content-Length: 0\r\n"))
		if f, err := readFrame(bufio.NewReader(c), message.DefaultLimits); err != nil || !strings.HasPrefix(string(f.raw), "SIP/2.0 200") {
			t.Fatalf("%q, %v", f.raw, err)
		}
	}
	first, stranger := raw(t, server, "tcp"), raw(t, server, "tcp")
	ask(first, "REGISTER")
	ask(stranger, "OPTIONS")
	second := raw(t, server, "tcp")
	ask(second, "REGISTER")
	if got := ended(t, stranger); got != "" {
		t.Errorf("the stranger is told %q", got)
	}
	if got := ended(t, raw(t, server, "tcp")); got != "" {
		t.Errorf("the third is told %q", got)
	}
	ask(first, "OPTIONS")
	ask(second, "OPTIONS")
}

// Overload is 503 on streams too, which go on; what gives room is let in.
func TestOverloadOnAStream(t *testing.T) {
	held := make(chan *ServerTx, 1)
	server := start(t, &handler{request: func(tx *ServerTx) {
		if tx.Invite() != nil {
			answer(tx, 200)
			answer(tx.Invite(), 487)
			return
		}
		answer(tx, 180)
		held <- tx
	}}, func(c *Config) { c.Limits.Transactions = 1 })
	c := raw(t, server, "tcp")
	r := bufio.NewReader(c)
	for _, tt := range []struct{ method, branch, want, field string }{
		{"INVITE", "z9hG4bKi", "SIP/2.0 180 ", "CSeq: 7 INVITE"},
		{"OPTIONS", "z9hG4bKo", "SIP/2.0 503 ", "Retry-After: "},
		{"CANCEL", "z9hG4bKother", "SIP/2.0 503 ", "Retry-After: "},
		{"CANCEL", "z9hG4bKi", "SIP/2.0 200 ", "CSeq: 7 CANCEL"},
	} {
		io.WriteString(c, wireRequest(tt.method, tt.branch, "Content-Length: 0\r\n"))
		f, err := readFrame(r, message.DefaultLimits)
		if got := string(f.raw); err != nil || !strings.HasPrefix(got, tt.want) || !strings.Contains(got, tt.field) {
			t.Errorf("%s %s: %v\n%s", tt.method, tt.branch, err, got)
		}
	}
	recv(t, held)
}

func TestOverloadIs503(t *testing.T) {
	server := start(t, &handler{request: func(*ServerTx) {}}, func(c *Config) { c.Limits.Transactions = 1 })
	c := raw(t, server, "udp")
	io.WriteString(c, wireRequest("OPTIONS", "z9hG4bKa", ""))
	io.WriteString(c, wireRequest("OPTIONS", "z9hG4bKb", ""))
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(buf[:n]); !strings.HasPrefix(got, "SIP/2.0 503") || !strings.Contains(got, "Retry-After: ") || !strings.Contains(got, "z9hG4bKb") {
		t.Errorf("%s", got)
	}
}
