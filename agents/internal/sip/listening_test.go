package sip

import (
	"net/netip"
	"testing"
)

// Each side is told the listener it speaks to, or what comes nearest to it.
func TestWhatASideReachesUsAt(t *testing.T) {
	var e Endpoint
	for _, l := range []string{"[2001:db8::1]:5060", "192.0.2.1:5060", "192.0.2.1:5070", "192.0.2.2:5060"} {
		e.bound = append(e.bound, Listen{"TCP", netip.MustParseAddrPort(l)})
	}
	for _, l := range []string{"[::]:5080", "0.0.0.0:5080", "0.0.0.0:5090"} {
		e.bound = append(e.bound, Listen{"UDP", netip.MustParseAddrPort(l)})
	}
	for _, tt := range []struct{ transport, local, remote, want string }{
		{"TCP", "192.0.2.1:5070", "192.0.2.9:4000", "192.0.2.1:5070"},
		{"TCP", "192.0.2.2:5060", "192.0.2.9:4000", "192.0.2.2:5060"},
		{"TCP", "192.0.2.2:4711", "192.0.2.9:5060", "192.0.2.2:5060"}, // dialled
		{"TCP", "192.0.2.3:4711", "192.0.2.9:5060", "192.0.2.1:5060"}, // from another address
		{"TCP", "", "192.0.2.9:5060", "192.0.2.1:5060"},               // to be dialled
		{"TCP", "", "[2001:db8::9]:5060", "[2001:db8::1]:5060"},
		{"TCP", "", "[::ffff:192.0.2.9]:5060", "192.0.2.1:5060"},
		{"TCP", "", "", "[2001:db8::1]:5060"},
		{"UDP", "192.0.2.1:5090", "192.0.2.9:4000", "192.0.2.1:5090"}, // all addresses are listened on
		{"UDP", "[2001:db8::1]:5080", "[2001:db8::9]:4000", "[2001:db8::1]:5080"},
		{"UDP", "0.0.0.0:5090", "192.0.2.9:4000", "0.0.0.0:5090"}, // no more is known
		{"TLS", "192.0.2.1:5061", "192.0.2.9:4000", ""},
	} {
		side := Source{Transport: tt.transport}
		side.Local, _ = netip.ParseAddrPort(tt.local)
		side.Remote, _ = netip.ParseAddrPort(tt.remote)
		want, _ := netip.ParseAddrPort(tt.want)
		if got := e.Reached(side); got != want {
			t.Errorf("%s %s from %s: %s, want %s", tt.transport, tt.local, tt.remote, got, tt.want)
		}
	}
}
