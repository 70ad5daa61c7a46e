package client_test

import (
	"strings"
	"testing"

	"presfed/agents/client"
	"presfed/agents/internal/torture"
	"presfed/agents/internal/wire"
)

// A device is the user agent of docs/TORTURE.md: it is sent the messages of RFC 4475
// and RFC 5118 by both transports, and is there afterwards.
func TestTorture(t *testing.T) {
	torture.Each(t, func(transport string, batch []torture.Case) {
		probe := torture.NewProbe()
		d := newDevice(t, "user", "tcp:127.0.0.1:9", func(c *client.Config) {
			c.Tap = probe.Tap
			c.OnEvent = nil
		})
		for _, c := range batch {
			want := torture.By(transport, c.Ours.Agent)
			got := probe.Ask(t, transport, d.Addr(transport), c, "sip:user@example.com", want)
			if got != want {
				t.Errorf("%s by %s: %s, want %s", c.Name, transport, got, want)
			}
			if transport == "UDP" && !torture.Allows(c.Asked.Agent, got) {
				t.Errorf("%s: %s, and the RFC asks for %s", c.Name, got, c.Asked.Agent)
			}
			for _, res := range probe.Seen(wire.Out, c.ID(), true) {
				if c.Name == "bext01" && !strings.Contains(res, "Unsupported: nothingSupportsThis, nothingSupportsThisEither\r\n") {
					t.Errorf("%s is answered\n%s", c.Name, res)
				}
			}
		}
		d.stop()
	})
}
