package figures

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// packets is the way between two servers that talk by UDP and know each other by where
// datagrams come from: each finds the other at a socket of its own here. What names
// where a server really is is changed on the way, so that nothing goes past.
type packets struct {
	trouble *trouble
	wg      sync.WaitGroup
	ends    map[string]*packetEnd
}

type packetEnd struct {
	conn     *net.UDPConn
	real, at []byte // as they stand in messages
	to       netip.AddrPort
}

func newPackets(t *testing.T, real map[string]string, tr *trouble) *packets {
	t.Helper()
	p := &packets{trouble: tr, ends: map[string]*packetEnd{}}
	for x, addr := range real {
		to := netip.MustParseAddrPort(addr)
		c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.Addr(), 0)))
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadBuffer(4 << 20)
		p.ends[x] = &packetEnd{conn: c, real: []byte(addr), at: []byte(c.LocalAddr().String()), to: to}
	}
	t.Cleanup(func() {
		for _, e := range p.ends {
			e.conn.Close()
		}
		p.wg.Wait()
	})
	for x, other := range map[string]string{"a": "b", "b": "a"} {
		p.wg.Go(func() { p.pass(p.ends[x], p.ends[other], x) })
	}
	return p
}

// pass takes what comes for a server and gives it on as from the other's address.
func (p *packets) pass(near, far *packetEnd, x string) {
	b := make([]byte, 65535)
	var later sync.WaitGroup
	defer later.Wait()
	for {
		n, err := near.conn.Read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		raw := bytes.ReplaceAll(bytes.ReplaceAll(b[:n], far.real, far.at), near.at, near.real)
		send := func(raw []byte) { _, _ = far.conn.WriteToUDPAddrPort(raw, near.to) }
		for _, raw := range p.trouble.meddle("", x, raw) {
			if d := p.trouble.delay(); d > 0 {
				later.Add(1)
				time.AfterFunc(d, func() { defer later.Done(); send(raw) })
				continue
			}
			send(raw)
		}
	}
}
