package sip

import (
	"bufio"
	"fmt"
	"net"
	"testing"

	"presfed/agents/internal/message"
)

// TestOrder: a 180 and a 200 that arrive in one segment are heard in order, and
// requests of one connection are handed up in the order they were sent.
func TestOrder(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	const rounds = 200
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r := bufio.NewReader(c)
		for {
			f, err := readFrame(r, message.DefaultLimits)
			if err != nil {
				return
			}
			m, _ := message.Parse(f.raw, message.DefaultLimits)
			req := m.(*message.Request)
			if req.Method == message.ACK {
				continue
			}
			two := append(message.Bytes(message.NewResponse(req, 180, "", "b")), message.Bytes(message.NewResponse(req, 200, "", "b"))...)
			c.Write(two)
		}
	}()
	client := start(t, &handler{}, nil)
	for range rounds {
		got := make(chan outcome, 4)
		client.Send(request("INVITE"), Target{Transport: "TCP", Addr: addrPort(ln.Addr())}, collect(got))
		if a, b := recv(t, got), recv(t, got); a.status != 180 || b.status != 200 {
			t.Fatalf("heard %v then %v", a, b)
		}
	}
	if client.pool.size() != 1 {
		t.Errorf("%d connections to one peer", client.pool.size())
	}
}

func TestRequestsInOrder(t *testing.T) {
	seen := make(chan uint32, 1000)
	server := start(t, &handler{request: func(tx *ServerTx) {
		cseq, _ := message.CSeqOf(tx.Request())
		seen <- cseq.Seq
		answer(tx, 200)
	}}, nil)
	client := start(t, &handler{}, nil)
	got := make(chan outcome, 1000)
	for i := range 500 {
		req := request("NOTIFY")
		message.Set(req, "CSeq", fmt.Sprintf("%d NOTIFY", i+1))
		client.Send(req, Target{Transport: "TCP", Addr: server.Addr("TCP")}, collect(got))
	}
	for i := range uint32(500) {
		if n := recv(t, seen); n != i+1 {
			t.Fatalf("request %d came as number %d", n, i+1)
		}
		if o := recv(t, got); o.status != 200 {
			t.Fatalf("%+v", o)
		}
	}
}
