package sip

import (
	"net"
	"net/netip"
	"testing"

	"presfed/agents/internal/message"
)

// six skips a test where there is no IPv6.
func six(t *testing.T) {
	t.Helper()
	c, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("not tested: this machine has no IPv6 loopback")
	}
	c.Close()
}

func on(addrs ...string) func(*Config) {
	return func(c *Config) {
		c.Listen, c.Bind = nil, netip.Addr{}
		for _, a := range addrs {
			at := netip.MustParseAddrPort(a)
			c.Listen = append(c.Listen, Listen{"UDP", at}, Listen{"TCP", at})
		}
	}
}

// An endpoint on IPv4, on IPv6 and on both, at one address or at all, is reached
// by each, answers, and names itself in the family it is spoken to.
func TestBothFamilies(t *testing.T) {
	six(t)
	four, sixth := []string{"127.0.0.1:0"}, []string{"[::1]:0"}
	both, any := []string{"127.0.0.1:0", "[::1]:0"}, []string{"0.0.0.0:0", "[::]:0"}
	for name, tt := range map[string]struct{ server, client, by []string }{
		"IPv4":                  {four, four, []string{"127.0.0.1"}},
		"IPv6":                  {sixth, sixth, []string{"::1"}},
		"both":                  {both, both, []string{"127.0.0.1", "::1"}},
		"every address":         {any, any, []string{"127.0.0.1", "::1"}},
		"every IPv4 address":    {any[:1], any[:1], []string{"127.0.0.1"}},
		"every IPv6 address":    {any[1:], any[1:], []string{"::1"}},
		"from both to one":      {sixth, both, []string{"::1"}},
		"from all to IPv4 only": {four, any, []string{"127.0.0.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			vias := make(chan message.Via, 1)
			bodies := make(chan string, 1)
			server := start(t, &handler{request: func(tx *ServerTx) {
				via, _ := message.TopVia(tx.Request())
				vias <- via
				bodies <- string(tx.Request().Body())
				answer(tx, 200)
			}}, on(tt.server...))
			client := start(t, &handler{}, on(tt.client...))
			for _, by := range tt.by {
				ip := netip.MustParseAddr(by)
				for _, transport := range []string{"UDP", "TCP"} {
					to := Target{Transport: transport, Addr: netip.AddrPortFrom(ip, server.listens(transport, ip.Is4()).Port())}
					req := request("MESSAGE")
					message.SetBody(req, "text/plain", []byte("by "+by))
					got := make(chan outcome, 1)
					client.Send(req, to, collect(got))
					if o := recv(t, got); o.status != 200 {
						t.Fatalf("%s to %s: %+v", transport, to.Addr, o)
					}
					if body := recv(t, bodies); body != "by "+by {
						t.Errorf("body %q", body)
					}
					here := client.listens(transport, ip.Is4()).Port()
					want := map[bool]string{true: "127.0.0.1", false: "[::1]"}[ip.Is4()]
					if via := recv(t, vias); via.Host != want || via.Port != int(here) {
						t.Errorf("%s to %s: the Via says %s:%d, want %s:%d", transport, to.Addr, via.Host, via.Port, want, here)
					}
				}
			}
		})
	}
}

// What is dialled is bound to an address only where that is of its family.
func TestBindIsOfOneFamily(t *testing.T) {
	six(t)
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, on("[::1]:0"))
	client := start(t, &handler{}, nil) // bound to 127.0.0.1
	got := make(chan outcome, 1)
	client.Send(request("OPTIONS"), Target{Transport: "TCP", Addr: server.Addr("TCP")}, collect(got))
	if o := recv(t, got); o.status != 200 {
		t.Errorf("%+v", o)
	}
}
