package msrp

import (
	"cmp"
	"time"
)

// Limits bound what a peer can make this end hold or wait for. A zero field
// means the default beside it.
type Limits struct {
	Head    int   // bytes of a start line and header fields: 8 KiB
	Headers int   // header fields of a frame: 64
	Chunk   int64 // bytes of one chunk's body: 16 GiB

	Message    int64 // bytes of a message assembled in memory: 1 MiB
	Buffer     int64 // bytes a session holds in memory, in parts or undelivered: 8 MiB
	Held       int64 // bytes that all sessions of an endpoint hold in memory: 64 MiB
	Deliveries int   // messages of a session received and not yet handled: 256
	Incoming   int   // messages of a session that have begun and not ended: 16
	Gaps       int   // separate byte ranges of one message: 64

	Sessions    int // at an endpoint: 1024
	Connections int // at an endpoint: 256
	Responses   int // of a connection, waiting to be written: 4096

	Dial        time.Duration // until a connection stands, TLS included: 10 s
	Write       time.Duration // until the peer takes what is written: 20 s
	Frame       time.Duration // without a byte inside a frame: 2 min
	Stalled     time.Duration // between two chunks of a message: 10 min
	Unbound     time.Duration // an accepted connection that no session owns: 30 s
	Idle        time.Duration // a connection whose sessions say nothing: no limit
	Linger      time.Duration // a connection whose sessions have ended: 1 s
	Transaction time.Duration // until a response: 30 s (RFC 4975 section 7.1.1)
}

func (l Limits) withDefaults() Limits {
	l.Head = cmp.Or(l.Head, 8<<10)
	l.Headers = cmp.Or(l.Headers, 64)
	l.Chunk = cmp.Or(l.Chunk, 16<<30)
	l.Message = cmp.Or(l.Message, 1<<20)
	l.Buffer = cmp.Or(l.Buffer, 8<<20)
	l.Held = cmp.Or(l.Held, 64<<20)
	l.Deliveries = cmp.Or(l.Deliveries, 256)
	l.Incoming = cmp.Or(l.Incoming, 16)
	l.Gaps = cmp.Or(l.Gaps, 64)
	l.Sessions = cmp.Or(l.Sessions, 1024)
	l.Connections = cmp.Or(l.Connections, 256)
	l.Responses = cmp.Or(l.Responses, 4096)
	l.Dial = cmp.Or(l.Dial, 10*time.Second)
	l.Write = cmp.Or(l.Write, 20*time.Second)
	l.Frame = cmp.Or(l.Frame, 2*time.Minute)
	l.Stalled = cmp.Or(l.Stalled, 10*time.Minute)
	l.Unbound = cmp.Or(l.Unbound, 30*time.Second)
	l.Linger = cmp.Or(l.Linger, time.Second)
	l.Transaction = cmp.Or(l.Transaction, 30*time.Second)
	return l
}
