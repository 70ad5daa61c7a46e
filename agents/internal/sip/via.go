package sip

import (
	"net/netip"
	"strconv"
)

// viaKey is what our Via depends on.
type viaKey struct {
	transport string
	four      bool // IPv4
}

// writeVias prepares the sent-by of every Via that we may write (RFC 3261 section
// 18.1.1): the address of the target's family that we listen on for its
// transport, or without a port one that we listen on for another.
func (e *Endpoint) writeVias() {
	e.vias = map[viaKey]string{}
	for _, transport := range []string{"UDP", "TCP", "TLS"} {
		for _, four := range []bool{true, false} {
			sentBy := e.cfg.Host
			at := e.listens(transport, four)
			if sentBy == "" {
				sentBy = e.host(at.Addr(), four)
			}
			if at.Port() != 0 {
				sentBy += ":" + strconv.Itoa(int(at.Port()))
			}
			e.vias[viaKey{transport, four}] = "SIP/2.0/" + transport + " " + sentBy + ";branch="
		}
	}
}

// host is an address as a Via has it: what we bind to where any is listened on.
func (e *Endpoint) host(ip netip.Addr, four bool) string {
	if !ip.IsValid() || ip.IsUnspecified() {
		ip = e.cfg.Bind
	}
	switch {
	case !ip.IsValid() && four:
		return "127.0.0.1"
	case !ip.IsValid():
		return "[::1]"
	case ip.Is6():
		return "[" + ip.String() + "]"
	}
	return ip.String()
}

// Via is our Via for a target with a branch, for requests that are prepared.
func (e *Endpoint) Via(to Target, branch string) string {
	four := to.Addr.Addr().Unmap().Is4()
	if !to.Addr.IsValid() { // down a connection
		four = e.Reached(e.Side(to)).Addr().Is4()
	}
	v := e.vias[viaKey{to.Transport, four}]
	if to.Transport == "UDP" {
		return v + branch + ";rport" // RFC 3581 section 3
	}
	return v + branch
}
