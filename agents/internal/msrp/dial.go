package msrp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// dial is a connection to a hop, standing or on its way.
type dial struct {
	done chan struct{} // closed when conn or err is set
	conn *conn
	err  error
}

// connect gives the connection to a hop: the one that stands, if this end has
// made one to the same host, port and scheme (RFC 4975 section 5.4), else a
// new one. A connection the peer made is never taken: nothing says that it
// leads to the host the hop names.
func (e *Endpoint) connect(ctx context.Context, hop URI) (*conn, error) {
	// Nothing but host, port and scheme counts.
	key := URI{Secure: hop.Secure, Host: hop.Host, Port: hop.Port, Transport: hop.Transport}.key()
	e.mu.Lock()
	d := e.dialled[key]
	mine := d == nil
	if mine && len(e.dialled) >= e.cfg.Limits.Connections {
		e.mu.Unlock()
		return nil, fmt.Errorf("%w: %d connections made or on their way", ErrLimit, len(e.dialled))
	}
	if mine {
		d = &dial{done: make(chan struct{})}
		e.dialled[key] = d
	}
	e.mu.Unlock()
	if mine {
		if err := e.spawn(func() { e.dial(d, key, hop) }); err != nil {
			return nil, err
		}
	}
	select {
	case <-d.done:
		return d.conn, d.err
	case <-e.ctx.Done():
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (e *Endpoint) dial(d *dial, key string, hop URI) {
	nc, err := e.dialHop(hop)
	var c *conn
	if err == nil {
		c = e.newConn(nc, key)
	}
	e.mu.Lock()
	if d.conn, d.err = c, err; err != nil {
		delete(e.dialled, key)
	}
	e.mu.Unlock()
	if c != nil {
		if err = e.addConn(c); err != nil {
			_ = nc.Close()
			e.dropConn(c)
			d.conn, d.err = nil, err
		}
	}
	close(d.done)
}

// reaches keeps a peer from having us speak to what only this machine, or everybody,
// is meant to hear: its description says where to connect.
func (e *Endpoint) reaches(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	own, a := e.addr.Addr(), to.Addr().Unmap()
	switch {
	case a.IsUnspecified(), a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}),
		a.IsLoopback() && !own.IsLoopback() && !own.IsUnspecified(),
		a.IsLinkLocalUnicast() && !own.IsLinkLocalUnicast() && !own.IsUnspecified():
		return fmt.Errorf("%w: %s, from %s", ErrAddress, a, own)
	}
	return nil
}

func (e *Endpoint) dialHop(hop URI) (net.Conn, error) {
	switch {
	case hop.Port == 0:
		return nil, errors.New("msrp: no port to connect to in " + hop.String())
	case !strings.EqualFold(hop.Transport, "tcp"):
		return nil, errors.New("msrp: no such transport: " + hop.String())
	}
	ctx, cancel := context.WithTimeout(e.ctx, e.cfg.Limits.Dial)
	defer cancel()
	from := net.Dialer{ControlContext: e.reaches}
	if own := e.addr.Addr(); !own.IsUnspecified() {
		from.LocalAddr = &net.TCPAddr{IP: own.AsSlice(), Zone: own.Zone()}
	}
	// RFC 4975 section 6.2: A and AAAA records, each address tried in turn.
	nc, err := from.DialContext(ctx, "tcp", net.JoinHostPort(decodeUnreserved(hop.Host), strconv.Itoa(int(hop.Port))))
	if err != nil || !hop.Secure {
		return nc, err
	}
	t := tls.Client(nc, e.clientTLS(hop.Host))
	if err := t.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		return nil, err
	}
	return t, nil
}
