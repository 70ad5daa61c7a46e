package sip

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/message"
)

// ending answers, and ends its endpoint with that.
type ending struct {
	Handler
	end context.CancelFunc
}

func (h *ending) ServeRequest(tx *ServerTx) {
	tx.Respond(message.NewResponse(tx.Request(), 200, "", "t"))
	h.end()
}
func (h *ending) ConnectionClosed(Source) {}

// What was answered before the end goes out, though the endpoint ends at once.
func TestTheLastAnswerGoesOut(t *testing.T) {
	for range 200 {
		ctx, end := context.WithCancel(t.Context())
		e, err := New(Config{Handler: &ending{end: end}, Listen: []Listen{{Transport: "TCP", Addr: netip.MustParseAddrPort("127.0.0.1:0")}}})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }()
		conn, err := net.Dial("tcp", e.Addr("TCP").String())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := conn.Write([]byte(strings.ReplaceAll("OPTIONS sip:a@b SIP/2.0\nVia: SIP/2.0/TCP c;branch=z9hG4bKx\nMax-Forwards: 70\n"+
			"From: <sip:c@d>;tag=1\nTo: <sip:a@b>\nCall-ID: i\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n", "\n", "\r\n"))); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "SIP/2.0 200") {
			t.Fatalf("%q, %v", line, err)
		}
		conn.Close()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}
