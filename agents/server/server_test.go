package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"presfed/agents/certs"
	"presfed/agents/client"
	"presfed/agents/server"
	"presfed/agents/trace"
	"presfed/db"
	"presfed/routing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a directory with alice on server-a and bob on server-b.
func world(t *testing.T) (dir string) {
	t.Helper()
	return directoryOf(t, func(ctx context.Context, d *db.DB, must func(error)) {
		for _, name := range []string{"a", "b"} {
			must(d.AddServer(ctx, db.Server{Name: "server-" + name, URI: "sip:server" + name + ".example.com;transport=tls"}))
		}
		for user, at := range map[string]string{"alice": "server-a", "bob": "server-b"} {
			aor := user + "@example.com"
			must(d.AddUser(ctx, db.User{AOR: aor, HA1: db.HA1s(aor, "example.com", user+"'s secret")}))
			must(d.Assign(ctx, aor, routing.Place{Model: routing.Partitioned, Servers: []string{at}}))
		}
	})
}

// directoryOf is the folder of a new directory that has been filled.
func directoryOf(t *testing.T, fill func(ctx context.Context, d *db.DB, must func(error))) (dir string) {
	t.Helper()
	dir = t.TempDir()
	d, err := db.Open(t.Context(), filepath.Join(dir, "directory"), db.Options{Create: true, Domain: db.Domain{Name: "example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	fill(t.Context(), d, func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	})
	return dir
}

// run starts a server; stop ends it as a clean stop does.
func run(t *testing.T, dir string, change func(*server.Config)) (s *server.Server, stop func()) {
	t.Helper()
	lo := netip.MustParseAddrPort("127.0.0.1:0")
	cfg := server.Config{
		Name: "server-a", Directory: filepath.Join(dir, "directory"), State: filepath.Join(dir, "state-a"),
		Listen: []server.Listen{{Transport: "UDP", Addr: lo}, {Transport: "TCP", Addr: lo}},
	}
	if change != nil {
		change(&cfg)
	}
	s, err := server.New(t.Context(), cfg)
	// Where a restart comes back, a connection of another program may have been
	// given the port for a moment.
	for end := time.Now().Add(20 * time.Second); errors.Is(err, syscall.EADDRINUSE) && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s, err = server.New(t.Context(), cfg)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s, start(t, s.Run, s.Close)
}

func start(t *testing.T, run func(context.Context) error, close func() error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func device(t *testing.T, user, password, at string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Name: user + "-pc", User: user + "@example.com", Password: password, Server: at})
	if err != nil {
		t.Fatal(err)
	}
	start(t, c.Run, func() error { return nil })
	return c
}

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestRegister(t *testing.T) {
	s, _ := run(t, world(t), nil)
	for _, transport := range []string{"tcp", "udp"} {
		at := transport + ":" + s.Addr(map[string]string{"tcp": "TCP", "udp": "UDP"}[transport]).String()
		granted, err := device(t, "alice", "alice's secret", at).Register(timeout(t), 600*time.Second)
		if err != nil || granted < 590*time.Second || granted > 600*time.Second {
			t.Errorf("%s: granted %s, %v", transport, granted, err)
		}
	}
}

func TestWhoMayRegister(t *testing.T) {
	s, _ := run(t, world(t), nil)
	at := "tcp:" + s.Addr("TCP").String()
	for _, tt := range []struct {
		name, user, password string
		status               int // 0: authentication fails
	}{
		{"wrong password", "alice", "guess", 0},
		{"unknown user", "eve", "guess", 0},
		{"no password", "alice", "", 0},
		{"served elsewhere", "bob", "bob's secret", 403},
	} {
		_, err := device(t, tt.user, tt.password, at).Register(timeout(t), time.Minute)
		var refused *client.RefusedError
		switch {
		case tt.status == 0 && !errors.Is(err, client.ErrAuthentication):
			t.Errorf("%s: %v", tt.name, err)
		case tt.status != 0 && !errors.As(err, &refused):
			t.Errorf("%s: %v", tt.name, err)
		case tt.status != 0 && refused.Status()/100 != 4:
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestBindingSurvivesRestart(t *testing.T) {
	dir := world(t)
	s, stop := run(t, dir, nil)
	if _, err := device(t, "alice", "alice's secret", "tcp:"+s.Addr("TCP").String()).Register(timeout(t), time.Hour); err != nil {
		t.Fatal(err)
	}
	stop()
	s, _ = run(t, dir, nil)
	if n := len(s.Bindings("alice@example.com")); n != 1 {
		t.Errorf("%d bindings after the restart", n)
	}
}

func TestOptions(t *testing.T) {
	s, _ := run(t, world(t), nil)
	a, err := device(t, "alice", "", "udp:"+s.Addr("UDP").String()).Options(timeout(t), "")
	if err != nil || len(a.Allow) == 0 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestNoAuth(t *testing.T) {
	s, _ := run(t, world(t), func(c *server.Config) { c.NoAuth = true })
	if _, err := device(t, "alice", "", "tcp:"+s.Addr("TCP").String()).Register(timeout(t), time.Minute); err != nil {
		t.Errorf("%v", err)
	}
}

func TestUnknownServerIsSaid(t *testing.T) {
	dir := world(t)
	_, err := server.New(t.Context(), server.Config{Name: "server-c", Directory: filepath.Join(dir, "directory"), State: filepath.Join(dir, "s")})
	var input *server.InputError
	if !errors.As(err, &input) || input.Hint == "" {
		t.Errorf("%v", err)
	}
}

// domain is server-a and server-b running on one directory with mutual TLS
// between them; everybody allows everybody.
type domain struct {
	t         *testing.T
	dir       string
	directory *db.DB
	authority *certs.Authority
	servers   map[string]*server.Server
	stops     map[string]func()
	listen    map[string][]server.Listen
	change    func(*server.Config) // nil: as it is
}

func federated(t *testing.T) *domain { t.Helper(); return federatedWith(t, nil) }

func federatedWith(t *testing.T, change func(*server.Config)) *domain {
	t.Helper()
	b := &domain{t: t, change: change, dir: world(t), servers: map[string]*server.Server{}, stops: map[string]func(){}, listen: map[string][]server.Listen{}}
	var err error
	if b.authority, err = certs.NewAuthority(b.dir, "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	if b.directory, err = db.Open(t.Context(), filepath.Join(b.dir, "directory"), db.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.directory.Close() })
	for _, user := range []string{"alice", "bob"} {
		b.rule(user, db.MatchDefault, "", db.Allow)
	}
	for _, name := range []string{"a", "b"} {
		b.serve(name)
	}
	return b
}

// serve starts a server of the directory and says there where it is.
func (b *domain) serve(name string) {
	b.t.Helper()
	lo := netip.MustParseAddrPort("127.0.0.1:0")
	b.listen[name] = []server.Listen{{Transport: "UDP", Addr: lo}, {Transport: "TCP", Addr: lo}, {Transport: "TLS", Addr: lo}}
	b.start(name)
	b.listen[name] = b.servers[name].Listening() // a restart comes back where it was
	if err := b.directory.SetServer(b.t.Context(), db.Server{Name: "server-" + name,
		URI: "sip:" + b.servers[name].Addr("TLS").String() + ";transport=tls", Identity: "server" + name + ".example.com"}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *domain) start(name string) {
	b.t.Helper()
	_, files, err := b.authority.Issue(certs.Request{Name: "server-" + name, Hosts: []string{"server" + name + ".example.com"}, Replace: true}, time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	creds, err := certs.Load(certs.Options{Files: files})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { creds.Close() })
	b.servers[name], b.stops[name] = run(b.t, b.dir, func(c *server.Config) {
		c.Name, c.State = "server-"+name, filepath.Join(b.dir, "state-"+name)
		c.Listen = b.listen[name]
		c.ServerTLS, c.ClientTLS = creds.Config(), creds.Config()
		c.Synchronised = name == "b"
		c.PeerRetry = 50 * time.Millisecond
		if b.change != nil {
			b.change(c)
		}
	})
}

func (b *domain) rule(presentity string, match db.Match, watcher string, h db.Handling) {
	b.t.Helper()
	if err := b.directory.SetRule(b.t.Context(), db.Rule{Presentity: presentity + "@example.com", Match: match, Watcher: watcher, Handling: h}); err != nil {
		b.t.Fatal(err)
	}
}

// device is registered at its server; what it hears comes back in a channel.
func (b *domain) device(user, at string) (*client.Client, <-chan client.Event) {
	b.t.Helper()
	heard := make(chan client.Event, 100)
	c, err := client.New(client.Config{Name: user + "-pc", User: user + "@example.com", Password: user + "'s secret",
		Server: "tcp:" + b.servers[at].Addr("TCP").String(), OnEvent: func(e client.Event) {
			if e.Type != "im" && e.Type != "presence" {
				return
			}
			select {
			case heard <- e:
			default:
			}
		}})
	if err != nil {
		b.t.Fatal(err)
	}
	start(b.t, c.Run, func() error { return nil })
	if _, err := c.Register(timeout(b.t), time.Hour); err != nil {
		b.t.Fatal(err)
	}
	return c, heard
}

// await reads events until one is as wanted.
func await(t *testing.T, heard <-chan client.Event, what string, want func(client.Event) bool) client.Event {
	t.Helper()
	for end := time.After(20 * time.Second); ; {
		select {
		case e := <-heard:
			if want(e) {
				return e
			}
		case <-end:
			t.Fatalf("never heard: %s", what)
		}
	}
}

func status(basic, note string) client.Publication {
	return client.Publication{Expires: time.Hour, Body: []byte(`<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bob@example.com"><tuple id="t1"><status><basic>` + basic +
		`</basic></status><note>` + note + `</note></tuple></presence>`)}
}

func says(texts ...string) func(client.Event) bool {
	return func(e client.Event) bool {
		for _, text := range texts {
			if !strings.Contains(e.Body, text) {
				return false
			}
		}
		return e.Type == "presence"
	}
}

// TestWatchAcrossServers: alice on server-a watches bob on server-b; his changes
// reach her, policy acts at once, and a restart of his server loses nothing.
func TestWatchAcrossServers(t *testing.T) {
	b := federated(t)
	alice, heard := b.device("alice", "a")
	bob, _ := b.device("bob", "b")
	if _, _, err := bob.Publish(timeout(t), status("open", "I am Active")); err != nil {
		t.Fatal(err)
	}
	sub, err := alice.Subscribe(timeout(t), "bob", client.SubscribeOptions{Expires: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	await(t, heard, "bob is active", says(">open<", "I am Active"))
	etag, _, err := bob.Publish(timeout(t), status("open", "second device"))
	if err != nil {
		t.Fatal(err)
	}
	await(t, heard, "both of bob's devices", says("I am Active", "second device"))

	b.stops["b"]()
	b.start("b")
	await(t, heard, "bob after the restart of his server", says("I am Active", "second device"))
	away := status("closed", "gone")
	away.ETag = etag
	if _, _, err := bob.Publish(timeout(t), away); err != nil {
		t.Fatalf("with the entity-tag from before the restart: %v", err)
	}
	await(t, heard, "bob's second device is gone", says("I am Active", ">closed<", "gone"))

	b.rule("bob", db.MatchUser, "alice@example.com", db.PoliteBlock)
	await(t, heard, "politely nothing", func(e client.Event) bool {
		return e.State == "active" && e.Body != "" && !strings.Contains(e.Body, "Active")
	})
	b.rule("bob", db.MatchUser, "alice@example.com", db.Block)
	if e := await(t, heard, "the end", func(e client.Event) bool { return e.State == "terminated" }); e.Reason != "rejected" {
		t.Errorf("ended with reason %q", e.Reason)
	}
	<-sub.Done()
	var refused *client.RefusedError
	if _, err := alice.Subscribe(timeout(t), "bob", client.SubscribeOptions{Expires: time.Hour}); !errors.As(err, &refused) || refused.Status() != 403 {
		t.Errorf("blocked, and answered %v", err)
	}
}

// TestPresenceRefusals: each mistake gets the answer of its RFC.
func TestPresenceRefusals(t *testing.T) {
	b := federated(t)
	bob, _ := b.device("bob", "b")
	for _, tt := range []struct {
		name   string
		p      client.Publication
		status int
	}{
		{"unknown event package", client.Publication{Event: "dialog", Body: []byte("x"), Expires: time.Hour}, 489},
		{"broken document", client.Publication{Body: []byte("<presence"), Expires: time.Hour}, 400},
		{"another kind of body", client.Publication{ContentType: "text/plain", Body: []byte("x"), Expires: time.Hour}, 415},
		{"an entity-tag nobody gave", client.Publication{ETag: "nope", Expires: time.Hour}, 412},
		{"too short", client.Publication{Body: status("open", "").Body, Expires: time.Second}, 423},
	} {
		_, _, err := bob.Publish(timeout(t), tt.p)
		var refused *client.RefusedError
		if !errors.As(err, &refused) || refused.Status() != tt.status {
			t.Errorf("%s: %v, want %d", tt.name, err, tt.status)
		}
	}
	var refused *client.RefusedError
	if _, err := bob.Subscribe(timeout(t), "bob", client.SubscribeOptions{Event: "dialog", Expires: time.Hour}); !errors.As(err, &refused) || refused.Status() != 489 {
		t.Errorf("subscribing to an unknown package: %v", err)
	}
	if _, err := bob.Subscribe(timeout(t), "nobody", client.SubscribeOptions{Expires: time.Hour}); !errors.As(err, &refused) || refused.Status() != 404 {
		t.Errorf("subscribing to an unknown user: %v", err)
	}
}

// TestPage: a message goes from alice's device over both servers to bob's, and
// is refused where bob's policy says so.
func TestPage(t *testing.T) {
	b := federated(t)
	alice, _ := b.device("alice", "a")
	_, heard := b.device("bob", "b")
	if err := alice.Page(timeout(t), "bob", "text/plain", []byte("Are you there?")); err != nil {
		t.Fatal(err)
	}
	if e := await(t, heard, "alice's message", func(e client.Event) bool { return e.Type == "im" }); e.Text != "Are you there?" || e.From != "sip:alice@example.com" {
		t.Errorf("bob hears %+v", e)
	}
	b.rule("bob", db.MatchUser, "alice@example.com", db.Block)
	var refused *client.RefusedError
	for end := time.Now().Add(20 * time.Second); ; { // the copy follows the revision
		err := alice.Page(timeout(t), "bob", "text/plain", []byte("Still?"))
		if errors.As(err, &refused) && refused.Status() == 403 {
			break
		}
		if err != nil || time.Now().After(end) {
			t.Fatalf("blocked, and still answered %v", err)
		}
	}
	if err := alice.Page(timeout(t), "nobody", "text/plain", []byte("?")); !errors.As(err, &refused) || refused.Status() != 404 {
		t.Errorf("an unknown user: %v", err)
	}
}

// TestDefaultOfTheDomainActsAtOnce: alice has no rule for bob, so the domain's
// default decides, and decides again when it changes.
func TestDefaultOfTheDomainActsAtOnce(t *testing.T) {
	b := federated(t)
	if err := b.directory.RemoveRule(t.Context(), db.Rule{Presentity: "alice@example.com", Match: db.MatchDefault, Handling: db.Allow}); err != nil {
		t.Fatal(err)
	}
	set := func(h db.Handling) {
		t.Helper()
		if err := b.directory.SetDomain(t.Context(), db.Domain{Name: "example.com", Default: h}); err != nil {
			t.Fatal(err)
		}
	}
	set(db.Confirm)
	bob, heard := b.device("bob", "b")
	if _, err := bob.Subscribe(timeout(t), "alice", client.SubscribeOptions{Expires: time.Hour}); err != nil {
		t.Fatal(err)
	}
	await(t, heard, "pending", func(e client.Event) bool { return e.State == "pending" })
	set(db.Allow)
	await(t, heard, "active", func(e client.Event) bool { return e.State == "active" })
}

// TestControlSocket: what crosses the server's sockets can be read while it runs.
func TestControlSocket(t *testing.T) {
	dir := world(t)
	socket := filepath.Join(t.TempDir(), "c")
	s, _ := run(t, dir, func(c *server.Config) { c.Control = socket })
	if _, err := device(t, "alice", "alice's secret", "tcp:"+s.Addr("TCP").String()).Register(timeout(t), time.Hour); err != nil {
		t.Fatal(err)
	}
	for ctx, registers := timeout(t), 0; registers != 4; { // challenged and accepted; the client has the last before it is recorded
		capture, err := trace.Snapshot(ctx, socket)
		if err != nil {
			t.Fatalf("%d messages of REGISTER were recorded: %v", registers, err)
		}
		registers = 0
		for _, m := range capture.Messages() {
			if m.Method == "REGISTER" {
				registers++
			}
		}
	}
}

// TestStrangersAreNotCarried: neither a To tag nor a Route of his own making nor
// an ACK gets a stranger's request through, and nobody is told a forged identity.
func TestStrangersAreNotCarried(t *testing.T) {
	b := federated(t)
	sink, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	own := b.servers["a"].Addr("TCP").String()
	for _, method := range []string{"MESSAGE", "BYE", "NOTIFY", "INVITE", "SUBSCRIBE", "OPTIONS", "ACK"} {
		conn, err := net.Dial("tcp", own)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s sip:x@%s SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\n"+
			"Route: <sip:%s;lr>\r\nFrom: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>;tag=2\r\nCall-ID: %s\r\n"+
			"CSeq: 1 %s\r\nP-Asserted-Identity: <sip:alice@example.com>\r\nContent-Length: 0\r\n\r\n",
			method, sink.LocalAddr(), method, own, method, method)
		// OPTIONS to the server itself is always answered: what came before it is through.
		fmt.Fprintf(conn, "OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKend%s\r\nMax-Forwards: 70\r\n"+
			"From: <sip:a@b>;tag=1\r\nTo: <sip:example.com>\r\nCall-ID: end\r\nCSeq: 2 OPTIONS\r\nContent-Length: 0\r\n\r\n", method)
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		var answers []byte
		buf := make([]byte, 8192)
		for !bytes.Contains(answers, []byte("Call-ID: end")) {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatalf("%s: %v after %q", method, err, answers)
			}
			answers = append(answers, buf[:n]...)
		}
		conn.Close()
		if method != "ACK" && !bytes.HasPrefix(answers, []byte("SIP/2.0 4")) {
			t.Errorf("%s is answered\n%s", method, answers)
		}
	}
	sink.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	buf := make([]byte, 2048)
	if n, from, err := sink.ReadFrom(buf); err == nil {
		t.Errorf("carried, from %s:\n%s", from, buf[:n])
	}
}

// TestFromMustBeYou: alice cannot send in another's name.
func TestFromMustBeYou(t *testing.T) {
	b := federated(t)
	var refused *client.RefusedError
	conn, err := client.New(client.Config{Name: "x", User: "bob@example.com", Username: "alice", Password: "alice's secret",
		Server: "tcp:" + b.servers["a"].Addr("TCP").String()})
	if err != nil {
		t.Fatal(err)
	}
	start(t, conn.Run, func() error { return nil })
	if err := conn.Page(timeout(t), "bob", "text/plain", []byte("hello")); !errors.As(err, &refused) || refused.Status() != 403 {
		t.Errorf("%v", err)
	}
}
