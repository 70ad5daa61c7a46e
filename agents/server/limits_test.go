package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"presfed/agents/server"
)

// byHand talks to a server in bytes, as a user who may say anything.
type byHand struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	user string
	n    int
}

func newByHand(t *testing.T, s *server.Server, user string) *byHand {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr("TCP").String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(60 * time.Second))
	return &byHand{t: t, conn: c, in: bufio.NewReader(c), user: user}
}

// send is a request outside any dialog, with a Call-ID of its own.
func (b *byHand) send(method, uri, to, more, body string) {
	b.t.Helper()
	b.n++
	if _, err := fmt.Fprintf(b.conn, "%s %s SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bK%s%d\r\nMax-Forwards: 70\r\nFrom: <sip:%[4]s@example.com>;tag=%[5]d\r\n"+
		"To: <sip:%[6]s@example.com>\r\nCall-ID: %[4]s-%[5]d\r\nCSeq: 1 %[1]s\r\nContact: <sip:%[4]s-%[5]d@%[3]s;transport=tcp>\r\n%[7]sContent-Length: %[8]d\r\n\r\n%[9]s",
		method, uri, b.conn.LocalAddr(), b.user, b.n, to, more, len(body), body); err != nil {
		b.t.Fatal(err)
	}
}

// final is the next final response to a method; what comes before it is passed over.
func (b *byHand) final(method string) (status int, head string) {
	b.t.Helper()
	for {
		var head strings.Builder
		length := 0
		for {
			line, err := b.in.ReadString('\n')
			if err != nil {
				b.t.Fatal(err)
			}
			head.WriteString(line)
			if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
				length, _ = strconv.Atoi(strings.TrimSpace(v))
			}
			if line == "\r\n" {
				break
			}
		}
		if _, err := io.CopyN(io.Discard, b.in, int64(length)); err != nil {
			b.t.Fatal(err)
		}
		text := head.String()
		if rest, ok := strings.CutPrefix(text, "SIP/2.0 "); ok && strings.Contains(text, " "+method+"\r\n") {
			if status, _ = strconv.Atoi(rest[:3]); status >= 200 {
				return status, text
			}
		}
	}
}

// What one user may have is bounded, the answer beyond it says so, and others are
// served as ever (docs/LIMITS.md).
func TestWhatOneUserMayHave(t *testing.T) {
	const subscriptions, few = 200, 2
	s, _ := run(t, world(t), func(c *server.Config) {
		c.NoAuth = true
		c.Limits = server.Limits{Subscriptions: subscriptions, Publications: few, Contacts: few, Invites: few}
	})
	alice := newByHand(t, s, "alice")
	expect := func(what string, status, want int, head string, fields ...string) {
		t.Helper()
		if status != want {
			t.Fatalf("%s: %d, want %d\n%s", what, status, want, head)
		}
		for _, f := range fields {
			if !strings.Contains(head, "\r\n"+f+": ") {
				t.Errorf("%s: no %s in\n%s", what, f, head)
			}
		}
	}
	for i := range subscriptions + 20 {
		alice.send("SUBSCRIBE", "sip:alice@example.com", "alice", "Event: presence\r\nExpires: 3600\r\n", "")
		status, head := alice.final("SUBSCRIBE")
		if i < subscriptions {
			expect("subscription "+strconv.Itoa(i), status, 200, head)
		} else {
			expect("one subscription too many", status, 480, head, "Retry-After", "Warning")
		}
	}
	for i := range few + 1 {
		alice.send("PUBLISH", "sip:alice@example.com", "alice", "Event: presence\r\nExpires: 3600\r\nContent-Type: application/pidf+xml\r\n",
			`<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:alice@example.com"><tuple id="t`+strconv.Itoa(i)+`"><status><basic>open</basic></status></tuple></presence>`)
		status, head := alice.final("PUBLISH")
		if i < few {
			expect("publication", status, 200, head)
		} else {
			expect("one publication too many", status, 403, head, "Warning")
		}
	}
	for i := range few + 1 {
		alice.send("REGISTER", "sip:example.com", "alice", "Expires: 3600\r\n", "")
		status, head := alice.final("REGISTER")
		if i < few {
			expect("contact", status, 200, head)
		} else {
			expect("one contact too many", status, 403, head, "Warning")
		}
	}
	for range few { // her devices do not answer them
		alice.send("INVITE", "sip:alice@example.com", "alice", "", "")
	}
	alice.send("INVITE", "sip:alice@example.com", "alice", "", "")
	status, head := alice.final("INVITE")
	expect("one call too many", status, 403, head, "Warning")
}
