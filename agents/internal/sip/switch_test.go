package sip

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/wire"
)

func large(method string) *message.Request {
	req := request(method)
	message.SetBody(req, "text/plain", bytes.Repeat([]byte("x"), mostDatagram))
	return req
}

// paired is an endpoint that listens for TCP where it does for UDP.
func paired(t *testing.T, h *handler) *Endpoint {
	t.Helper()
	e := start(t, h, nil)
	if e.Addr("UDP") != e.Addr("TCP") {
		t.Fatalf("UDP at %s, TCP at %s", e.Addr("UDP"), e.Addr("TCP"))
	}
	return e
}

// What does not fit a datagram goes by TCP to the same address, and its Via says
// so; what does stays.
func TestLargeRequestGoesByTCP(t *testing.T) {
	type came struct {
		transport, via string
		bytes          int
	}
	seen := make(chan came, 1)
	server := paired(t, &handler{request: func(tx *ServerTx) {
		via, _ := message.TopVia(tx.Request())
		seen <- came{tx.Source().Transport, via.Transport, len(message.Bytes(tx.Request()))}
		answer(tx, 200)
	}})
	client := start(t, &handler{}, nil)
	to := Target{Transport: "UDP", Addr: server.Addr("UDP")}
	for _, method := range []string{"MESSAGE", "NOTIFY", "SUBSCRIBE", "INVITE"} {
		for want, req := range map[string]*message.Request{"TCP": large(method), "UDP": request(method)} {
			got := make(chan outcome, 4)
			client.Send(req, to, collect(got))
			if o := recv(t, got); o.status != 200 {
				t.Fatalf("%s by %s: %+v", method, want, o)
			}
			if c := recv(t, seen); c.transport != want || c.via != want {
				t.Errorf("%s of %d bytes came by %s, its Via says %s; want %s", method, c.bytes, c.transport, c.via, want)
			}
		}
	}
}

// The limit is 1300 bytes of message, exactly, or 200 less than a packet may have.
func TestLargestDatagram(t *testing.T) {
	for mtu, sizes := range map[int]map[int]string{0: {1300: "UDP", 1301: "TCP"}, 9000: {8800: "UDP", 8801: "TCP"}} {
		testLargestDatagram(t, mtu, sizes)
	}
}

func testLargestDatagram(t *testing.T, mtu int, sizes map[int]string) {
	by := make(chan string, 1)
	server := paired(t, &handler{request: func(tx *ServerTx) { by <- tx.Source().Transport; answer(tx, 200) }})
	client := start(t, &handler{}, func(c *Config) { c.PathMTU = mtu })
	to := Target{Transport: "UDP", Addr: server.Addr("UDP")}
	for size, want := range sizes {
		branch := NewBranch()
		req := request("NOTIFY")
		message.Prepend(req, "Via", client.Via(to, branch))
		message.SetBody(req, "text/plain", make([]byte, 1000)) // four digits of Content-Length
		message.SetBody(req, "text/plain", make([]byte, 1000+size-len(message.Bytes(req))))
		got := make(chan outcome, 1)
		client.SendPrepared(message.Bytes(req), branch, "NOTIFY", to, func(status int, _ []byte, err error) { got <- outcome{status, err} })
		if o := recv(t, got); o.status != 200 {
			t.Fatalf("%+v", o)
		}
		if transport := recv(t, by); transport != want {
			t.Errorf("%d bytes came by %s", size, transport)
		}
	}
}

func TestLargeAckGoesByTCP(t *testing.T) {
	records := make(chan wire.Record, 8)
	server := start(t, &handler{}, func(c *Config) {
		c.Tap = func(r wire.Record) { r.Raw = bytes.Clone(r.Raw); records <- r }
	})
	client := start(t, &handler{}, nil)
	if err := client.SendStateless(large("ACK"), Target{Transport: "UDP", Addr: server.Addr("UDP")}); err != nil {
		t.Fatal(err)
	}
	if r := recv(t, records); r.Transport != "TCP" || !bytes.Contains(r.Raw, []byte("Via: SIP/2.0/TCP ")) {
		t.Errorf("by %s:\n%s", r.Transport, r.Raw)
	}
}

// A peer that knows UDP only gets large requests so, with a Via that is true.
func TestLargeRequestFallsBackToUDP(t *testing.T) {
	type came struct{ transport, via string }
	seen := make(chan came, 4)
	acks := make(chan string, 1)
	server := start(t, &handler{
		request: func(tx *ServerTx) {
			via, _ := message.TopVia(tx.Request())
			seen <- came{tx.Source().Transport, via.Transport}
			if tx.Request().Method == "INVITE" {
				answer(tx, 486) // its ACK and Via belong together
				return
			}
			answer(tx, 200)
		},
		ack: func(ack *message.Request) { via, _ := message.TopVia(ack); acks <- via.Transport },
	}, func(c *Config) { c.Listen = c.Listen[:1] })
	client := start(t, &handler{}, nil)
	to := Target{Transport: "UDP", Addr: server.Addr("UDP")}
	for _, method := range []string{"MESSAGE", "NOTIFY", "SUBSCRIBE", "INVITE"} {
		got := make(chan outcome, 4)
		client.Send(large(method), to, collect(got))
		if o := recv(t, got); o.status != 200 && o.status != 486 {
			t.Fatalf("%s: %+v", method, o)
		}
		if c := recv(t, seen); c.transport != "UDP" || c.via != "UDP" {
			t.Errorf("%s: %+v", method, c)
		}
	}
	if err := client.SendStateless(large("ACK"), to); err != nil {
		t.Fatal(err)
	}
	if via := recv(t, acks); via != "UDP" {
		t.Errorf("the ACK's Via says %s", via)
	}
}

func TestTimeoutAfterFallBack(t *testing.T) {
	deaf, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	client := start(t, &handler{}, func(c *Config) { c.Timers.T1 = 5 * time.Millisecond })
	got := make(chan outcome, 1)
	client.Send(large("MESSAGE"), Target{Transport: "UDP", Addr: addrPort(deaf.LocalAddr())}, collect(got))
	if o := recv(t, got); o.err != ErrTimeout {
		t.Fatalf("%+v", o)
	}
	deaf.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 4096)
	if n, _, err := deaf.ReadFrom(buf); err != nil || !strings.Contains(string(buf[:n]), "Via: SIP/2.0/UDP ") {
		t.Errorf("%v:\n%s", err, buf[:n])
	}
}
