package sip

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"presfed/agents/internal/message"
)

func TestConnectionUsedBothWays(t *testing.T) {
	asked := make(chan Source, 1)
	server := start(t, &handler{request: func(tx *ServerTx) { asked <- tx.Source(); answer(tx, 200) }}, nil)
	client := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 202) }}, nil)
	got := make(chan outcome, 1)
	client.Send(request("OPTIONS"), Target{Transport: "TCP", Addr: server.Addr("TCP")}, collect(got))
	recv(t, got)
	src := recv(t, asked)
	server.Send(request("NOTIFY"), Target{Flow: src.Flow, Transport: "TCP"}, collect(got))
	if o := recv(t, got); o.status != 202 {
		t.Fatalf("down the client's own connection: %+v", o)
	}
}

func TestBrokenConnectionTellsAtOnceAndIsSetUpAgain(t *testing.T) {
	server := start(t, &handler{request: func(tx *ServerTx) {
		if tx.Request().Method == "MESSAGE" {
			tx.endpoint.pool.closeAll()
			return
		}
		answer(tx, 200)
	}}, nil)
	client := start(t, &handler{}, nil)
	to := Target{Transport: "TCP", Addr: server.Addr("TCP")}
	got := make(chan outcome, 1)
	client.Send(request("MESSAGE"), to, collect(got))
	if o := recv(t, got); !errors.Is(o.err, ErrTransport) {
		t.Fatalf("%+v", o)
	}
	client.Send(request("OPTIONS"), to, collect(got))
	if o := recv(t, got); o.status != 200 {
		t.Fatalf("after the break: %+v", o)
	}
}

func TestRefusedConnection(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := addrPort(ln.Addr())
	ln.Close()
	client := start(t, &handler{}, nil)
	got := make(chan outcome, 1)
	client.Send(request("OPTIONS"), Target{Transport: "TCP", Addr: addr}, collect(got))
	if o := recv(t, got); !errors.Is(o.err, ErrTransport) {
		t.Fatalf("%+v", o)
	}
}

func TestPeerThatDoesNotReadLosesItsConnection(t *testing.T) {
	closed := make(chan Source, 1)
	flow := make(chan Flow, 1)
	server := start(t, &handler{
		request: func(tx *ServerTx) { flow <- tx.Source().Flow },
		closed:  func(s Source) { closed <- s },
	}, func(c *Config) { c.Limits.Queue = 1 << 20 })
	c := raw(t, server, "tcp")
	io.WriteString(c, wireRequest("OPTIONS", "z9hG4bK1", "Content-Length: 0\r\n"))
	to := Target{Flow: recv(t, flow), Transport: "TCP"}
	var once sync.Once
	failed := make(chan struct{})
	for range 1000 {
		req := request("NOTIFY")
		message.SetBody(req, "text/plain", make([]byte, 64<<10))
		server.Send(req, to, func(_ *message.Response, err error) {
			if errors.Is(err, ErrTransport) {
				once.Do(func() { close(failed) })
			}
		})
	}
	recv(t, failed)
	recv(t, closed)
}

func TestSendAfterTheEnd(t *testing.T) {
	e, err := New(Config{Name: "t", Handler: &handler{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	e.Run(ctx)
	got := make(chan outcome, 1)
	e.Send(request("OPTIONS"), Target{Transport: "TCP", Addr: netip.MustParseAddrPort("127.0.0.1:9")}, collect(got))
	if o := recv(t, got); !errors.Is(o.err, ErrTransport) {
		t.Errorf("%+v", o)
	}
}

// paced keeps what is asked of a connection.
type paced struct {
	net.Conn
	deadlines, largest atomic.Int64
}

func (p *paced) SetWriteDeadline(t time.Time) error {
	p.deadlines.Add(1)
	return p.Conn.SetWriteDeadline(t)
}

func (p *paced) Write(b []byte) (int, error) {
	p.largest.Store(max(p.largest.Load(), int64(len(b))))
	return p.Conn.Write(b)
}

// A peer that reads, however slowly, has a time-out of its own for each piece.
func TestPeerThatReadsSlowlyKeepsItsConnection(t *testing.T) {
	e := start(t, &handler{}, nil)
	ours, theirs := net.Pipe()
	conn := &paced{Conn: ours}
	c := e.newStream("TCP", netip.AddrPort{}, "")
	e.start(func() { c.serve(conn) })
	const size = 1 << 20
	if err := c.send(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(theirs, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	if n, largest := conn.deadlines.Load(), conn.largest.Load(); n < 16 || largest > 64<<10 {
		t.Errorf("%d time-outs for writes of up to %d bytes", n, largest)
	}
}

// Many users' messages wait for a peer that proved who it is.
func TestMoreMayWaitForAProvenPeer(t *testing.T) {
	with, _ := secure(t)
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, with)
	for name, tt := range map[string]struct {
		to   Target
		lost bool
	}{
		"a peer":  {Target{Transport: "TLS", Addr: server.Addr("TLS"), ServerName: "localhost"}, false},
		"another": {Target{Transport: "TCP", Addr: server.Addr("TCP")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			client := start(t, &handler{}, func(c *Config) { with(c); c.Limits.Queue = 4 << 10 })
			got := make(chan outcome, 1)
			client.Send(request("OPTIONS"), tt.to, collect(got))
			if o := recv(t, got); o.status != 200 {
				t.Fatalf("%+v", o)
			}
			req := request("MESSAGE")
			message.SetBody(req, "text/plain", make([]byte, 64<<10))
			client.Send(req, tt.to, collect(got))
			if o := recv(t, got); errors.Is(o.err, ErrTransport) != tt.lost {
				t.Errorf("%+v", o)
			}
		})
	}
}
