package bed

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"presfed/agents/certs"
	"presfed/agents/internal/relay"
)

// Meddler is what a relay does to each message.
type Meddler = relay.Meddler

// facing names the other end of each server's link: relays are for the draft's
// two servers.
var facing = map[string]string{"server-a": "server-b", "server-b": "server-a"}

// startRelays puts a relay before each server's link and before its devices. The
// relays of the link hold certificates of the bed: to server-a theirs proves
// server-b, and the other way round.
func (b *Bed) startRelays(ctx context.Context, authority *certs.Authority, links map[string]netip.AddrPort) error {
	for server, other := range facing {
		_, files, err := authority.Issue(certs.Request{Name: "relay-" + server, Hosts: []string{b.options.host(server)}, Replace: true}, time.Now())
		if err != nil {
			return err
		}
		creds, err := certs.Load(certs.Options{Files: files})
		if err != nil {
			return err
		}
		b.creds = append(b.creds, creds)
		b.posing[server] = creds
		r := &relay.Relay{From: other, To: server, Accept: creds.Config(), Target: links[server], Meddle: b.options.Meddle}
		if r.Listener, err = net.Listen("tcp", b.options.addr(b.options.at(server)+relayed, portTLS).String()); err != nil {
			return err
		}
		b.links[server] = r
	}
	for server, other := range facing {
		b.links[server].Dial = b.posing[other].Dial(b.options.host(server))
		b.runServers.Go(func() error { return b.links[server].Run(ctx) })
	}
	return nil
}

// relayed is how far a relay's address is from its participant's.
const relayed = 100

// front is where the devices of a server find it: the server itself, or a relay.
func (b *Bed) front(server string) (netip.AddrPort, error) {
	at := b.servers[server].Addr("TCP")
	if b.options.Meddle == nil {
		return at, nil
	}
	if r := b.fronts[server]; r != nil {
		return r.Addr(), nil
	}
	l, err := net.Listen("tcp", b.options.addr(b.options.at(server)+relayed, portSIP).String())
	if err != nil {
		return at, fmt.Errorf("relay of %s: %w", server, err)
	}
	r := &relay.Relay{To: server, Listener: l, Target: at, Who: b.owner, Meddle: b.options.Meddle}
	b.fronts[server] = r
	b.runServers.Go(func() error { return r.Run(b.serving) })
	return r.Addr(), nil
}

// owner is the device with an address.
func (b *Bed) owner(addr netip.Addr) string {
	for _, d := range b.options.Topology.Devices {
		if b.options.addr(d.At, 0).Addr() == addr {
			return d.Name
		}
	}
	return addr.String()
}

// RelayOf is where a server's link is relayed; zero without Options.Meddle.
func (b *Bed) RelayOf(server string) netip.AddrPort {
	if r := b.links[server]; r != nil {
		return r.Addr()
	}
	return netip.AddrPort{}
}

func (o *Options) host(server string) string { s, _ := o.Topology.server(server); return s.Host }
func (o *Options) at(server string) byte     { s, _ := o.Topology.server(server); return s.At }
