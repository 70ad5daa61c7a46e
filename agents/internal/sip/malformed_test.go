package sip

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/message"
)

// What is wrong with a datagram is answered where the sender can be told, and only
// for requests: nothing answers an ACK or a response (RFC 3261 sections 8.2, 17).
func TestMalformedDatagrams(t *testing.T) {
	served := make(chan string, 8)
	server := start(t, &handler{
		request:  func(tx *ServerTx) { answer(tx, 200) },
		ack:      func(*message.Request) { served <- "ACK" },
		response: func(*message.Response) { served <- "response" },
	}, nil)
	c := raw(t, server, "udp")
	whole := wireRequest("OPTIONS", "z9hG4bKw", "")
	response := strings.Replace(whole, "OPTIONS sip:bob@example.com SIP/2.0", "SIP/2.0 200 OK", 1)
	for name, tt := range map[string]struct{ send, want string }{ // no want: silence
		"field without colon": {wireRequest("OPTIONS", "z9hG4bK1", "Contact bad\r\n"), "400"},
		"no From":             {strings.Replace(whole, "From:", "X-From:", 1), "400"},
		"two Call-IDs":        {wireRequest("OPTIONS", "z9hG4bK2", "Call-ID: other\r\n"), "400"},
		"CSeq of another":     {strings.Replace(whole, "7 OPTIONS", "7 INVITE", 1), "400"},
		"Max-Forwards":        {strings.Replace(whole, "Max-Forwards: 70", "Max-Forwards: 300", 1), "400"},
		"sip/2.0":             {strings.Replace(whole, "com SIP/2.0", "com sip/2.0", 1), "200"},
		"SIP/3.0":             {strings.Replace(whole, "com SIP/2.0", "com SIP/3.0", 1), "505"},
		"bad URI":             {strings.Replace(whole, "sip:bob@example.com", "sip:bob@exa mple.com", 1), "400"},
		"body cut off":        {wireRequest("OPTIONS", "z9hG4bK3", "Content-Length: 10\r\n") + "abc", "400"},
		"no Via":              {strings.Replace(whole, "Via:", "X-Via:", 1), ""},
		"ACK":                 {wireRequest("ACK", "z9hG4bK4", "Contact bad\r\n"), ""},
		"response":            {strings.Replace(response, "From:", "X-From:", 1), ""},
		"status":              {strings.Replace(response, "200", "2000", 1), ""},
		"noise":               {"\x00\x01\x02\x03\x04\x05", ""},
		"text":                {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			io.WriteString(c, tt.send)
			if tt.want != "" {
				if got := next(t, c); !strings.HasPrefix(got, "SIP/2.0 "+tt.want+" ") || tt.want == "400" && !strings.Contains(got, "Warning: 399") {
					t.Errorf("want %s, answered %s", tt.want, got)
				}
				return
			}
			io.WriteString(c, wireRequest("OPTIONS", "z9hG4bKafter"+NewTag(), ""))
			if got := next(t, c); !strings.HasPrefix(got, "SIP/2.0 200 ") || !strings.Contains(got, "z9hG4bKafter") {
				t.Errorf("answered %s", got)
			}
		})
	}
	if len(served) > 0 {
		t.Errorf("%s was handed up", <-served)
	}
}

// next is the next datagram.
func next(t *testing.T, c io.Reader) string {
	t.Helper()
	buf := make([]byte, 8192)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestMalformedIsAnsweredAndTheStreamGoesOn(t *testing.T) {
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, func(c *Config) {
		c.Limits.Message.BodyBytes = 100
	})
	c := raw(t, server, "tcp")
	r := bufio.NewReader(c)
	for _, tt := range []struct{ send, want string }{
		{wireRequest("OPTIONS", "z9hG4bK1", "Content-Length: 0\r\n"), "200"},
		{wireRequest("OPTIONS", "z9hG4bK2", "Contact bad\r\nContent-Length: 0\r\n"), "400"},
		{wireRequest("OPTIONS", "z9hG4bK3", ""), "400"},
		{wireRequest("OPTIONS", "z9hG4bK4", "l: 101\r\n") + strings.Repeat("x", 101), "413"},
		{"\r\n" + wireRequest("OPTIONS", "z9hG4bK5", "Content-Length : 3\r\n") + "abc", "200"},
	} {
		io.WriteString(c, tt.send)
		f, err := readFrame(r, message.DefaultLimits)
		if err != nil {
			t.Fatalf("after %q: %v", tt.send, err)
		}
		if got := strings.Fields(string(f.raw))[1]; got != tt.want {
			t.Errorf("%q is answered\n%s", tt.send, f.raw)
		}
	}
	io.WriteString(c, wireRequest("OPTIONS", "z9hG4bKno", "")+"\r\n\r\n")
	if f, err := readFrame(r, message.DefaultLimits); err != nil || !strings.HasPrefix(string(f.raw), "SIP/2.0 400") {
		t.Errorf("no length: %q, %v", f.raw, err)
	}
	pong := make([]byte, 2)
	if _, err := io.ReadFull(r, pong); err != nil || string(pong) != "\r\n" {
		t.Errorf("keep-alive answered %q, %v", pong, err)
	}
	io.WriteString(c, wireRequest("OPTIONS", "z9hG4bK6", "Content-Length: 1\r\nContent-Length: 2\r\n"))
	if f, err := readFrame(r, message.DefaultLimits); err != nil || !strings.HasPrefix(string(f.raw), "SIP/2.0 400") {
		t.Errorf("two lengths: %q, %v", f.raw, err)
	}
	if _, err := r.ReadByte(); err == nil {
		t.Error("a stream without frames stays open")
	}
}

// A message without a Content-Length is refused, and only what begins as a message
// does is taken for the next one: a body is not (RFC 3261 section 20.14).
func TestABodyOfNoStatedLengthEndsTheStream(t *testing.T) {
	served := make(chan string, 8)
	server := start(t, &handler{request: func(tx *ServerTx) { served <- message.Get(tx.Request(), "Via"); answer(tx, 200) }}, nil)
	c := raw(t, server, "tcp")
	r := bufio.NewReader(c)
	io.WriteString(c, wireRequest("OPTIONS", "z9hG4bK1", "")+"v=0\r\nb=1\r\n"+wireRequest("OPTIONS", "z9hG4bK2", "l: 0\r\n"))
	if f, err := readFrame(r, message.DefaultLimits); err != nil || !strings.HasPrefix(string(f.raw), "SIP/2.0 400") {
		t.Errorf("%q, %v", f.raw, err)
	}
	if b, err := r.ReadByte(); err == nil {
		t.Errorf("%q follows", b)
	}
	if len(served) > 0 {
		t.Errorf("served: %s", <-served)
	}
}

// What follows a message without a Content-Length may be its body, and a body that looks
// like a message is not one of the peer's: others write what a peer carries.
func TestABodyOfNoStatedLengthIsNoMessageOfAPeers(t *testing.T) {
	with, trust := secure(t)
	from := make(chan []string, 8)
	server := start(t, &handler{request: func(tx *ServerTx) { from <- tx.Source().Identities; answer(tx, 200) }}, with)
	stranger := trust.Clone()
	stranger.GetClientCertificate = nil
	for name, tt := range map[string]struct {
		as     *tls.Config
		serves int // of the two messages
	}{"a peer": {trust, 0}, "a stranger": {stranger, 1}} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", server.Addr("TLS").String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			c := tls.Client(conn, tt.as)
			r := bufio.NewReader(c)
			io.WriteString(c, wireRequest("OPTIONS", "z9hG4bK"+NewTag(), "")+wireRequest("OPTIONS", "z9hG4bK"+NewTag(), "l: 0\r\n"))
			if f, err := readFrame(r, message.DefaultLimits); err != nil || !strings.HasPrefix(string(f.raw), "SIP/2.0 400") {
				t.Errorf("%q, %v", f.raw, err)
			}
			if f, err := readFrame(r, message.DefaultLimits); (err == nil) != (tt.serves == 1) {
				t.Errorf("%q, %v follows", f.raw, err)
			}
			if len(from) != tt.serves {
				t.Errorf("%d served, want %d", len(from), tt.serves)
			}
			for len(from) > 0 {
				if who := <-from; len(who) > 0 {
					t.Errorf("it spoke for %q", who)
				}
			}
		})
	}
}
