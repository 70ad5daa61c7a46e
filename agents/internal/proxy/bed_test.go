package proxy

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/agents/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is an endpoint on free loopback ports. What comes in waits in channels,
// unless a test takes it itself.
type node struct {
	*sip.Endpoint
	requests chan *sip.ServerTx
	acks     chan *message.Request
	serve    func(*sip.ServerTx) // instead of requests
	ack      func(*message.Request, sip.Source)
}

func (n *node) ServeRequest(tx *sip.ServerTx) {
	if n.serve != nil {
		n.serve(tx)
		return
	}
	n.requests <- tx
}

func (n *node) ServeAck(ack *message.Request, from sip.Source) {
	if n.ack != nil {
		n.ack(ack, from)
		return
	}
	n.acks <- ack
}

func (n *node) ServeResponse(*message.Response, sip.Source) {}
func (n *node) ConnectionClosed(sip.Source)                 {}

func newNode(t *testing.T, serve func(*sip.ServerTx), change ...func(*sip.Config)) *node {
	t.Helper()
	n := &node{requests: make(chan *sip.ServerTx, 1000), acks: make(chan *message.Request, 100), serve: serve}
	lo := netip.MustParseAddrPort("127.0.0.1:0")
	cfg := sip.Config{Name: "test", Listen: []sip.Listen{{Transport: "UDP", Addr: lo}, {Transport: "TCP", Addr: lo}}, Handler: n, Bind: lo.Addr()}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if n.Endpoint, err = sip.New(cfg); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *node) run(t *testing.T) *node {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = n.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return n
}

func startNode(t *testing.T) *node { return newNode(t, nil).run(t) }

// uri is user at the node by a transport.
func (n *node) uri(t testing.TB, user, transport string) message.URI {
	return mustURI(t, fmt.Sprintf("sip:%s@%s;transport=%s", user, n.Addr(transport), strings.ToLower(transport)))
}

func (n *node) target(transport string) sip.Target {
	return sip.Target{Transport: transport, Addr: n.Addr(transport)}
}

func mustURI(t testing.TB, s string) message.URI {
	t.Helper()
	u, err := message.ParseURI(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// router is a proxy on a node: requests with a To tag are relayed, others go
// where the test says.
type router struct {
	*node
	*Proxy
	clock *clock.Manual
}

func startRouter(t *testing.T, route func(*Request), change ...func(*Config)) *router {
	t.Helper()
	return startTappedRouter(t, nil, route, change...)
}

func startTappedRouter(t *testing.T, tap wire.Tap, route func(*Request), change ...func(*Config)) *router {
	t.Helper()
	r := &router{clock: clock.NewManual(time.Now())}
	r.node = newNode(t, func(tx *sip.ServerTx) {
		if tx.Request().Method == message.CANCEL {
			r.Cancel(tx)
			return
		}
		req := r.Begin(tx, Origin{})
		if req == nil {
			return
		}
		if to, _ := message.To(req.Message()); to.Tag() != "" {
			req.Relay(nil)
			return
		}
		route(req)
	}, func(c *sip.Config) {
		c.Tap = tap
		c.Timers = sip.Timers{T1: 20 * time.Millisecond, T2: 80 * time.Millisecond, T4: 80 * time.Millisecond}
	})
	cfg := Config{
		Endpoint: r.Endpoint,
		Clock:    r.clock,
		Resolve:  literal,
		Own: func(u message.URI) bool {
			port := uint16(u.Port)
			return u.Host == "127.0.0.1" && (port == r.Endpoint.Addr("UDP").Port() || port == r.Endpoint.Addr("TCP").Port())
		},
		RecordRoute: func(side sip.Source) message.URI {
			return mustURI(t, fmt.Sprintf("sip:%s;transport=%s", r.Endpoint.Addr(side.Transport), strings.ToLower(side.Transport)))
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if r.Proxy, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	r.node.ack = func(ack *message.Request, from sip.Source) { r.Proxy.Ack(ack, from, nil) }
	r.run(t)
	return r
}

// passed is a Route as if req's dialog had come this way between those users.
func (r *router) passed(t testing.TB, callID, from string) string {
	uri := r.uri(t, "x", "TCP")
	uri.User = r.seal(callID, end{user: hashUser(from)})
	return "Route: <" + uri.String() + ";lr>"
}

// literal resolves addresses, and nothing else.
func literal(next message.URI, done func([]sip.Target, error)) {
	addr, err := netip.ParseAddr(next.Host)
	if err != nil {
		done(nil, err)
		return
	}
	transport := "UDP"
	if v, ok := message.URIParam(next, "transport"); ok {
		transport = strings.ToUpper(v)
	}
	done([]sip.Target{{Transport: transport, Addr: netip.AddrPortFrom(addr, uint16(next.Port))}}, nil)
}

// to forwards everything to the same targets.
func to(targets ...Target) func(*Request) { return func(r *Request) { r.Forward(targets...) } }

func request(t testing.TB, method, uri string, fields ...string) *message.Request {
	t.Helper()
	req := message.NewRequest(method, mustURI(t, uri))
	message.Add(req, "Max-Forwards", "70")
	message.Add(req, "From", "<sip:alice@example.com>;tag=al")
	message.Add(req, "To", "<sip:bob@example.com>")
	message.Add(req, "Call-ID", sip.NewTag())
	message.Add(req, "CSeq", "1 "+method)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		if name == "Max-Forwards" || name == "To" || name == "CSeq" || name == "Call-ID" {
			message.Set(req, name, value)
			continue
		}
		message.Add(req, name, value)
	}
	return req
}

// outcome is what a client transaction heard.
type outcome struct {
	res *message.Response
	err error
}

func (o outcome) String() string {
	if o.err != nil {
		return o.err.Error()
	}
	to, _ := message.To(o.res)
	return fmt.Sprintf("%d %s", o.res.StatusCode, to.Tag())
}

// send gives the transaction and what it hears, 100 left out.
func (n *node) ask(req *message.Request, to sip.Target) (*sip.ClientTx, chan outcome) {
	heard := make(chan outcome, 100)
	tx := n.Send(req, to, func(res *message.Response, err error) {
		if err != nil || res.StatusCode != 100 {
			heard <- outcome{res, err}
		}
	})
	return tx, heard
}

func recv[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// expect wants exactly this heard next.
func expect(t testing.TB, heard <-chan outcome, want string) *message.Response {
	t.Helper()
	o := recv(t, heard)
	if o.String() != want {
		t.Fatalf("heard %q, want %q", o, want)
	}
	return o.res
}

// answer responds with a tag and further fields.
func answer(tx *sip.ServerTx, status int, tag string, fields ...string) {
	res := message.NewResponse(tx.Request(), status, "", tag)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		message.Add(res, name, value)
	}
	_ = tx.Respond(res)
}
