package sip

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"presfed/agents/certs"
)

// secure gives an endpoint a certificate for localhost, and whom to trust.
func secure(t *testing.T) (func(*Config), *tls.Config) {
	t.Helper()
	authority, err := certs.NewAuthority(t.TempDir(), "test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, files, err := authority.Issue(certs.Request{Name: "localhost", Hosts: []string{"localhost"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	creds, err := certs.Load(certs.Options{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { creds.Close() })
	return func(c *Config) {
		c.ServerTLS, c.ClientTLS = creds.Config(), creds.Config()
		c.Listen = append(c.Listen, Listen{"TLS", c.Listen[0].Addr})
	}, creds.Dial("localhost")
}

// RFC 5626 section 4.4.1: each double CRLF is answered by one, also when it comes
// in pieces, between messages and again; a single one is not.
func TestKeepAlive(t *testing.T) {
	with, trust := secure(t)
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, with)
	for _, transport := range []string{"TCP", "TLS"} {
		t.Run(transport, func(t *testing.T) {
			c, err := net.Dial("tcp", server.Addr(transport).String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(20 * time.Second))
			if transport == "TLS" {
				c = tls.Client(c, trust)
			}
			options := wireRequest("OPTIONS", "z9hG4bK"+NewTag(), "Content-Length: 0\r\n")
			for _, tt := range []struct{ send, want string }{
				{"\r\n\r\n", "\r\n"},
				{"\r\n\r\n\r\n\r\n", "\r\n\r\n"},
				{"\r", ""}, {"\n\r", ""}, {"\n", "\r\n"},
				{options, "SIP/2.0 200 "},
				{"\r\n" + options, "SIP/2.0 200 "}, // no ping: no pong before it
				{"\r\n\r\n" + options, "\r\nSIP/2.0 200 "},
			} {
				io.WriteString(c, tt.send)
				got := make([]byte, len(tt.want))
				if _, err := io.ReadFull(c, got); err != nil || string(got) != tt.want {
					t.Fatalf("%q is answered by %q, %v", tt.send, got, err)
				}
				if strings.Contains(tt.want, "SIP") {
					drain(t, c)
				}
			}
		})
	}
}

// drain reads to the end of a message without a body.
func drain(t *testing.T, c io.Reader) {
	t.Helper()
	var got []byte
	one := make([]byte, 1)
	for !strings.HasSuffix(string(got), "\r\n\r\n") {
		if _, err := io.ReadFull(c, one); err != nil {
			t.Fatal(err)
		}
		got = append(got, one...)
	}
}

// Over UDP a keep-alive is a datagram of line ends, or an empty one; there is no
// answer.
func TestDatagramKeepAlive(t *testing.T) {
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, nil)
	c := raw(t, server, "udp")
	for _, ping := range []string{"", "\r\n", "\r\n\r\n"} {
		if _, err := c.Write([]byte(ping)); err != nil {
			t.Fatal(err)
		}
		branch := "z9hG4bK" + NewTag()
		io.WriteString(c, wireRequest("OPTIONS", branch, ""))
		if got := next(t, c); !strings.HasPrefix(got, "SIP/2.0 200 ") || !strings.Contains(got, branch) {
			t.Errorf("after %q: %q", ping, got)
		}
	}
}
