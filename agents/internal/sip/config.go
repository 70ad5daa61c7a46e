package sip

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/agents/internal/wire"
)

// Config is what an endpoint is made of.
type Config struct {
	Name   string // the participant, as the tap and the log call it
	Listen []Listen
	Bind   netip.Addr // what is dialled is bound to this address; zero: any
	Host   string     // sent-by in our Via; empty: the address listened on
	// ServerTLS is for connections accepted, ClientTLS for those dialled. Each
	// must verify what certificate it is shown; nil: no TLS in that role.
	ServerTLS, ClientTLS *tls.Config
	Handler              Handler
	// PathMTU is how many bytes a packet may have wherever datagrams go, if that is
	// known: larger requests go by TCP (RFC 3261 section 18.1.1). 0: it is not.
	PathMTU int
	// KeepAlive is how long a peer that has proved who it is may be silent before it
	// is pinged; one that does not answer loses its connection within three times
	// that. 0: nobody is pinged.
	KeepAlive time.Duration
	Tap       wire.Tap    // nil: none
	Limits    Limits      // zero fields take DefaultLimits'
	Timers    Timers      // zero fields take DefaultTimers'
	Clock     clock.Clock // nil: the system's
	Log       *slog.Logger
}

// Listen is one socket to listen on; port 0 takes a free one. 0.0.0.0 is every
// IPv4 address and [::] every IPv6 one: for both, both are listened on.
type Listen struct {
	Transport string // UDP, TCP, TLS
	Addr      netip.AddrPort
}

// Handler is the layer above. Its methods are called in the order in which the
// messages of a connection came in, on that connection's reader: they must
// not block.
type Handler interface {
	// ServeRequest takes every new request but ACK. Retransmissions and the ACK
	// to a non-2xx never reach it; CANCEL does, as a transaction of its own.
	ServeRequest(tx *ServerTx)
	// ServeAck takes an ACK that no INVITE server transaction absorbed: the one
	// to a 2xx, end to end.
	ServeAck(ack *message.Request, from Source)
	// ServeResponse takes a response that matches no client transaction.
	ServeResponse(res *message.Response, from Source)
	// ConnectionClosed says that a connection is gone; its transactions have
	// been told.
	ConnectionClosed(from Source)
}

// Source is where a message came from.
type Source struct {
	Transport  string // UDP, TCP, TLS
	Local      netip.AddrPort
	Remote     netip.AddrPort
	Flow       Flow
	Identities []string // names in the peer's verified certificate (RFC 5922 section 7.1); nil without one
}

// Flow names a connection for as long as it lives; 0 is none. Datagrams have none.
type Flow uint64

// Target is where a request goes: down Flow if that is set and alive, else to
// Addr.
type Target struct {
	Flow       Flow
	Transport  string
	Addr       netip.AddrPort
	ServerName string // TLS: the name that the peer's certificate must prove (RFC 5922 section 7.4)
}

// Limits bound what peers can make us hold.
type Limits struct {
	Message      message.Limits
	Peer         message.Limits // of a connection whose peer has proved who it is: what it passes on has grown on its way
	Connections  int            // accepted and dialled together; fewer where the system allows fewer files
	Address      int            // accepted from one address, or one IPv6 network of 64 bits
	Transactions int            // both sides; past it new requests get 503
	Queue        int            // bytes that may wait for one connection's peer to read
	PeerQueue    int            // where the peer has proved who it is: many users' messages wait there
	ReadTimeout  time.Duration  // for a message that has begun, and the first of a connection accepted, to be complete
	// StrangerIdle is how long a connection may go without a message of which nothing has
	// been answered 2xx yet (OPTIONS aside), and Idle any other of a client; an empty
	// line counts for the latter. Until a quarter of StrangerIdle more it may live.
	StrangerIdle, Idle time.Duration
	WriteTimeout       time.Duration // a peer that takes no piece of what waits this long loses its connection
	// ConnectTimeout is for a connection to come about, and for its TLS handshake.
	ConnectTimeout time.Duration
	Delay          time.Duration // requests that would wait longer than that for us, for a second, get 503
	RetryAfter     time.Duration // what a 503 says, at least; twice that at most
}

// DefaultLimits suit a server of some ten thousand users.
var DefaultLimits = Limits{
	Message: message.DefaultLimits, Peer: message.Limits{HeaderBytes: 64 << 10, Headers: 256, BodyBytes: message.DefaultLimits.BodyBytes},
	Connections: 20_000, Address: 10_000, Transactions: 200_000,
	Queue: 4 << 20, PeerQueue: 64 << 20, ReadTimeout: 30 * time.Second, WriteTimeout: 10 * time.Second,
	StrangerIdle: 2 * time.Minute, Idle: 25 * time.Hour, // the longest binding's, and more
	ConnectTimeout: 10 * time.Second, Delay: 250 * time.Millisecond, RetryAfter: 5 * time.Second,
}

// Timers are RFC 3261's, table 4.
type Timers struct{ T1, T2, T4 time.Duration }

// DefaultTimers are RFC 3261's values.
var DefaultTimers = Timers{T1: 500 * time.Millisecond, T2: 4 * time.Second, T4: 5 * time.Second}

// The ways in which a client transaction ends without a final response.
var (
	ErrTimeout   = errors.New("no response in time") // Timer B or F
	ErrTransport = errors.New("connection failed")   // refused, broken, or not the peer that was meant
	ErrOverload  = errors.New("too many transactions")
)
