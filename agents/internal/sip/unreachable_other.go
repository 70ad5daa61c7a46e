//go:build !linux

package sip

import (
	"net"
	"net/netip"
)

// Elsewhere a datagram that could not be brought to its peer ends by time-out.

func hearICMP(*net.UDPConn, bool) error { return nil }

func unreachable(*net.UDPConn) []netip.AddrPort { return nil }
