package sip

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/agents/internal/wire"
)

// Endpoint is a participant's sockets and transactions. New binds, Run serves,
// and everything it owns has ended when Run returns.
type Endpoint struct {
	cfg       Config
	log       *slog.Logger
	clock     clock.Clock
	listeners []listener
	datagrams []*datagramSocket
	bound     []Listen // as Config.Listen, with the ports taken
	vias      map[viaKey]string
	pool      pool
	clients   table[*ClientTx]
	servers   table[*served]
	answered  late         // servers that wait for retransmissions only (Timer J)
	heard     late         // clients that do (Timer K)
	pressure  pressure     // of what waits for the disk
	passing   pressure     // of what does not
	refused   atomic.Int64 // by turnAway
	records   atomic.Uint64
	flows     atomic.Uint64
	wg        sync.WaitGroup
	starting  sync.Mutex // guards that nothing joins wg once ctx has ended
	stop      context.CancelFunc
	ctx       context.Context
	secret    [32]byte // of Tag
	refusals  maphash.Seed
}

type listener struct {
	transport string
	net       net.Listener
}

// New binds every socket of cfg.Listen. On an error nothing stays bound.
func New(cfg Config) (*Endpoint, error) {
	if cfg.Handler == nil {
		return nil, errors.New("sip endpoint: no handler")
	}
	if c := cfg.ServerTLS; c != nil && c.VerifyConnection == nil &&
		(c.ClientAuth == tls.RequestClientCert || c.ClientAuth == tls.RequireAnyClientCert) {
		return nil, errors.New("sip endpoint: client certificates would be believed unverified")
	}
	cfg.Limits = cfg.Limits.withDefaults()
	cfg.Timers.T1 = cmp.Or(cfg.Timers.T1, DefaultTimers.T1)
	cfg.Timers.T2 = cmp.Or(cfg.Timers.T2, DefaultTimers.T2)
	cfg.Timers.T4 = cmp.Or(cfg.Timers.T4, DefaultTimers.T4)
	e := &Endpoint{cfg: cfg, log: cfg.Log, clock: cfg.Clock}
	if e.clock == nil {
		e.clock = clock.System
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.fitFiles()
	e.ctx, e.stop = context.WithCancel(context.Background())
	rand.Read(e.secret[:]) // never fails
	e.refusals = maphash.MakeSeed()
	e.pool.init()
	e.clients.init()
	e.servers.init()
	e.answered = late{clock: e.clock, lasts: 64 * cfg.Timers.T1}
	e.heard = late{clock: e.clock, lasts: cfg.Timers.T4}
	if err := e.listenAll(); err != nil {
		return nil, err
	}
	e.writeVias()
	return e, nil
}

// listenAll binds every socket. A free port for UDP may be taken for TCP: then
// others are tried.
func (e *Endpoint) listenAll() error {
	for try := 1; ; try++ {
		var err error
		free := false
		for _, l := range e.cfg.Listen {
			free = free || l.Addr.Port() == 0
			if err = e.listen(l); err != nil {
				break
			}
		}
		if err == nil {
			return nil
		}
		e.closeSockets()
		e.listeners, e.datagrams, e.bound = nil, nil, nil
		if !free || try == 10 || !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
	}
}

// pairPort takes the same port for TCP as for UDP where any will do: what is too
// large for a datagram comes by TCP to the same port (RFC 3261 section 18.2.1).
func (e *Endpoint) pairPort(l Listen) netip.AddrPort {
	other := map[string]string{"UDP": "TCP", "TCP": "UDP"}[l.Transport]
	same := func(at netip.AddrPort) bool { return at.Addr() == l.Addr.Addr() }
	i := slices.IndexFunc(e.addrs(other), same)
	if l.Addr.Port() != 0 || i < 0 || slices.ContainsFunc(e.addrs(l.Transport), same) {
		return l.Addr
	}
	return e.addrs(other)[i]
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	l.Message.HeaderBytes = cmp.Or(l.Message.HeaderBytes, d.Message.HeaderBytes)
	l.Message.Headers = cmp.Or(l.Message.Headers, d.Message.Headers)
	l.Message.BodyBytes = cmp.Or(l.Message.BodyBytes, d.Message.BodyBytes)
	l.Peer.HeaderBytes = cmp.Or(l.Peer.HeaderBytes, d.Peer.HeaderBytes)
	l.Peer.Headers = cmp.Or(l.Peer.Headers, d.Peer.Headers)
	l.Peer.BodyBytes = cmp.Or(l.Peer.BodyBytes, l.Message.BodyBytes)
	l.Connections = cmp.Or(l.Connections, d.Connections)
	l.Address = cmp.Or(l.Address, d.Address)
	l.StrangerIdle = cmp.Or(l.StrangerIdle, d.StrangerIdle)
	l.Idle = cmp.Or(l.Idle, d.Idle)
	l.Transactions = cmp.Or(l.Transactions, d.Transactions)
	l.Queue = cmp.Or(l.Queue, d.Queue)
	l.PeerQueue = cmp.Or(l.PeerQueue, d.PeerQueue)
	l.ReadTimeout = cmp.Or(l.ReadTimeout, d.ReadTimeout)
	l.WriteTimeout = cmp.Or(l.WriteTimeout, d.WriteTimeout)
	l.ConnectTimeout = cmp.Or(l.ConnectTimeout, d.ConnectTimeout)
	l.Delay = cmp.Or(l.Delay, d.Delay)
	l.RetryAfter = cmp.Or(l.RetryAfter, d.RetryAfter)
	return l
}

// messageLimits are those of what comes from there.
func (e *Endpoint) messageLimits(src Source) message.Limits {
	if len(src.Identities) > 0 {
		return e.cfg.Limits.Peer
	}
	return e.cfg.Limits.Message
}

func (e *Endpoint) listen(l Listen) error {
	l.Addr = e.pairPort(l)
	family := "6"
	if l.Addr.Addr().Is4() {
		family = "4"
	}
	fail := func(err error) error { return fmt.Errorf("listen on %s %s: %w", l.Transport, l.Addr, err) }
	switch l.Transport {
	case "UDP":
		conn, err := net.ListenUDP("udp"+family, net.UDPAddrFromAddrPort(l.Addr))
		if err != nil {
			return fail(err)
		}
		// Bursts of responses must not be lost in the kernel; what it grants is enough.
		_ = conn.SetReadBuffer(8 << 20)
		_ = conn.SetWriteBuffer(8 << 20)
		if err := hearICMP(conn, family == "4"); err != nil {
			e.log.Info("ICMP errors are not heard", "address", l.Addr, "error", err)
		}
		l.Addr = addrPort(conn.LocalAddr())
		e.datagrams = append(e.datagrams, &datagramSocket{
			endpoint: e, conn: conn, local: l.Addr, waiting: map[netip.AddrPort]map[*ClientTx]struct{}{},
		})
	case "TCP", "TLS":
		if l.Transport == "TLS" && e.cfg.ServerTLS == nil {
			return fail(errors.New("no certificate is configured"))
		}
		ln, err := net.Listen("tcp"+family, l.Addr.String())
		if err != nil {
			return fail(err)
		}
		l.Addr = addrPort(ln.Addr())
		e.listeners = append(e.listeners, listener{l.Transport, ln})
	default:
		return fail(errors.New("want UDP, TCP or TLS"))
	}
	e.bound = append(e.bound, l)
	return nil
}

// Run serves until ctx ends, then closes every socket, tells every pending
// transaction, and returns when all that it started has ended.
func (e *Endpoint) Run(ctx context.Context) error {
	for _, l := range e.listeners {
		e.wg.Go(func() { e.accept(l) })
	}
	for _, d := range e.datagrams {
		e.wg.Go(d.read)
	}
	e.wg.Go(e.sweep)
	<-ctx.Done()
	e.starting.Lock()
	e.stop()
	e.starting.Unlock()
	e.closeSockets()
	e.pool.closeAll()
	e.clients.each(func(tx *ClientTx) { tx.fail(ErrTransport) })
	e.servers.each(func(s *served) { s.terminate(nil) })
	e.answered.stop()
	e.heard.stop()
	e.wg.Wait()
	return nil
}

func (e *Endpoint) closeSockets() {
	for _, l := range e.listeners {
		l.net.Close()
	}
	for _, d := range e.datagrams {
		d.conn.Close()
	}
}

func (e *Endpoint) accept(l listener) {
	for {
		nc, err := l.net.Accept()
		if err != nil {
			if e.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of descriptors, most likely: the next Accept would spin.
			e.log.Warn("accept failed", "transport", l.transport, "error", err)
			select {
			case <-time.After(100 * time.Millisecond):
			case <-e.ctx.Done():
			}
			continue
		}
		remote := addrPort(nc.RemoteAddr())
		if why := e.crowded(remote.Addr()); why != "" {
			e.log.Warn("connection refused", "why", why, "transport", l.transport, "peer", remote)
			nc.Close()
			continue
		}
		c := e.newStream(l.transport, remote, "")
		c.accepted = true
		e.pool.accepted(c)
		if l.transport == "TLS" {
			nc = tls.Server(nc, e.cfg.ServerTLS)
		}
		if !e.start(func() { c.serve(nc) }) {
			nc.Close()
			return
		}
	}
}

// start runs f on a goroutine that Run waits for; false once the endpoint has
// ended.
func (e *Endpoint) start(f func()) bool {
	e.starting.Lock()
	defer e.starting.Unlock()
	if e.ctx.Err() != nil {
		return false
	}
	e.wg.Go(f)
	return true
}

// record gives a message to the tap.
func (e *Endpoint) record(dir wire.Direction, src Source, raw []byte) {
	if e.cfg.Tap == nil {
		return
	}
	r := wire.Record{
		Seq: e.records.Add(1), Participant: e.cfg.Name, Direction: dir, Time: e.clock.Now(), Protocol: wire.SIP,
		Transport: src.Transport, Src: src.Remote, Dst: src.Local, Raw: raw,
	}
	if dir == wire.Out {
		r.Src, r.Dst = src.Local, src.Remote
	}
	e.cfg.Tap(r)
}

// NewBranch is a fresh branch parameter (RFC 3261 section 8.1.1.7).
func NewBranch() string { return cookie + rand.Text() }

// Tag is the tag of a response that is sent once: the same each time the request
// comes, and known again in its ACK.
func (e *Endpoint) Tag(req *message.Request) string {
	via, _ := message.TopVia(req)
	cseq, _ := message.CSeqOf(req)
	from, _ := message.From(req)
	h := hmac.New(sha256.New, e.secret[:])
	fmt.Fprintf(h, "%d %q %q %q", cseq.Seq, via.Branch(), from.Tag(), message.CallID(req))
	return hex.EncodeToString(h.Sum(nil)[:tagSize/2])
}

// tagSize is how long a Tag is.
const tagSize = 16

// NewTag is a fresh tag (RFC 3261 section 19.3).
func NewTag() string { return rand.Text()[:16] }

func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		ap = a.AddrPort()
	case *net.UDPAddr:
		ap = a.AddrPort()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
