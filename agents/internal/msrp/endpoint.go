package msrp

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/wire"
)

// Config of an Endpoint.
type Config struct {
	Listen netip.AddrPort // own address; port 0: any. Outgoing connections leave from the same address
	Host   string         // what own URIs call this host; empty: the address, which then must be one that peers can connect to
	// TLS of secure sessions: its first certificate is this end's, and its RootCAs
	// are asked where a peer's description has no fingerprint. Nil, or without a
	// certificate: a self-signed one that this end makes.
	TLS *tls.Config

	Participant string   // for the records
	Tap         wire.Tap // nil: no records

	Clock  clock.Clock  // nil: the system's
	Log    *slog.Logger // nil: none
	Limits Limits
}

// Endpoint is one listener, the connections accepted and made, and the
// sessions that use them.
type Endpoint struct {
	cfg    Config
	log    *slog.Logger
	listen net.Listener
	addr   netip.AddrPort
	host   string

	ctx    context.Context // done when the endpoint ends
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine but Run's caller

	identity func() (*tls.Certificate, error) // made when it is first needed

	buffers sync.Pool    // of *[]byte, each fit for a chunk
	held    atomic.Int64 // bytes of messages that sessions hold in memory

	mu       sync.Mutex
	ended    bool
	sessions map[string]*Session // by key of the own URI
	conns    map[*conn]struct{}
	dialled  map[string]*dial // by hop
}

// Listen takes the address. The endpoint then works until Run returns; an
// endpoint that is never Run is closed with Close.
func Listen(cfg Config) (*Endpoint, error) {
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(cfg.Listen))
	if err != nil {
		return nil, err
	}
	e := &Endpoint{
		cfg: cfg, log: cfg.Log, listen: ln, addr: addrPort(ln.Addr()),
		sessions: map[string]*Session{}, conns: map[*conn]struct{}{}, dialled: map[string]*dial{},
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.identity = sync.OnceValues(func() (*tls.Certificate, error) {
		if cfg.TLS != nil && len(cfg.TLS.Certificates) > 0 {
			return &cfg.TLS.Certificates[0], nil
		}
		return selfSigned(e.host)
	})
	e.host = cmp.Or(cfg.Host, e.addr.Addr().WithZone("").String())
	e.ctx, e.cancel = context.WithCancel(context.Background())
	return e, nil
}

// Addr is the address listened on.
func (e *Endpoint) Addr() netip.AddrPort { return e.addr }

// Run accepts connections until ctx ends or the listener fails, then ends
// every session and connection and waits for their goroutines, the handlers'
// included. It returns nil for an ended ctx. Call it once.
func (e *Endpoint) Run(ctx context.Context) error {
	stop := make(chan struct{})
	e.wg.Go(func() {
		select {
		case <-ctx.Done():
		case <-stop:
		}
		e.shutdown()
	})
	err := e.accept()
	close(stop)
	e.wg.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Close ends the endpoint and waits for its goroutines.
func (e *Endpoint) Close() {
	e.shutdown()
	e.wg.Wait()
}

func (e *Endpoint) shutdown() {
	e.mu.Lock()
	e.ended = true
	var sessions []*Session
	for _, s := range e.sessions {
		sessions = append(sessions, s)
	}
	var conns []*conn
	for c := range e.conns {
		conns = append(conns, c)
	}
	e.mu.Unlock()
	e.cancel()
	_ = e.listen.Close()
	for _, s := range sessions {
		s.end(ErrClosed)
	}
	var drained sync.WaitGroup
	for _, c := range conns {
		drained.Go(func() {
			c.drain(e.cfg.Limits.Linger)
			c.close(ErrClosed)
		})
	}
	drained.Wait()
}

// spawn runs f on a goroutine that Run waits for; ErrClosed: the endpoint has
// ended.
func (e *Endpoint) spawn(f func()) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		return ErrClosed
	}
	e.wg.Go(f)
	return nil
}

// newURI is an own URI for one session.
func (e *Endpoint) newURI(secure bool) URI {
	u := e.device(secure)
	u.Session = newIdent()
	return u
}

// device is the URI of the endpoint itself.
func (e *Endpoint) device(secure bool) URI {
	return URI{Secure: secure, Host: e.host, Port: e.addr.Port(), Transport: "tcp"}
}

func (e *Endpoint) session(u URI) *Session {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sessions[u.key()]
}

// addConn takes a connection into the books and starts it.
func (e *Endpoint) addConn(c *conn) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.ended:
		return ErrClosed
	case len(e.conns) >= e.cfg.Limits.Connections:
		return fmt.Errorf("%w: %d connections", ErrLimit, len(e.conns))
	}
	e.conns[c] = struct{}{}
	e.wg.Go(c.read)
	e.wg.Go(c.write)
	return nil
}

func (e *Endpoint) dropConn(c *conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, c)
	if d := e.dialled[c.hop]; d != nil && d.conn == c {
		delete(e.dialled, c.hop)
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		p := t.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}
