package sip

import (
	"net/netip"
	"slices"
)

// Listening is where the endpoint listens, one for each of Config.Listen and in
// their order, with the ports that it was given.
func (e *Endpoint) Listening() []Listen { return slices.Clone(e.bound) }

// ListensAt says whether the endpoint listens at an address whose IP address is taken
// for one of ours by same.
func (e *Endpoint) ListensAt(port int, same func(ours netip.Addr) bool) bool {
	return slices.ContainsFunc(e.bound, func(l Listen) bool { return port == int(l.Addr.Port()) && same(l.Addr.Addr()) })
}

// Addr is where the endpoint listens for a transport, the first of several; zero
// where it does not.
func (e *Endpoint) Addr(transport string) netip.AddrPort {
	for _, at := range e.addrs(transport) {
		return at
	}
	return netip.AddrPort{}
}

func (e *Endpoint) addrs(transport string) (out []netip.AddrPort) {
	for _, l := range e.bound {
		if l.Transport == transport {
			out = append(out, l.Addr)
		}
	}
	return out
}

// listens is the first address of a family that we listen on for a transport; with
// port 0, for another one.
func (e *Endpoint) listens(transport string, four bool) netip.AddrPort {
	var other netip.AddrPort
	for _, t := range []string{transport, "UDP", "TCP", "TLS"} {
		for _, at := range e.addrs(t) {
			switch {
			case at.Addr().Is4() != four:
			case t == transport:
				return at
			case !other.IsValid():
				other = netip.AddrPortFrom(at.Addr(), 0)
			}
		}
	}
	return other
}

// Side is what is known of where a target is before anything is sent there. Local
// is zero where that takes a new connection.
func (e *Endpoint) Side(to Target) Source {
	if to.Transport == "UDP" {
		if d := e.datagramsTo(to.Addr); d != nil {
			return datagram{d, to.Addr}.source()
		}
	} else if c := e.pool.find(to); c != nil {
		c.mu.Lock() // it may be connecting
		defer c.mu.Unlock()
		return c.src
	}
	return Source{Transport: to.Transport, Remote: to.Addr}
}

// Reached is the address by which a side reaches us over its transport: what its
// messages come to if we listen there, else at least that host, else that family;
// zero where we do not listen for the transport at all.
func (e *Endpoint) Reached(side Source) netip.AddrPort {
	local, family := side.Local.Addr(), side.Remote.Addr().Unmap()
	same := func(at netip.AddrPort) bool { return !family.IsValid() || at.Addr().Is4() == family.Is4() }
	host := func(at netip.AddrPort) bool {
		return at.Addr() == local || local.IsValid() && at.Addr().IsUnspecified() && same(at)
	}
	all := e.addrs(side.Transport)
	for _, fits := range []func(netip.AddrPort) bool{
		func(at netip.AddrPort) bool { return host(at) && at.Port() == side.Local.Port() }, host, same,
	} {
		i := slices.IndexFunc(all, fits)
		switch {
		case i < 0:
		case host(all[i]): // 0.0.0.0 leads nowhere
			return netip.AddrPortFrom(local, all[i].Port())
		default:
			return all[i]
		}
	}
	return e.Addr(side.Transport)
}
