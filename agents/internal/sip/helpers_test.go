package sip

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"presfed/agents/internal/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handler answers with what a test gives it.
type handler struct {
	request  func(tx *ServerTx)
	ack      func(*message.Request)
	response func(*message.Response)
	closed   func(Source)
}

func (h *handler) ServeRequest(tx *ServerTx) {
	if h.request != nil {
		h.request(tx)
	}
}

func (h *handler) ServeAck(ack *message.Request, _ Source) {
	if h.ack != nil {
		h.ack(ack)
	}
}

func (h *handler) ServeResponse(res *message.Response, _ Source) {
	if h.response != nil {
		h.response(res)
	}
}

func (h *handler) ConnectionClosed(s Source) {
	if h.closed != nil {
		h.closed(s)
	}
}

// start runs an endpoint on free loopback ports until the test ends.
func start(t *testing.T, h *handler, change func(*Config)) *Endpoint {
	t.Helper()
	lo := netip.MustParseAddrPort("127.0.0.1:0")
	cfg := Config{Name: "test", Listen: []Listen{{"UDP", lo}, {"TCP", lo}}, Handler: h, Bind: lo.Addr()}
	if change != nil {
		change(&cfg)
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); e.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return e
}

func request(method string) *message.Request {
	req := message.NewRequest(method, message.URI{Scheme: "sip", User: "bob", Host: "example.com"})
	message.Add(req, "Max-Forwards", "70")
	message.Add(req, "From", "<sip:alice@example.com>;tag=a")
	message.Add(req, "To", "<sip:bob@example.com>")
	message.Add(req, "Call-ID", "c-"+NewTag())
	message.Add(req, "CSeq", "1 "+method)
	return req
}

func answer(tx *ServerTx, status int) {
	tx.Respond(message.NewResponse(tx.Request(), status, "", "b"))
}

type outcome struct {
	status int
	err    error
}

// recv fails the test instead of hanging it.
func recv[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func collect(c chan outcome) func(*message.Response, error) {
	return func(res *message.Response, err error) {
		if err != nil {
			c <- outcome{err: err}
			return
		}
		c <- outcome{status: res.StatusCode}
	}
}

// raw talks to an endpoint by hand over UDP or TCP.
func raw(t *testing.T, e *Endpoint, network string) net.Conn {
	t.Helper()
	c, err := net.Dial(network, e.Addr(strings.ToUpper(network)).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

func wireRequest(method, branch, more string) string {
	return method + " sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9;rport;branch=" + branch +
		"\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: w\r\nCSeq: 7 " + method + "\r\n" + more + "\r\n"
}
