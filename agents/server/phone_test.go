package server_test

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"presfed/agents/certs"
	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/agents/internal/wire"
)

// phone is a device whose messages a test writes itself: a SIP endpoint of a
// user, on a transport.
type phone struct {
	*sip.Endpoint
	t         *testing.T
	user      string
	transport string
	server    netip.AddrPort
	identity  string // of the server, on TLS
	at        string // where its contact is, if not where it listens
	stop      func()
	requests  chan *sip.ServerTx
	acks      chan *message.Request
	cseq      int
	etag      string // of what its user has published
}

func (p *phone) ServeRequest(tx *sip.ServerTx)               { p.requests <- tx }
func (p *phone) ServeAck(ack *message.Request, _ sip.Source) { p.acks <- ack }
func (p *phone) ServeResponse(*message.Response, sip.Source) {}
func (p *phone) ConnectionClosed(sip.Source)                 {}

func (b *domain) phone(user, at, transport string) *phone {
	b.t.Helper()
	return b.overheard(user, at, transport, nil)
}

// overheard is a phone whose messages tap sees.
func (b *domain) overheard(user, at, transport string, tap wire.Tap) *phone {
	b.t.Helper()
	p := &phone{t: b.t, user: user, transport: transport, server: b.servers[at].Addr(transport),
		requests: make(chan *sip.ServerTx, 100), acks: make(chan *message.Request, 100)}
	p.open(sip.Config{Tap: tap})
	return p
}

// peer poses as a server, with its certificate.
func (b *domain) peer(name, identity, at string) *phone {
	b.t.Helper()
	_, files, err := b.authority.Issue(certs.Request{Name: name, Hosts: []string{identity}, Replace: true}, time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	creds, err := certs.Load(certs.Options{Files: files})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { creds.Close() })
	p := &phone{t: b.t, user: name, transport: "TLS", server: b.servers[at].Addr("TLS"), identity: "server" + at + ".example.com",
		requests: make(chan *sip.ServerTx, 100), acks: make(chan *message.Request, 100)}
	p.open(sip.Config{ServerTLS: creds.Config(), ClientTLS: creds.Config()})
	return p
}

func (p *phone) open(cfg sip.Config) {
	p.t.Helper()
	lo := netip.MustParseAddrPort("127.0.0.1:0")
	cfg.Name, cfg.Bind, cfg.Handler, cfg.Listen = p.user, lo.Addr(), p, []sip.Listen{{Transport: p.transport, Addr: lo}}
	var err error
	if p.Endpoint, err = sip.New(cfg); err != nil {
		p.t.Fatal(err)
	}
	p.stop = start(p.t, p.Run, func() error { return nil })
}

func (p *phone) contact() string {
	return fmt.Sprintf("<sip:%s@%s;transport=%s>", p.user, cmp.Or(p.at, p.Addr(p.transport).String()), p.transport)
}

// request is one outside any dialog, from the phone's user.
func (p *phone) request(method, to string, fields ...string) *message.Request {
	p.cseq++
	req := message.NewRequest(method, message.URI{Scheme: "sip", User: to, Host: "example.com"})
	message.Add(req, "Max-Forwards", "70")
	message.Add(req, "From", "<sip:"+p.user+"@example.com>;tag="+sip.NewTag())
	message.Add(req, "To", "<sip:"+to+"@example.com>")
	message.Add(req, "Call-ID", sip.NewTag())
	message.Add(req, "CSeq", message.CSeq{Seq: uint32(p.cseq), Method: method}.String())
	message.Add(req, "Contact", p.contact())
	return with(req, fields...)
}

// with adds fields, given as name and value in turn.
func with(req *message.Request, fields ...string) *message.Request {
	for i := 0; i+1 < len(fields); i += 2 {
		message.Add(req, fields[i], fields[i+1])
	}
	return req
}

// ask sends a request to the phone's server and gives what it hears.
func (p *phone) ask(req *message.Request) <-chan *message.Response {
	heard := make(chan *message.Response, 10)
	p.Send(message.Clone(req), sip.Target{Transport: p.transport, Addr: p.server, ServerName: p.identity}, func(res *message.Response, err error) {
		switch {
		case err != nil:
			p.t.Errorf("%s of %s: %v", req.Method, p.user, err)
			close(heard)
		case res.StatusCode >= 200:
			heard <- res
		}
	})
	return heard
}

func (p *phone) ack(req *message.Request) {
	p.t.Helper()
	if err := p.SendStateless(req, sip.Target{Transport: p.transport, Addr: p.server, ServerName: p.identity}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *phone) register() {
	p.t.Helper()
	final(p.t, p.ask(p.request("REGISTER", p.user, "Expires", "3600")), 200)
}

// take answers the next request with that status, and with fields given as name and
// value in turn.
func (p *phone) take(method string, status int, fields ...string) *message.Request {
	p.t.Helper()
	tx := next(p.t, p.requests)
	if got := tx.Request().Method; got != method {
		p.t.Fatalf("%s got %s, want %s", p.user, got, method)
	}
	to, _ := message.To(tx.Request())
	tag := to.Tag()
	if tag == "" {
		tag = p.user
	}
	res := message.NewResponse(tx.Request(), status, "", tag)
	message.Add(res, "Contact", p.contact())
	for i := 0; i+1 < len(fields); i += 2 {
		message.Add(res, fields[i], fields[i+1])
	}
	if err := tx.Respond(res); err != nil {
		p.t.Fatal(err)
	}
	return tx.Request()
}

func next[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
	}
	return v
}

func final(t *testing.T, heard <-chan *message.Response, status int) *message.Response {
	t.Helper()
	res := next(t, heard)
	if res == nil || res.StatusCode != status {
		t.Fatalf("want %d, heard\n%v", status, res)
	}
	return res
}

// call is a dialog between two phones, its ACK not yet sent, as each sees it.
type call struct {
	invite         *message.Request
	caller, callee *dialog.Dialog
}

func dial(t *testing.T, from, to *phone) call {
	t.Helper()
	c := call{invite: from.request("INVITE", to.user)}
	heard := from.ask(c.invite)
	got := to.take("INVITE", 200)
	var err error
	if c.caller, err = dialog.UAC(c.invite, final(t, heard, 200)); err != nil {
		t.Fatal(err)
	}
	if c.callee, err = dialog.UAS(got, to.user); err != nil {
		t.Fatal(err)
	}
	return c
}

// request is the next one of a dialog.
func within(t *testing.T, d *dialog.Dialog, method string, fields ...string) *message.Request {
	t.Helper()
	req, err := d.Request(method)
	if err != nil {
		t.Fatal(err)
	}
	return with(req, fields...)
}

func reroute(req *message.Request, routes []string) *message.Request {
	message.Remove(req, "Route")
	for _, r := range slices.Backward(routes) {
		message.Prepend(req, "Route", r)
	}
	return req
}
