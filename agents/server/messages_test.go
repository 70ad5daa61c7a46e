package server_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/message"
	"presfed/agents/internal/wire"
)

// TestMessagesPassUnchanged: what servers make nothing of goes through two of them
// byte by byte: envelopes, notices, statuses, what nobody knows; and how long a
// message is worth showing.
func TestMessagesPassUnchanged(t *testing.T) {
	b := federated(t)
	alice, _ := b.device("alice", "a")
	var mu sync.Mutex
	var came []string
	bob, err := client.New(client.Config{
		Name: "bob-pc", User: "bob@example.com", Password: "bob's secret", Server: "tcp:" + b.servers["b"].Addr("TCP").String(),
		Tap: func(r wire.Record) {
			if r.Direction == wire.In && strings.HasPrefix(string(r.Raw), "MESSAGE ") {
				mu.Lock()
				defer mu.Unlock()
				came = append(came, string(r.Raw))
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	start(t, bob.Run, func() error { return nil })
	if _, err := bob.Register(timeout(t), time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ contentType, body string }{
		{"message/cpim", "From: \u00dc <im:alice@example.com>\r\nTo: <im:bob@example.com>\r\nNS: x <urn:x>\r\nx.Y:;lang=fr  \\u0041\r\n\r\nContent-type: text/plain\r\n\r\n \x00\xff\r\n"},
		{"message/imdn+xml", "<imdn/>"},
		{"application/im-iscomposing+xml; charset=\"utf-8\"", "<isComposing xmlns='urn:ietf:params:xml:ns:im-iscomposing'>\n<state>active</state></isComposing>"},
		{"application/x-nobody-knows", "\r\n\r\n"},
	} {
		// That bob's device takes some and not others is his device's affair.
		_, err := alice.PageWith(timeout(t), "bob", tt.contentType, []byte(tt.body), client.PageOptions{Expires: time.Minute})
		if wantErr := strings.Contains(tt.contentType, "nobody") || tt.body == "<imdn/>"; (err != nil) != wantErr {
			t.Errorf("%s: %v", tt.contentType, err)
		}
		mu.Lock()
		raw := came[len(came)-1]
		mu.Unlock()
		m, err := message.Parse([]byte(raw), message.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(m.Body()); got != tt.body || message.Get(m, "Content-Type") != tt.contentType {
			t.Errorf("%s %q came as %s %q", tt.contentType, tt.body, message.Get(m, "Content-Type"), got)
		}
		if message.Get(m, "Expires") != "60" || message.Get(m, "Date") == "" {
			t.Errorf("Expires: %s, Date: %s", message.Get(m, "Expires"), message.Get(m, "Date"))
		}
	}
}

// TestEncodedMessagesStayEncoded: so do those with a Content-Encoding, which is for
// who is to read them.
func TestEncodedMessagesStayEncoded(t *testing.T) {
	b := federatedWith(t, believing)
	alice, bob := b.phone("alice", "a", "TCP"), b.phone("bob", "b", "TCP")
	bob.register()
	const body = "\x78\x9c\x00\r\n\r\n\xff"
	req := alice.request("MESSAGE", "bob", "Content-Encoding", "deflate")
	message.SetBody(req, "message/imdn+xml", []byte(body))
	heard := alice.ask(req)
	if got := bob.take("MESSAGE", 200); string(got.Body()) != body || message.Get(got, "Content-Encoding") != "deflate" || message.Get(got, "Content-Type") != "message/imdn+xml" {
		t.Errorf("came as %s, %s, %q", message.Get(got, "Content-Type"), message.Get(got, "Content-Encoding"), got.Body())
	}
	final(t, heard, 200)
}
