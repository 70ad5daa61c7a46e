package sip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"presfed/agents/internal/wire"
)

// datagramSocket is one UDP socket.
type datagramSocket struct {
	endpoint *Endpoint
	conn     *net.UDPConn
	local    netip.AddrPort
}

func (d *datagramSocket) read() {
	buf := make([]byte, 65535)
	for {
		n, from, err := d.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // an ICMP error of an earlier packet: the socket itself is fine
		}
		if n <= 4 { // keep-alive (RFC 5626 section 3.5.1 and older habits)
			continue
		}
		raw := append([]byte(nil), buf[:n]...)
		l := datagram{d, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())}
		d.endpoint.record(wire.In, l.source(), raw)
		d.endpoint.receive(raw, nil, l)
	}
}

// datagram is a UDP socket and whom to send to.
type datagram struct {
	socket *datagramSocket
	peer   netip.AddrPort
}

func (d datagram) send(b []byte) error {
	if _, err := d.socket.conn.WriteToUDPAddrPort(b, d.peer); err != nil {
		return fmt.Errorf("%w: %w", ErrTransport, err)
	}
	d.socket.endpoint.record(wire.Out, d.source(), b)
	return nil
}

func (d datagram) source() Source {
	return Source{Transport: "UDP", Local: d.socket.local, Remote: d.peer}
}

func (d datagram) reliable() bool        { return false }
func (d datagram) watch(*ClientTx) error { return nil }
func (d datagram) unwatch(*ClientTx)     {}
