package sip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"presfed/agents/internal/wire"
)

// datagramSocket is one UDP socket.
type datagramSocket struct {
	endpoint *Endpoint
	conn     *net.UDPConn
	local    netip.AddrPort

	mu      sync.Mutex
	waiting map[netip.AddrPort]map[*ClientTx]struct{} // for an answer, by peer
}

func (d *datagramSocket) read() {
	buf := make([]byte, 65535)
	for {
		n, from, err := d.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			d.tell(unreachable(d.conn)) // of an earlier packet: the socket itself is fine
			continue
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

// tell ends what waits for peers that cannot be reached (RFC 3261 section 18.4).
func (d *datagramSocket) tell(peers []netip.AddrPort) {
	for _, peer := range peers {
		d.mu.Lock()
		waiting := d.waiting[peer]
		delete(d.waiting, peer)
		d.mu.Unlock()
		for tx := range waiting {
			tx.lost(datagram{d, peer}, fmt.Errorf("%w: %s cannot be reached by UDP", ErrTransport, peer))
		}
	}
}

// send is told the ICMP errors of earlier datagrams, to whomever, before its own
// is sent: then it tries again.
func (d datagram) send(b []byte) error {
	_, err := d.socket.conn.WriteToUDPAddrPort(b, d.peer)
	for try := 1; err != nil && try < 4; try++ {
		if peers := unreachable(d.socket.conn); len(peers) > 0 {
			d.socket.endpoint.later(func() { d.socket.tell(peers) }) // the caller holds a lock
		}
		_, err = d.socket.conn.WriteToUDPAddrPort(b, d.peer)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTransport, err)
	}
	d.socket.endpoint.record(wire.Out, d.source(), b)
	return nil
}

func (d datagram) watch(tx *ClientTx) error {
	d.socket.mu.Lock()
	defer d.socket.mu.Unlock()
	if d.socket.waiting[d.peer] == nil {
		d.socket.waiting[d.peer] = map[*ClientTx]struct{}{}
	}
	d.socket.waiting[d.peer][tx] = struct{}{}
	return nil
}

func (d datagram) unwatch(tx *ClientTx) {
	d.socket.mu.Lock()
	defer d.socket.mu.Unlock()
	delete(d.socket.waiting[d.peer], tx)
	if len(d.socket.waiting[d.peer]) == 0 {
		delete(d.socket.waiting, d.peer)
	}
}

func (d datagram) source() Source {
	return Source{Transport: "UDP", Local: d.socket.local, Remote: d.peer}
}

func (d datagram) reliable() bool { return false }
