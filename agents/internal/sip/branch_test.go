package sip

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// TestABranchIsNoSecret: who reads it in a request that is passed on has nothing sent to
// whom it came from by repeating that, and cancels nothing.
func TestABranchIsNoSecret(t *testing.T) {
	cancelled := make(chan bool, 10)
	asked := make(chan *ServerTx, 10)
	e := start(t, &handler{request: func(tx *ServerTx) {
		switch tx.Request().Method {
		case "INVITE":
			answer(tx, 180)
			asked <- tx
		case "CANCEL":
			cancelled <- tx.Invite() != nil
			answer(tx, 200)
		}
	}}, nil)
	from := func(ip string) *net.UDPConn {
		c, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.ParseIP(ip)}, net.UDPAddrFromAddrPort(e.Addr("UDP")))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
		return c
	}
	caller, reader := from("127.0.0.1"), from("127.0.0.2")
	send := func(c *net.UDPConn, method string) {
		fmt.Fprintf(c, "%s sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP phone.example.com;branch=z9hG4bKknown;rport\r\nMax-Forwards: 70\r\n"+
			"From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: known\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n", method, method)
	}
	hears := func(c *net.UDPConn, want, of string) {
		t.Helper()
		buf := make([]byte, 65535)
		n, err := c.Read(buf)
		if got := string(buf[:n]); err != nil || !strings.HasPrefix(got, "SIP/2.0 "+want) || !strings.Contains(got, "1 "+of) {
			t.Fatalf("heard %q, %v, want %s to %s", got, err, want, of)
		}
	}
	send(caller, "INVITE")
	tx := recv(t, asked)
	hears(caller, "180", "INVITE")
	for range 3 {
		send(reader, "INVITE")
	}
	send(reader, "CANCEL")
	hears(reader, "200", "CANCEL")
	if recv(t, cancelled) {
		t.Error("somebody else cancels it")
	}
	answer(tx, 486)
	hears(caller, "486", "INVITE") // and no 180 before
	send(caller, "ACK")

	send(caller, "INVITE") // confirmed: absorbed
	if len(asked) > 0 {
		t.Error("it was taken for a new one")
	}
}

// TestWhoCalledCancels: at the branch's word, from the same host.
func TestWhoCalledCancels(t *testing.T) {
	cancelled := make(chan bool, 1)
	e := start(t, &handler{request: func(tx *ServerTx) {
		if tx.Request().Method == "CANCEL" {
			cancelled <- tx.Invite() != nil
		}
	}}, nil)
	for _, method := range []string{"INVITE", "CANCEL"} { // each by a connection of its own
		c := raw(t, e, "tcp")
		fmt.Fprintf(c, "%s sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP phone.example.com;branch=z9hG4bKknown\r\nMax-Forwards: 70\r\n"+
			"From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: known\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n", method, method)
		if method == "INVITE" {
			buf := make([]byte, 65535)
			if _, err := c.Read(buf); err != nil { // its 100
				t.Fatal(err)
			}
		}
	}
	if !recv(t, cancelled) {
		t.Error("the caller cancels nothing")
	}
}
