package server_test

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/control"
	"presfed/agents/internal/wire"
	"presfed/agents/server"
)

// manyListeners have server-a listen by TCP three times: on IPv6, and twice on IPv4.
func manyListeners(t *testing.T) *domain {
	t.Helper()
	c, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("not tested: this machine has no IPv6 loopback")
	}
	c.Close()
	return federatedWith(t, func(c *server.Config) {
		believing(c)
		if c.Name != "server-a" {
			return
		}
		six, four := netip.MustParseAddrPort("[::1]:0"), netip.MustParseAddrPort("127.0.0.1:0")
		c.Listen = []server.Listen{{Transport: "TCP", Addr: six}, {Transport: "TCP", Addr: four}, {Transport: "TCP", Addr: four}, {Transport: "TLS", Addr: four}}
	})
}

// TestEachListenerIsNamedToItsOwn: a client hears of the listener that it speaks
// to and of no other, as Contact and in Record-Route, and ends its subscriptions
// there.
func TestEachListenerIsNamedToItsOwn(t *testing.T) {
	b := manyListeners(t)
	at := b.servers["a"].Listening()[:3]
	if at[0].Addr.Addr() != netip.IPv6Loopback() || at[1].Addr == at[2].Addr || at[1].Addr.Port() == 0 {
		t.Fatalf("listening on %v", at)
	}
	for _, here := range at {
		t.Run(here.Addr.String(), func(t *testing.T) {
			var mu sync.Mutex
			var seen []wire.Record
			c, err := client.New(client.Config{Name: "alice-pc", User: "alice@example.com", Server: "tcp:" + here.Addr.String(), Bind: here.Addr.Addr(),
				Tap: func(r wire.Record) {
					mu.Lock()
					defer mu.Unlock()
					seen = append(seen, r)
				}})
			if err != nil {
				t.Fatal(err)
			}
			start(t, c.Run, func() error { return nil })
			for _, whom := range []string{"alice", "bob"} { // here, and at server-b
				sub, err := c.Subscribe(timeout(t), whom, client.SubscribeOptions{Expires: time.Hour})
				if err != nil {
					t.Fatal(err)
				}
				if err := sub.Unsubscribe(timeout(t)); err != nil {
					t.Errorf("unsubscribing from %s: %v", whom, err)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			named := map[string]int{}
			for _, r := range seen {
				if r.Direction == wire.Out && r.Dst != here.Addr {
					t.Errorf("sent to %s: %q", r.Dst, r.Raw)
				}
				for line := range strings.SplitSeq(string(r.Raw), "\r\n") {
					field, value, _ := strings.Cut(line, ": ")
					for _, l := range at {
						if r.Direction == wire.In && strings.Contains(value, l.Addr.String()) {
							if l != here {
								t.Errorf("%s", line)
							}
							named[field]++
						}
					}
				}
			}
			if named["Contact"] == 0 || named["Record-Route"] == 0 {
				t.Errorf("the listener is named in %v", named)
			}
		})
	}
}

// TestEachListenerIsReported: whoever watches is told of every one.
func TestEachListenerIsReported(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "socket")
	four := netip.MustParseAddrPort("127.0.0.1:0")
	s, _ := run(t, world(t), func(c *server.Config) {
		c.Control = socket
		c.Listen = []server.Listen{{Transport: "TCP", Addr: four}, {Transport: "UDP", Addr: four}, {Transport: "TCP", Addr: four}}
	})
	info, err := control.NewClient(socket).Ready(timeout(t))
	if err != nil || len(info.Listen) != 3 {
		t.Fatalf("%+v, %v", info, err)
	}
	for i, l := range s.Listening() {
		if info.Listen[i] != control.Listen(l) {
			t.Errorf("%v is told as %v", l, info.Listen[i])
		}
	}
	if first, last := info.Listen[0].Addr, info.Listen[2].Addr; first == last {
		t.Errorf("two at %s", first)
	}
	conn, err := net.Dial("tcp", info.Listen[2].Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// TestEveryListenerIsUs: a Route by any of them is ours, and none is a device.
func TestEveryListenerIsUs(t *testing.T) {
	b := manyListeners(t)
	alice := b.phone("alice", "a", "TCP")
	at := b.servers["a"].Listening()[:3]
	alice.server = at[1].Addr
	for _, l := range at {
		final(t, alice.ask(alice.request("OPTIONS", "alice", "Route", fmt.Sprintf("<sip:%s;transport=tcp;lr>", l.Addr))), 480)
	}
	for _, l := range at {
		alice.at = l.Addr.String()
		final(t, alice.ask(alice.request("REGISTER", "alice")), 403)
	}
}
