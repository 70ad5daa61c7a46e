package sip

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"presfed/agents/internal/message"
	"presfed/agents/internal/wire"
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

func TestRoundTrip(t *testing.T) {
	for _, transport := range []string{"UDP", "TCP"} {
		t.Run(transport, func(t *testing.T) {
			sources := make(chan Source, 1)
			server := start(t, &handler{request: func(tx *ServerTx) { sources <- tx.Source(); answer(tx, 200) }}, nil)
			client := start(t, &handler{}, nil)
			got := make(chan outcome, 4)
			client.Send(request("OPTIONS"), Target{Transport: transport, Addr: server.Addr(transport)}, collect(got))
			if o := recv(t, got); o.status != 200 {
				t.Fatalf("%+v", o)
			}
			if src := recv(t, sources); src.Transport != transport || (src.Flow == 0) != (transport == "UDP") {
				t.Errorf("source %+v", src)
			}
		})
	}
}

// TestOrder: a 180 and a 200 that arrive in one segment are heard in order, and
// requests of one connection are handed up in the order they were sent.
func TestOrder(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	const rounds = 200
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r := bufio.NewReader(c)
		for {
			f, err := readFrame(r, message.DefaultLimits)
			if err != nil {
				return
			}
			m, _ := message.Parse(f.raw, message.DefaultLimits)
			req := m.(*message.Request)
			if req.Method == message.ACK {
				continue
			}
			two := append(message.Bytes(message.NewResponse(req, 180, "", "b")), message.Bytes(message.NewResponse(req, 200, "", "b"))...)
			c.Write(two)
		}
	}()
	client := start(t, &handler{}, nil)
	for range rounds {
		got := make(chan outcome, 4)
		client.Send(request("INVITE"), Target{Transport: "TCP", Addr: addrPort(ln.Addr())}, collect(got))
		if a, b := recv(t, got), recv(t, got); a.status != 180 || b.status != 200 {
			t.Fatalf("heard %v then %v", a, b)
		}
	}
	if client.pool.size() != 1 {
		t.Errorf("%d connections to one peer", client.pool.size())
	}
}

func TestRequestsInOrder(t *testing.T) {
	seen := make(chan uint32, 1000)
	server := start(t, &handler{request: func(tx *ServerTx) {
		cseq, _ := message.CSeqOf(tx.Request())
		seen <- cseq.Seq
		answer(tx, 200)
	}}, nil)
	client := start(t, &handler{}, nil)
	got := make(chan outcome, 1000)
	for i := range 500 {
		req := request("NOTIFY")
		message.Set(req, "CSeq", fmt.Sprintf("%d NOTIFY", i+1))
		client.Send(req, Target{Transport: "TCP", Addr: server.Addr("TCP")}, collect(got))
	}
	for i := range uint32(500) {
		if n := recv(t, seen); n != i+1 {
			t.Fatalf("request %d came as number %d", n, i+1)
		}
		if o := recv(t, got); o.status != 200 {
			t.Fatalf("%+v", o)
		}
	}
}

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

func TestTimeoutAndRetransmission(t *testing.T) {
	peer, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	client := start(t, &handler{}, func(c *Config) {
		c.Timers = Timers{T1: 5 * time.Millisecond, T2: 20 * time.Millisecond, T4: 20 * time.Millisecond}
	})
	got := make(chan outcome, 1)
	client.Send(request("OPTIONS"), Target{Transport: "UDP", Addr: addrPort(peer.LocalAddr())}, collect(got))
	if o := recv(t, got); !errors.Is(o.err, ErrTimeout) {
		t.Fatalf("%+v", o)
	}
	copies := map[string]int{}
	buf := make([]byte, 4096)
	for {
		peer.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		n, _, err := peer.ReadFrom(buf)
		if err != nil {
			break
		}
		copies[string(buf[:n])]++
	}
	if len(copies) != 1 {
		t.Fatalf("%d different datagrams", len(copies))
	}
	for _, n := range copies {
		if n < 5 {
			t.Errorf("sent %d times within 64*T1", n)
		}
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

func TestRetransmittedRequestIsAnsweredNotServed(t *testing.T) {
	served := make(chan string, 4)
	server := start(t, &handler{request: func(tx *ServerTx) { served <- tx.Request().Method.String(); answer(tx, 200) }}, nil)
	c := raw(t, server, "udp")
	buf := make([]byte, 4096)
	var answers []string
	for range 3 {
		io.WriteString(c, wireRequest("OPTIONS", "z9hG4bKsame", ""))
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, string(buf[:n]))
	}
	recv(t, served)
	if len(served) != 0 || answers[0] != answers[2] {
		t.Errorf("served %d times more, answers %q", len(served), answers)
	}
	want := "rport=" + fmt.Sprint(c.LocalAddr().(*net.UDPAddr).Port) + ";branch=z9hG4bKsame;received=127.0.0.1"
	if !strings.Contains(answers[0], want) {
		t.Errorf("the Via lacks %q:\n%s", want, answers[0])
	}
}

func TestCancelIsHandedUpBesideItsInvite(t *testing.T) {
	invites := make(chan *ServerTx, 1)
	ended := make(chan error, 1)
	server := start(t, &handler{request: func(tx *ServerTx) {
		switch tx.Request().Method {
		case "INVITE":
			tx.OnEnd(func(err error) { ended <- err })
			answer(tx, 180)
			invites <- tx
		case "CANCEL":
			answer(tx, 200)
			if tx.Invite() != nil {
				answer(tx.Invite(), 487)
			}
		}
	}}, nil)
	client := start(t, &handler{}, nil)
	for _, transport := range []string{"TCP", "UDP"} {
		got := make(chan outcome, 8)
		tx := client.Send(request("INVITE"), Target{Transport: transport, Addr: server.Addr(transport)}, collect(got))
		if o := recv(t, got); o.status != 180 {
			t.Fatalf("%+v", o)
		}
		tx.Cancel()
		if o := recv(t, got); o.status != 487 {
			t.Fatalf("%+v", o)
		}
		recv(t, invites)
		if transport == "TCP" { // over UDP Timer I keeps it for T4
			if err := recv(t, ended); err != nil {
				t.Errorf("the ACK did not arrive: %v", err)
			}
		}
	}
}

func TestEarlyCancelWaitsForProvisional(t *testing.T) {
	release := make(chan struct{})
	methods := make(chan string, 4)
	server := start(t, &handler{request: func(tx *ServerTx) {
		methods <- tx.Request().Method.String()
		if tx.Request().Method == "CANCEL" {
			answer(tx, 200)
			answer(tx.Invite(), 487)
			return
		}
		go func() { <-release; answer(tx, 100) }()
	}}, nil)
	client := start(t, &handler{}, nil)
	got := make(chan outcome, 8)
	tx := client.Send(request("INVITE"), Target{Transport: "TCP", Addr: server.Addr("TCP")}, collect(got))
	tx.Cancel()
	recv(t, methods)
	close(release)
	for {
		if o := recv(t, got); o.status == 487 {
			break
		} else if o.status != 100 {
			t.Fatalf("%+v", o)
		}
	}
	if m := recv(t, methods); m != "CANCEL" {
		t.Errorf("then came %s", m)
	}
}

func TestEvery2xxIsHeardAndItsAckPassedOn(t *testing.T) {
	acks := make(chan string, 4)
	server := start(t, &handler{
		request: func(tx *ServerTx) {
			tx.Respond(message.NewResponse(tx.Request(), 200, "", "one"))
			tx.Respond(message.NewResponse(tx.Request(), 200, "", "two"))
		},
		ack: func(ack *message.Request) { to, _ := message.To(ack); acks <- to.Tag() },
	}, nil)
	client := start(t, &handler{}, nil)
	to := Target{Transport: "TCP", Addr: server.Addr("TCP")}
	tags := make(chan string, 4)
	client.Send(request("INVITE"), to, func(res *message.Response, err error) {
		if err != nil {
			t.Errorf("%v", err)
			return
		}
		ack := request("ACK")
		message.Set(ack, "To", message.Get(res, "To"))
		if err := client.SendStateless(ack, to); err != nil {
			t.Errorf("%v", err)
		}
		a, _ := message.To(res)
		tags <- a.Tag()
	})
	for _, want := range []string{"one", "two"} {
		if got := recv(t, tags); got != want {
			t.Errorf("2xx from %q, want %q", got, want)
		}
		if got := recv(t, acks); got != want {
			t.Errorf("ACK for %q, want %q", got, want)
		}
	}
}

func TestMalformedIsAnsweredAndTheStreamGoesOn(t *testing.T) {
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, func(c *Config) {
		c.Limits.Message.BodyBytes = 100
	})
	c := raw(t, server, "tcp")
	r := bufio.NewReader(c)
	for _, tt := range []struct{ send, want string }{
		{wireRequest("OPTIONS", "z9hG4bK1", "Content-Length: 0\r\n"), "200"},
		{wireRequest("OPTIONS", "z9hG4bK2", "Contact bad\r\nContent-Length: 0\r\n"), "400"},
		{wireRequest("OPTIONS", "z9hG4bK3", ""), "400"},
		{wireRequest("OPTIONS", "z9hG4bK4", "l: 101\r\n") + strings.Repeat("x", 101), "413"},
		{"\r\n" + wireRequest("OPTIONS", "z9hG4bK5", "Content-Length : 3\r\n") + "abc", "200"},
	} {
		io.WriteString(c, tt.send)
		f, err := readFrame(r, message.DefaultLimits)
		if err != nil {
			t.Fatalf("after %q: %v", tt.send, err)
		}
		if got := strings.Fields(string(f.raw))[1]; got != tt.want {
			t.Errorf("%q is answered\n%s", tt.send, f.raw)
		}
	}
	io.WriteString(c, "\r\n\r\n")
	pong := make([]byte, 2)
	if _, err := io.ReadFull(r, pong); err != nil || string(pong) != "\r\n" {
		t.Errorf("keep-alive answered %q, %v", pong, err)
	}
	io.WriteString(c, wireRequest("OPTIONS", "z9hG4bK6", "Content-Length: 1\r\nContent-Length: 2\r\n"))
	if f, err := readFrame(r, message.DefaultLimits); err != nil || !strings.HasPrefix(string(f.raw), "SIP/2.0 400") {
		t.Errorf("two lengths: %q, %v", f.raw, err)
	}
	if _, err := r.ReadByte(); err == nil {
		t.Error("a stream without frames stays open")
	}
}

func TestOverloadIs503(t *testing.T) {
	server := start(t, &handler{request: func(*ServerTx) {}}, func(c *Config) { c.Limits.Transactions = 1 })
	c := raw(t, server, "udp")
	io.WriteString(c, wireRequest("OPTIONS", "z9hG4bKa", ""))
	io.WriteString(c, wireRequest("OPTIONS", "z9hG4bKb", ""))
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(buf[:n]); !strings.HasPrefix(got, "SIP/2.0 503") || !strings.Contains(got, "Retry-After: 5") || !strings.Contains(got, "z9hG4bKb") {
		t.Errorf("%s", got)
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

func TestTapRecordsBothEnds(t *testing.T) {
	records := make(chan wire.Record, 16)
	tap := func(name string) func(*Config) {
		return func(c *Config) {
			c.Name = name
			c.Tap = func(r wire.Record) { r.Raw = append([]byte(nil), r.Raw...); records <- r }
		}
	}
	server := start(t, &handler{request: func(tx *ServerTx) { answer(tx, 200) }}, tap("server"))
	client := start(t, &handler{}, tap("client"))
	got := make(chan outcome, 1)
	client.Send(request("OPTIONS"), Target{Transport: "TCP", Addr: server.Addr("TCP")}, collect(got))
	recv(t, got)
	seen := map[string]wire.Record{}
	for range 4 {
		r := recv(t, records)
		seen[r.Participant+" "+string(r.Direction)] = r
	}
	for _, pair := range [][2]string{{"client out", "server in"}, {"server out", "client in"}} {
		a, b := seen[pair[0]], seen[pair[1]]
		if a.Src != b.Src || a.Dst != b.Dst || string(a.Raw) != string(b.Raw) || len(a.Raw) == 0 {
			t.Errorf("%s and %s differ:\n%+v\n%+v", pair[0], pair[1], a, b)
		}
	}
}

func TestPreparedRequest(t *testing.T) {
	bodies := make(chan string, 1)
	server := start(t, &handler{request: func(tx *ServerTx) { bodies <- string(tx.Request().Body()); answer(tx, 481) }}, nil)
	client := start(t, &handler{}, nil)
	to := Target{Transport: "TCP", Addr: server.Addr("TCP")}
	branch := NewBranch()
	req := request("NOTIFY")
	message.Prepend(req, "Via", client.Via(to, branch))
	message.SetBody(req, "text/plain", []byte("prepared"))
	got := make(chan outcome, 1)
	client.SendPrepared(message.Bytes(req), branch, "NOTIFY", to, func(status int, _ []byte, err error) { got <- outcome{status, err} })
	if o := recv(t, got); o.status != 481 || recv(t, bodies) != "prepared" {
		t.Errorf("%+v", o)
	}
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
