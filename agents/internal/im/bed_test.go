package im

import (
	"context"
	"crypto/tls"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"presfed/agents/certs"
	"presfed/agents/internal/message"
	"presfed/agents/internal/proxy"
	"presfed/agents/internal/sip"
	"presfed/routing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bed is two servers on a link of mutual TLS, with the devices of a test.
type bed struct {
	t       *testing.T
	names   *routing.Names
	places  map[string]routing.Place
	refused map[string]int // policy: status by "user sender"
	asked   chan string    // the server that asked policy
	servers map[string]*server
}

type server struct {
	bed      *bed
	name     string
	identity string
	endpoint *sip.Endpoint
	proxy    *proxy.Proxy
	im       *Service
	devices  map[string][]Device
}

func newBed(t *testing.T, places map[string]routing.Place) *bed {
	b := &bed{t: t, places: places, refused: map[string]int{}, asked: make(chan string, 100), servers: map[string]*server{},
		names: routing.NewNames("example.com", []routing.Server{
			{Name: "a", Identity: "servera.example.com"}, {Name: "b", Identity: "serverb.example.com"}})}
	dir := t.TempDir()
	authority, err := certs.NewAuthority(dir, "test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		s := &server{bed: b, name: name, identity: "server" + name + ".example.com", devices: map[string][]Device{}}
		_, files, err := authority.Issue(certs.Request{Name: name, Hosts: []string{s.identity}}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		own, err := certs.Load(certs.Options{Files: files})
		if err != nil {
			t.Fatal(err)
		}
		s.start(own.Config())
		b.servers[name] = s
	}
	return b
}

func (s *server) start(config *tls.Config) {
	t := s.bed.t
	lo := netip.MustParseAddrPort("127.0.0.1:0")
	var err error
	s.endpoint, err = sip.New(sip.Config{Name: s.name, Listen: []sip.Listen{{Transport: "TCP", Addr: lo}, {Transport: "TLS", Addr: lo}},
		Bind: lo.Addr(), ServerTLS: config, ClientTLS: config, Handler: s})
	if err == nil {
		s.proxy, err = proxy.New(proxy.Config{Endpoint: s.endpoint, Resolve: s.resolve, Own: s.own, RecordRoute: s.recordRoute})
	}
	if err == nil {
		s.im, err = New(Config{Proxy: s.proxy, Where: s.where, Policy: s.policy,
			Devices: func(user, method string, im bool) []Device {
				return slices.DeleteFunc(slices.Clone(s.devices[user]), func(d Device) bool { return im && d.Contact.User == "voice" })
			}})
	}
	if err != nil {
		t.Fatal(err)
	}
	run(t, s.endpoint.Run)
	run(t, s.im.Run)
}

func run(t *testing.T, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = f(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

func (s *server) resolve(next message.URI, done func([]sip.Target, error)) {
	for _, other := range s.bed.servers {
		if strings.EqualFold(next.Host, other.identity) {
			done([]sip.Target{{Transport: "TLS", Addr: other.endpoint.Addr("TLS"), ServerName: other.identity}}, nil)
			return
		}
	}
	addr, err := netip.ParseAddr(next.Host)
	done([]sip.Target{{Transport: "TCP", Addr: netip.AddrPortFrom(addr, uint16(next.Port))}}, err)
}

func (s *server) own(u message.URI) bool {
	return strings.EqualFold(u.Host, s.identity) || uint16(u.Port) == s.endpoint.Addr("TCP").Port()
}

func (s *server) recordRoute(side sip.Source) message.URI {
	if side.Transport == "TLS" {
		return message.URI{Scheme: "sip", Host: s.identity}
	}
	a := s.endpoint.Addr("TCP")
	return message.URI{Scheme: "sip", Host: a.Addr().String(), Port: int(a.Port())}
}

func (s *server) where(_ context.Context, req *message.Request, from Sender) (Where, error) {
	scope, err := routing.ScopeOf(req.Recipient.Host, req.Recipient.Port, s.bed.names)
	if err != nil {
		return Where{}, err
	}
	user := req.Recipient.User + "@example.com"
	place := s.bed.places[user]
	targets, err := routing.Route(routing.Facts{Names: s.bed.names, Self: s.name, User: user, Place: place, Scope: scope,
		Class: routing.ClassOf(req.Method), Peer: from.Peer})
	return Where{User: user, Model: place.Model, Targets: targets}, err
}

func (s *server) policy(_ context.Context, user, sender string) (int, error) {
	s.bed.asked <- s.name
	return s.bed.refused[user+" "+sender], nil
}

func (s *server) ServeRequest(tx *sip.ServerTx) {
	req := tx.Request()
	from := s.sender(tx)
	if req.Method == message.CANCEL {
		s.proxy.Cancel(tx)
		return
	}
	if to, _ := message.To(req); to.Tag() == "" {
		s.im.Serve(tx, from)
		return
	}
	if r := s.proxy.Begin(tx, from.origin()); r != nil {
		r.Relay(nil)
	}
}

func (s *server) sender(tx *sip.ServerTx) Sender {
	for _, id := range tx.Source().Identities {
		for _, other := range s.bed.servers {
			if certs.Same(id, other.identity) {
				pai, _ := message.AddressOf(tx.Request(), "P-Asserted-Identity")
				return Sender{Peer: other.name, User: pai.URI.User + "@" + pai.URI.Host}
			}
		}
	}
	from, _ := message.From(tx.Request())
	return Sender{User: from.URI.User + "@example.com"}
}

func (s *server) ServeAck(ack *message.Request, from sip.Source) { s.proxy.Ack(ack, from, nil) }
func (s *server) ServeResponse(*message.Response, sip.Source)    {}
func (s *server) ConnectionClosed(sip.Source)                    {}

// device is a user's, registered at a server unless user is empty.
type device struct {
	*sip.Endpoint
	t        *testing.T
	requests chan *sip.ServerTx
	acks     chan *message.Request
	at       *server
	name     string
	contact  message.URI
}

func (d *device) ServeRequest(tx *sip.ServerTx)               { d.requests <- tx }
func (d *device) ServeAck(ack *message.Request, _ sip.Source) { d.acks <- ack }
func (d *device) ServeResponse(*message.Response, sip.Source) {}
func (d *device) ConnectionClosed(sip.Source)                 {}

func (b *bed) device(user, name, at string) *device {
	d := &device{t: b.t, requests: make(chan *sip.ServerTx, 100), acks: make(chan *message.Request, 10), at: b.servers[at], name: name}
	lo := netip.MustParseAddrPort("127.0.0.1:0")
	var err error
	if d.Endpoint, err = sip.New(sip.Config{Name: name, Listen: []sip.Listen{{Transport: "TCP", Addr: lo}}, Bind: lo.Addr(), Handler: d}); err != nil {
		b.t.Fatal(err)
	}
	run(b.t, d.Run)
	a := d.Addr("TCP")
	d.contact = message.URI{Scheme: "sip", User: name, Host: a.Addr().String(), Port: int(a.Port())}
	if user != "" {
		d.at.devices[user] = append(d.at.devices[user], Device{Contact: d.contact})
	}
	return d
}

// request is one of this device's user, outside a dialog.
func (d *device) request(method, from, to string, fields ...string) *message.Request {
	u, err := message.ParseURI("sip:" + to)
	if err != nil {
		d.t.Fatal(err)
	}
	req := message.NewRequest(method, u)
	message.Add(req, "Max-Forwards", "70")
	message.Add(req, "From", "<sip:"+from+">;tag="+sip.NewTag())
	message.Add(req, "To", "<sip:"+to+">")
	message.Add(req, "Call-ID", sip.NewTag())
	message.Add(req, "CSeq", "1 "+method)
	message.Add(req, "Contact", "<"+d.contact.String()+">")
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		message.Add(req, name, value)
	}
	return req
}

// send gives the request to the device's server; 100 is not heard.
func (d *device) send(req *message.Request) chan *message.Response {
	heard := make(chan *message.Response, 100)
	d.Send(req, sip.Target{Transport: "TCP", Addr: d.at.endpoint.Addr("TCP")}, func(res *message.Response, err error) {
		if err != nil {
			d.t.Errorf("%s: %v", d.name, err)
			return
		}
		if res.StatusCode != 100 {
			heard <- res
		}
	})
	return heard
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

func status(t testing.TB, heard <-chan *message.Response, want int) *message.Response {
	t.Helper()
	res := recv(t, heard)
	if res.StatusCode != want {
		t.Fatalf("heard %d, want %d", res.StatusCode, want)
	}
	return res
}

func (d *device) answer(tx *sip.ServerTx, status int, fields ...string) {
	res := message.NewResponse(tx.Request(), status, "", d.name)
	message.Add(res, "Contact", "<"+d.contact.String()+">")
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		message.Add(res, name, value)
	}
	_ = tx.Respond(res)
}
