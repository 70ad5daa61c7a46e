package proxy

import (
	"testing"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/agents/internal/torture"
	"presfed/agents/internal/wire"
)

// A proxy that passes everything on is the one of docs/TORTURE.md: it is sent the
// messages of RFC 4475 and RFC 5118 by both transports. The next hop gets all of what
// was sent where it gets it, and is not bothered where it should not be.
func TestTorture(t *testing.T) {
	torture.Each(t, func(transport string, batch []torture.Case) {
		probe, beyond := torture.NewProbe(), torture.NewProbe()
		hop := newNode(t, func(tx *sip.ServerTx) {
			status := 200
			if tx.Request().Method == message.INVITE {
				status = 486
			}
			answer(tx, status, "hop")
		}, func(c *sip.Config) { c.Tap = beyond.Tap }).run(t)
		p := startTappedRouter(t, probe.Tap, to(Target{URI: hop.uri(t, "hop", transport)}))
		for _, c := range batch {
			want := torture.By(transport, c.Ours.Proxy)
			got := probe.Ask(t, transport, p.node.Addr(transport), c, "sip:user@example.com", want)
			copies := beyond.Seen(wire.In, c.ID(), false)
			if len(copies) > 0 && (got == "200" || got == "486") {
				got = "passed on"
				if err := torture.Carried(c.Raw, copies[0]); err != nil {
					t.Errorf("%s by %s: %v", c.Name, transport, err)
				}
			} else if len(copies) > 0 {
				t.Errorf("%s by %s: the next hop gets\n%s", c.Name, transport, copies[0])
			}
			if got != want {
				t.Errorf("%s by %s: %s, want %s", c.Name, transport, got, want)
			}
			if transport == "UDP" && !torture.Allows(c.Asked.Proxy, got) {
				t.Errorf("%s: %s, and the RFC asks for %s", c.Name, got, c.Asked.Proxy)
			}
		}
	})
}
