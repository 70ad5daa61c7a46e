package trace

import "net/netip"

// names knows which participant uses which address: from each record its own
// side, and from what participants say they listen on.
type names struct {
	of      map[netip.AddrPort]string
	watched map[string]bool // participants whose sockets are recorded
}

func newNames() *names {
	return &names{of: map[netip.AddrPort]string{}, watched: map[string]bool{}}
}

func (n *names) add(name string, addr netip.AddrPort) {
	if name != "" && addr.IsValid() && addr.Port() != 0 && !addr.Addr().IsUnspecified() {
		n.of[unmapped(addr)] = name
	}
}

// learn takes a record's own side.
func (n *names) learn(r *Record) {
	n.watched[r.Participant] = true
	if r.Direction == "out" {
		n.add(r.Participant, r.Src)
	} else {
		n.add(r.Participant, r.Dst)
	}
}

// name is the participant at addr, or addr itself.
func (n *names) name(addr netip.AddrPort) string {
	if name, ok := n.of[unmapped(addr)]; ok {
		return name
	}
	return unmapped(addr).String()
}

// unmapped writes an IPv4 address as one.
func unmapped(addr netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
}
