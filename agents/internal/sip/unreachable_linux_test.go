package sip

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"presfed/agents/internal/message"
)

// Nobody listens: an ICMP error ends the transaction at once (RFC 3261 section
// 18.4), and no other one, of whatever method and size.
func TestUnreachableByUDP(t *testing.T) {
	six(t)
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, on("127.0.0.1:0", "[::1]:0"))
	client := start(t, &handler{}, on("127.0.0.1:0", "[::1]:0"))
	for name, by := range map[string]string{"IPv4": "127.0.0.1", "IPv6": "::1"} {
		t.Run(name, func(t *testing.T) {
			ip := netip.MustParseAddr(by)
			nobody, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip.AsSlice()})
			if err != nil {
				t.Fatal(err)
			}
			dead := Target{Transport: "UDP", Addr: addrPort(nobody.LocalAddr())}
			nobody.Close()
			live := Target{Transport: "UDP", Addr: netip.AddrPortFrom(ip, server.listens("UDP", ip.Is4()).Port())}
			for range 20 {
				for _, req := range []*message.Request{request("OPTIONS"), request("INVITE"), large("NOTIFY")} {
					lost, got := make(chan outcome, 4), make(chan outcome, 4)
					client.Send(req, dead, collect(lost))
					client.Send(request("OPTIONS"), live, collect(got))
					if o := recv(t, lost); !errors.Is(o.err, ErrTransport) {
						t.Fatalf("%s to nobody: %+v", req.Method, o)
					}
					if o := recv(t, got); o.status != 200 {
						t.Fatalf("beside it: %+v", o)
					}
				}
			}
		})
	}
	for _, d := range client.datagrams {
		d.mu.Lock()
		if len(d.waiting) > 0 {
			t.Errorf("%d peers are still waited for", len(d.waiting))
		}
		d.mu.Unlock()
	}
}
