package client_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"presfed/agents/client"
	"presfed/agents/internal/message"
	"presfed/agents/internal/resolve"
	"presfed/agents/internal/sip"
)

// zone is a name service of a few records.
type zone struct {
	srv map[string][]resolve.SRV
	a   map[string][]netip.Addr
}

func (z zone) NAPTR(context.Context, string) ([]resolve.NAPTR, error) { return nil, nil }
func (z zone) SRV(_ context.Context, name string) ([]resolve.SRV, error) {
	return z.srv[name], nil
}
func (z zone) Addresses(_ context.Context, host string) ([]netip.Addr, error) { return z.a[host], nil }

// answering is a server that answers everything alike; heard counts.
type answering struct {
	sip.Handler
	status int
	heard  chan string
}

func (a answering) ServeRequest(tx *sip.ServerTx) {
	a.heard <- tx.Request().Method
	tx.Respond(message.NewResponse(tx.Request(), a.status, "", "s"))
}
func (a answering) ServeAck(*message.Request, sip.Source)       {}
func (a answering) ServeResponse(*message.Response, sip.Source) {}
func (a answering) ConnectionClosed(sip.Source)                 {}

func answers(t *testing.T, status int) (port uint16, heard chan string) {
	t.Helper()
	heard = make(chan string, 8)
	e, err := sip.New(sip.Config{Handler: answering{status: status, heard: heard}, Listen: []sip.Listen{
		{Transport: "TCP", Addr: netip.MustParseAddrPort("127.0.0.1:0")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	running(t, e.Run)
	return e.Addr("TCP").Port(), heard
}

// RFC 3263 section 4.3: a server that refuses connections, an address where it
// does not listen and one that says 503 are passed over, in the order of the DNS.
func TestServersOfADomainAreTriedInOrder(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := uint16(ln.Addr().(*net.TCPAddr).Port)
	ln.Close()
	busy, heardBusy := answers(t, 503)
	live, heardLive := answers(t, 200)
	spare, heardSpare := answers(t, 200)
	home := netip.MustParseAddr("127.0.0.1")
	d := newDevice(t, "alice", "sip:example.test;transport=tcp", func(c *client.Config) {
		c.Lookup = zone{
			srv: map[string][]resolve.SRV{"_sip._tcp.example.test": {
				{Priority: 4, Weight: 100, Host: "one.test", Port: spare},
				{Priority: 3, Host: "two.test", Port: live},
				{Priority: 1, Host: "one.test", Port: refusing},
				{Priority: 2, Host: "one.test", Port: busy},
			}},
			a: map[string][]netip.Addr{"one.test": {home}, "two.test": {netip.MustParseAddr("::1"), home}},
		}
	})
	for range 2 {
		if err := d.Page(timeout(t), "bob@example.test", "text/plain", []byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	if len(heardBusy) != 2 || len(heardLive) != 2 || len(heardSpare) != 0 {
		t.Errorf("asked %d, %d and %d times", len(heardBusy), len(heardLive), len(heardSpare))
	}
}
