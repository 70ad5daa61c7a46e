package model

import (
	"io"
	"net"
	"net/netip"
	"sync"
)

// relay stands before a server and passes bytes on to it, unless the way from
// where they come is cut. It is at the server's own port and sends from the
// address of the other's relay, so that a response that has lost its connection
// goes to a relay as well (RFC 3261 section 18.2.2).
type relay struct {
	listener net.Listener
	wg       sync.WaitGroup

	target string // set before anybody knows of the relay

	mu   sync.Mutex
	cut  map[netip.Addr]bool
	open map[*joint]bool
}

// shown is the address of the relay before the server at an address.
func shown(server netip.Addr) netip.Addr {
	at := server.As4()
	at[3] += 100
	return netip.AddrFrom4(at)
}

// joint is one connection through a relay.
type joint struct {
	from      netip.Addr
	near, far net.Conn
}

func newRelay(at string) (*relay, error) {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return nil, err
	}
	r := &relay{listener: l, cut: map[netip.Addr]bool{}, open: map[*joint]bool{}}
	r.wg.Go(r.run)
	return r, nil
}

func (r *relay) run() {
	for {
		c, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.wg.Go(func() { r.pass(c) })
	}
}

func (r *relay) pass(near net.Conn) {
	j := &joint{near: near, from: near.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()}
	defer near.Close()
	r.mu.Lock()
	refused := r.cut[j.from]
	r.mu.Unlock()
	if refused {
		_ = near.(*net.TCPConn).SetLinger(0) // a reset, as of one who refuses
		return
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: shown(j.from).AsSlice()}}
	far, err := d.Dial("tcp", r.target)
	if err != nil {
		return
	}
	defer far.Close()
	j.far = far
	r.mu.Lock()
	refused = r.cut[j.from]
	r.open[j] = !refused
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.open, j)
	}()
	if refused {
		return
	}
	var both sync.WaitGroup
	pump := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		near.Close()
		far.Close()
	}
	both.Go(func() { pump(far, near) })
	both.Go(func() { pump(near, far) })
	both.Wait()
}

// set cuts the way from an address, or heals it.
func (r *relay) set(from netip.Addr, cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut[from] = cut
	for j := range r.open {
		if cut && j.from == from {
			j.near.Close()
			j.far.Close()
		}
	}
}

func (r *relay) close() {
	r.listener.Close()
	r.mu.Lock()
	for j := range r.open {
		j.near.Close()
		if j.far != nil {
			j.far.Close()
		}
	}
	r.mu.Unlock()
	r.wg.Wait()
}
