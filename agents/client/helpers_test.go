package client_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"presfed/agents/client"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// timeout bounds what a test waits for.
func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// running runs something until the test ends, or stop is called.
func running(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	over := false
	stop = func() {
		if over {
			return
		}
		over = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// device is a client whose events can be waited for.
type device struct {
	*client.Client
	t      *testing.T
	events chan client.Event
	stop   func()
}

func newDevice(t *testing.T, user, server string, change func(*client.Config)) *device {
	t.Helper()
	d := &device{t: t, events: make(chan client.Event, 256)}
	cfg := client.Config{
		Name: user + "-pc", User: user + "@example.com", Server: server,
		OnEvent: func(e client.Event) { d.events <- e },
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if d.Client, err = client.New(cfg); err != nil {
		t.Fatal(err)
	}
	d.stop = running(t, d.Run)
	return d
}

// next is the next event, which must be of that type.
func (d *device) next(typ string) client.Event {
	d.t.Helper()
	select {
	case e := <-d.events:
		if e.Type != typ {
			d.t.Fatalf("event %+v, want %s", e, typ)
		}
		return e
	case <-time.After(20 * time.Second):
		d.t.Fatalf("no event, want %s", typ)
	}
	return client.Event{}
}

// far is the other end, by hand: what it is asked stands in a channel, and is
// answered by the test.
type far struct {
	*sip.Endpoint
	t    *testing.T
	asks chan *sip.ServerTx
	acks chan *message.Request
}

func (f *far) ServeRequest(tx *sip.ServerTx)                     { f.asks <- tx }
func (f *far) ServeAck(ack *message.Request, _ sip.Source)       { f.acks <- ack }
func (f *far) ServeResponse(res *message.Response, _ sip.Source) {}
func (f *far) ConnectionClosed(sip.Source)                       {}

func newFar(t *testing.T) *far {
	t.Helper()
	f, _ := newStoppableFar(t)
	return f
}

func newStoppableFar(t *testing.T) (f *far, stop func()) {
	t.Helper()
	f = &far{t: t, asks: make(chan *sip.ServerTx, 64), acks: make(chan *message.Request, 64)}
	lo := netip.MustParseAddrPort("127.0.0.1:0")
	return f, f.start(sip.Listen{Transport: "TCP", Addr: lo}, sip.Listen{Transport: "UDP", Addr: lo})
}

// newFarAt takes the address that another far end has left.
func newFarAt(t *testing.T, at netip.AddrPort) *far {
	t.Helper()
	f := &far{t: t, asks: make(chan *sip.ServerTx, 64), acks: make(chan *message.Request, 64)}
	f.start(sip.Listen{Transport: "TCP", Addr: at})
	return f
}

func (f *far) start(listen ...sip.Listen) (stop func()) {
	f.t.Helper()
	var err error
	f.Endpoint, err = sip.New(sip.Config{Name: "far", Bind: netip.MustParseAddr("127.0.0.1"), Handler: f, Listen: listen})
	if err != nil {
		f.t.Fatal(err)
	}
	return running(f.t, f.Run)
}

// at is where the far end is, as a device's Server.
func (f *far) at() string { return "tcp:" + f.Addr("TCP").String() }

// asked is the next request, which must be of that method.
func (f *far) asked(method string) *sip.ServerTx {
	f.t.Helper()
	select {
	case tx := <-f.asks:
		if tx.Request().Method != method {
			f.t.Fatalf("%s, want %s", tx.Request().Method, method)
		}
		return tx
	case <-time.After(20 * time.Second):
		f.t.Fatalf("no request, want %s", method)
	}
	return nil
}

// acked is the next ACK.
func (f *far) acked() *message.Request {
	f.t.Helper()
	select {
	case ack := <-f.acks:
		return ack
	case <-time.After(20 * time.Second):
		f.t.Fatal("no ACK")
	}
	return nil
}

// answer responds with fields given as name and value in turn; body, if there
// is one, is SDP.
func (f *far) answer(tx *sip.ServerTx, status int, tag, body string, fields ...string) {
	f.t.Helper()
	res := message.NewResponse(tx.Request(), status, "", tag)
	for i := 0; i+1 < len(fields); i += 2 {
		message.Add(res, fields[i], fields[i+1])
	}
	if body != "" {
		message.SetBody(res, "application/sdp", []byte(body))
	}
	if err := tx.Respond(res); err != nil {
		f.t.Error(err)
	}
}

// contact is the far end's Contact.
func (f *far) contact() string { return "<sip:" + f.Addr("TCP").String() + ";transport=tcp>" }

// ask sends a request to a device and gives the response.
func (f *far) ask(to *device, req *message.Request) *message.Response {
	f.t.Helper()
	got := make(chan *message.Response, 8)
	f.Send(req, sip.Target{Transport: "TCP", Addr: to.Addr("TCP")}, func(res *message.Response, err error) {
		if err != nil {
			f.t.Errorf("%s: %v", req.Method, err)
			close(got)
			return
		}
		if res.StatusCode >= 200 {
			select {
			case got <- res:
			default:
			}
		}
	})
	select {
	case res := <-got:
		if res == nil {
			f.t.FailNow()
		}
		return res
	case <-time.After(20 * time.Second):
		f.t.Fatalf("%s: no response", req.Method)
	}
	return nil
}

// request is one by hand.
func request(method, uri string, fields ...string) *message.Request {
	u, err := message.ParseURI(uri)
	if err != nil {
		panic(err)
	}
	req := message.NewRequest(method, u)
	message.Add(req, "Max-Forwards", "70")
	for i := 0; i+1 < len(fields); i += 2 {
		message.Add(req, fields[i], fields[i+1])
	}
	return req
}

// tell sends an ACK.
func (f *far) tell(to *device, ack *message.Request) {
	if err := f.SendStateless(ack, sip.Target{Transport: "TCP", Addr: to.Addr("TCP")}); err != nil {
		f.t.Error(err)
	}
}
