package sip

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// pool finds live connections: by flow, by address, by proven identity.
type pool struct {
	mu    sync.Mutex
	flows map[Flow]*stream
	keys  map[string]*stream
	from  map[netip.Addr]int // how many were accepted from where
}

func (p *pool) init() {
	p.flows, p.keys, p.from = map[Flow]*stream{}, map[string]*stream{}, map[netip.Addr]int{}
}

func poolKey(transport string, addr netip.AddrPort, serverName string) string {
	return transport + " " + addr.String() + " " + strings.ToLower(serverName)
}

func identityKey(transport, name string) string { return transport + " " + strings.ToLower(name) }

// add makes c known by key. The first connection under a key keeps it.
func (p *pool) add(c *stream, key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flows[c.src.Flow] = c
	if _, taken := p.keys[key]; !taken {
		p.keys[key] = c
		c.keys = append(c.keys, key)
	}
}

func (p *pool) remove(c *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.flows, c.src.Flow)
	for _, key := range c.keys {
		if p.keys[key] == c {
			delete(p.keys, key)
		}
	}
	c.keys = nil
	if c.from.IsValid() {
		if p.from[c.from]--; p.from[c.from] == 0 {
			delete(p.from, c.from)
		}
		c.from = netip.Addr{}
	}
}

func (p *pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.flows)
}

func (p *pool) find(to Target) *stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.flows[to.Flow]; c != nil {
		return c
	}
	if to.Transport == "TLS" && to.ServerName != "" {
		if c := p.keys[identityKey(to.Transport, to.ServerName)]; c != nil {
			return c
		}
	}
	return p.keys[poolKey(to.Transport, to.Addr, to.ServerName)]
}

// lastWrites is how long, at the end, peers may take to read what was sent before.
const lastWrites = 250 * time.Millisecond

func (p *pool) closeAll() {
	all := p.all()
	until, cancel := context.WithTimeout(context.Background(), lastWrites)
	defer cancel()
	for _, c := range all {
		c.endWrites()
	}
	for _, c := range all {
		c.finish(until.Done())
	}
}

// link is what a message is sent down.
type link interface {
	send(b []byte) error
	source() Source
	reliable() bool
	watch(tx *ClientTx) error
	unwatch(tx *ClientTx)
}

// datagramsTo is the socket that datagrams to an address leave from; nil: none.
func (e *Endpoint) datagramsTo(addr netip.AddrPort) *datagramSocket {
	i := slices.IndexFunc(e.datagrams, func(d *datagramSocket) bool { return d.local.Addr().Is4() == addr.Addr().Unmap().Is4() })
	if i < 0 {
		return nil
	}
	return e.datagrams[i]
}

// link finds or sets up the way to a target. Dialling goes on in the background.
func (e *Endpoint) link(to Target) (link, error) {
	if to.Transport == "UDP" {
		d := e.datagramsTo(to.Addr)
		if d == nil {
			return nil, fmt.Errorf("%w: no UDP socket for %s", ErrTransport, to.Addr)
		}
		return datagram{d, to.Addr}, nil
	}
	if c := e.pool.find(to); c != nil {
		return c, nil
	}
	if !to.Addr.IsValid() || to.Addr.Port() == 0 {
		return nil, fmt.Errorf("%w: the connection is gone and there is no address to dial", ErrTransport)
	}
	if to.Transport != "TCP" && to.Transport != "TLS" {
		return nil, fmt.Errorf("%w: transport %q", ErrTransport, to.Transport)
	}
	if to.Transport == "TLS" && (e.cfg.ClientTLS == nil || to.ServerName == "") {
		return nil, fmt.Errorf("%w: TLS to %s needs a certificate authority and a name to expect", ErrTransport, to.Addr)
	}
	if why := e.full(); why != "" {
		return nil, fmt.Errorf("%w: too many connections: %s", ErrTransport, why)
	}
	c := e.newStream(to.Transport, to.Addr, to.ServerName)
	if !e.start(func() { c.dial(to) }) {
		e.pool.remove(c)
		return nil, fmt.Errorf("%w: the endpoint is closed", ErrTransport)
	}
	return c, nil
}
