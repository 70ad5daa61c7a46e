package server_test

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"presfed/agents/certs"
	"presfed/agents/client"
	"presfed/agents/server"
	"presfed/db"
	"presfed/routing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a directory with alice on server-a and bob on server-b.
func world(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	ctx := t.Context()
	d, err := db.Open(ctx, filepath.Join(dir, "directory"), db.Options{Create: true, Domain: db.Domain{Name: "example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a", "b"} {
		must(d.AddServer(ctx, db.Server{Name: "server-" + name, URI: "sip:server" + name + ".example.com;transport=tls"}))
	}
	for user, at := range map[string]string{"alice": "server-a", "bob": "server-b"} {
		aor := user + "@example.com"
		must(d.AddUser(ctx, db.User{AOR: aor, HA1: db.HA1s(aor, "example.com", user+"'s secret")}))
		must(d.Assign(ctx, aor, routing.Place{Model: routing.Partitioned, Servers: []string{at}}))
	}
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
		if err != nil || granted != 600*time.Second {
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

func TestNoAuthIsForLoopback(t *testing.T) {
	dir := world(t)
	_, err := server.New(t.Context(), server.Config{
		Name: "server-a", Directory: filepath.Join(dir, "directory"), State: filepath.Join(dir, "s"), NoAuth: true,
		Listen: []server.Listen{{Transport: "TCP", Addr: netip.MustParseAddrPort("0.0.0.0:0")}},
	})
	var input *server.InputError
	if !errors.As(err, &input) {
		t.Errorf("%v", err)
	}
	s, _ := run(t, dir, func(c *server.Config) { c.NoAuth = true })
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

// TestPage: a message goes from alice's device through server-a over mutual TLS
// to server-b and to bob's device, and is refused where bob's policy says so.
func TestPage(t *testing.T) {
	dir := world(t)
	now := time.Now()
	authority, err := certs.NewAuthority(dir, "test", now)
	if err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), filepath.Join(dir, "directory"), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.SetRule(t.Context(), db.Rule{Presentity: "bob@example.com", Match: db.MatchDefault, Handling: db.Allow}); err != nil {
		t.Fatal(err)
	}
	servers := map[string]*server.Server{}
	for _, name := range []string{"a", "b"} {
		_, files, err := authority.Issue(certs.Request{Name: "server-" + name, Hosts: []string{"server" + name + ".example.com"}}, now)
		if err != nil {
			t.Fatal(err)
		}
		creds, err := certs.Load(certs.Options{Files: files})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { creds.Close() })
		s, _ := run(t, dir, func(c *server.Config) {
			c.Name, c.State = "server-"+name, filepath.Join(dir, "state-"+name)
			c.Listen = append(c.Listen, server.Listen{Transport: "TLS", Addr: netip.MustParseAddrPort("127.0.0.1:0")})
			c.ServerTLS, c.ClientTLS = creds.Config(), creds.Config()
			c.Synchronised = name == "b"
		})
		servers[name] = s
		if err := d.SetServer(t.Context(), db.Server{Name: "server-" + name, URI: "sip:" + s.Addr("TLS").String() + ";transport=tls", Identity: "server" + name + ".example.com"}); err != nil {
			t.Fatal(err)
		}
	}
	heard := make(chan client.Event, 10)
	bob, err := client.New(client.Config{Name: "bob-pc", User: "bob@example.com", Password: "bob's secret", Server: "tcp:" + servers["b"].Addr("TCP").String(),
		OnEvent: func(e client.Event) {
			if e.Type != "im" {
				return
			}
			select {
			case heard <- e:
			default: // only the first is looked at
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	start(t, bob.Run, func() error { return nil })
	alice := device(t, "alice", "alice's secret", "tcp:"+servers["a"].Addr("TCP").String())
	for _, c := range []*client.Client{alice, bob} {
		if _, err := c.Register(timeout(t), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if err := alice.Page(timeout(t), "bob", "text/plain", []byte("Are you there?")); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-heard:
		if e.Text != "Are you there?" || e.From != "sip:alice@example.com" {
			t.Errorf("bob hears %+v", e)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("bob hears nothing")
	}
	if err := d.SetRule(t.Context(), db.Rule{Presentity: "bob@example.com", Match: db.MatchUser, Watcher: "alice@example.com", Handling: db.Block}); err != nil {
		t.Fatal(err)
	}
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
