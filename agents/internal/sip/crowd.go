package sip

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// crowded says why no further connection is taken from there; "": one is.
func (e *Endpoint) crowded(from netip.Addr) string {
	if n := e.pool.count(from); n >= e.cfg.Limits.Address {
		return fmt.Sprintf("there are %d from there", n)
	}
	return e.full()
}

// full says why there is no room for a further connection; "": there is, be it that a
// stranger's goes for it. So strangers cannot keep out who is known, nor servers.
func (e *Endpoint) full() string {
	n := e.pool.size()
	if n < e.cfg.Limits.Connections {
		return ""
	}
	c := e.pool.stranger()
	if c == nil {
		return fmt.Sprintf("there are %d", n)
	}
	c.mu.Lock() // it may be connecting
	peer := c.src.Remote
	c.mu.Unlock()
	e.log.Info("connection ends", "peer", peer, "transport", c.src.Transport, "error", errCrowded)
	c.close(fmt.Errorf("%w: %w", ErrTransport, errCrowded))
	return ""
}

// stranger is some connection that was of no use yet; nil where hardly any is.
func (p *pool) stranger() *stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	looked := 0
	for _, c := range p.flows { // in no order
		if !c.known.Load() && !c.proven() {
			return c
		}
		if looked++; looked == enough {
			break
		}
	}
	return nil
}

// enough are as many as are looked at for one stranger: where they are that few, they
// are not what takes the room.
const enough = 256

// count is how many connections were accepted from where an address belongs.
func (p *pool) count(from netip.Addr) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.from[network(from)]
}

// accepted counts a connection for where it came from, as long as it is there.
func (p *pool) accepted(c *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flows[c.src.Flow] == c {
		c.from = network(c.src.Remote.Addr())
		p.from[c.from]++
	}
}

// network is whom an address stands for: in IPv6 a site has as many as it likes.
func network(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// fitFiles has fewer connections be taken than the system would give files for: the
// state, the directory and the sockets need some as well, and who is refused hears
// so.
func (e *Endpoint) fitFiles() {
	n := mostFiles()
	room := n - min(n/2, 256)
	if n == 0 || e.cfg.Limits.Connections <= room {
		return
	}
	if e.cfg.Limits.Connections != DefaultLimits.Connections || room < DefaultLimits.Connections/2 { // somebody wanted them, or will miss them
		e.log.Info("fewer connections than configured: the system allows few open files", "connections", room, "configured", e.cfg.Limits.Connections, "files", n)
	}
	e.cfg.Limits.Connections = room
}

// Why a connection is ended that is in order.
var (
	errIdle    = errors.New("idle: nothing came for too long")
	errCrowded = errors.New("there are too many connections, and this one was of no use yet")
)

// sweep ends connections that are idle, until the endpoint ends. Peers that proved
// who they are are pinged instead.
func (e *Endpoint) sweep() {
	l := e.cfg.Limits
	every := max(l.StrangerIdle/4, time.Millisecond)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-e.ctx.Done():
			return
		}
		for _, c := range e.pool.all() {
			quiet := time.Duration(c.quiet.Add(1)-1) * every
			switch known := c.known.Load(); {
			case known && quiet < l.Idle, !known && quiet < l.StrangerIdle, c.proven():
			default:
				e.log.Info("connection ends", "peer", c.src.Remote, "transport", c.src.Transport, "error", errIdle)
				c.close(fmt.Errorf("%w: %w", ErrTransport, errIdle))
			}
		}
	}
}

// proven says that the peer has proved who it is.
func (c *stream) proven() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.src.Identities) > 0
}

func (p *pool) all() []*stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*stream, 0, len(p.flows))
	for _, c := range p.flows {
		all = append(all, c)
	}
	return all
}
