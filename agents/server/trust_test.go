package server_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/server"
	"presfed/db"
)

// Who is believed without proof must not be able to come from another host.
func TestTrustIsForLoopback(t *testing.T) {
	lo, any := netip.MustParseAddrPort("127.0.0.1:0"), netip.MustParseAddrPort("0.0.0.0:0")
	for _, tt := range []struct {
		name   string
		listen netip.AddrPort
		change func(*server.Config)
		b      string // where the directory has server-b
		taken  bool
	}{
		{"no authentication", any, func(c *server.Config) { c.NoAuth = true }, "sip:127.0.0.2", false},
		{"no authentication on loopback", lo, func(c *server.Config) { c.NoAuth = true }, "sip:serverb.example.com", true},
		{"no authentication, and rules from anywhere", lo, func(c *server.Config) {
			c.NoAuth, c.XCAP = true, server.Listen{Transport: "TCP", Addr: any}
		}, "sip:serverb.example.com", false},
		{"no authentication, and rules from here", lo, func(c *server.Config) {
			c.NoAuth, c.XCAP = true, server.Listen{Transport: "TCP", Addr: lo}
		}, "sip:serverb.example.com", true},
		{"servers by address", any, func(c *server.Config) { c.PeersByAddress = true }, "sip:127.0.0.2", false},
		{"servers by address, one of them elsewhere", lo, func(c *server.Config) { c.PeersByAddress = true }, "sip:192.0.2.2", false},
		{"servers by address, one of them by name", lo, func(c *server.Config) { c.PeersByAddress = true }, "sip:serverb.example.com", false},
		{"servers by address on loopback", lo, func(c *server.Config) { c.PeersByAddress = true }, "sip:127.0.0.2", true},
	} {
		dir := world(t)
		put(t, dir, "sip:127.0.0.1", tt.b)
		cfg := server.Config{
			Name: "server-a", Directory: filepath.Join(dir, "directory"), State: filepath.Join(dir, "s"),
			Listen: []server.Listen{{Transport: "TCP", Addr: tt.listen}},
		}
		tt.change(&cfg)
		s, err := server.New(t.Context(), cfg)
		var input *server.InputError
		switch {
		case tt.taken && err != nil, !tt.taken && !errors.As(err, &input):
			t.Errorf("%s: %v", tt.name, err)
		case err == nil:
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := errors.Join(s.Run(ctx), s.Close()); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
	}
}

// put says in the directory where the two servers are.
func put(t *testing.T, dir string, at ...string) {
	t.Helper()
	d, err := db.Open(t.Context(), filepath.Join(dir, "directory"), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for i, name := range []string{"a", "b"} {
		if err := d.SetServer(t.Context(), db.Server{Name: "server-" + name, URI: at[i], Identity: "server" + name + ".example.com"}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestServersByAddress: two servers without certificates, a watcher on one of them
// and a presentity on the other. Who sends from elsewhere is no server.
func TestServersByAddress(t *testing.T) {
	dir := world(t)
	put(t, dir, "sip:127.0.0.1:9;transport=udp", "sip:127.0.0.2:9;transport=udp")
	var servers []*server.Server
	var at []string
	for i, name := range []string{"a", "b"} {
		host := []string{"127.0.0.1:0", "127.0.0.2:0"}[i]
		s, _ := run(t, dir, func(c *server.Config) {
			c.Name, c.State = "server-"+name, filepath.Join(dir, "state-"+name)
			c.NoAuth, c.PeersByAddress, c.PathMTU = true, true, 65535
			c.Listen = []server.Listen{{Transport: "UDP", Addr: netip.MustParseAddrPort(host)}}
		})
		servers, at = append(servers, s), append(at, "sip:"+s.Addr("UDP").String()+";transport=udp")
	}
	put(t, dir, at...)
	d, err := db.Open(t.Context(), filepath.Join(dir, "directory"), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.SetRule(t.Context(), db.Rule{Presentity: "bob@example.com", Match: db.MatchDefault, Handling: db.Allow}); err != nil {
		t.Fatal(err)
	}
	heard := make(chan client.Event, 100)
	alice, err := client.New(client.Config{Name: "alice-pc", User: "alice@example.com", Server: "udp:" + servers[0].Addr("UDP").String(),
		OnEvent: func(e client.Event) { heard <- e }})
	if err != nil {
		t.Fatal(err)
	}
	start(t, alice.Run, func() error { return nil })
	bob := device(t, "bob", "", "udp:"+servers[1].Addr("UDP").String())
	if _, _, err := bob.Publish(timeout(t), status("open", "by address")); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Subscribe(timeout(t), "bob", client.SubscribeOptions{Expires: time.Hour}); err != nil {
		t.Fatal(err)
	}
	await(t, heard, "bob, from the other server", says(">open<", "by address"))

	// From a server's address this would be alice's, whom bob allows.
	if err := d.SetRule(t.Context(), db.Rule{Presentity: "bob@example.com", Match: db.MatchUser, Watcher: "mallory@example.com", Handling: db.Block}); err != nil {
		t.Fatal(err)
	}
	mallory, err := net.Dial("udp", servers[1].Addr("UDP").String())
	if err != nil {
		t.Fatal(err)
	}
	defer mallory.Close()
	fmt.Fprint(mallory, "SUBSCRIBE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bKmallory\r\nMax-Forwards: 70\r\n"+
		"From: <sip:mallory@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: mallory\r\nCSeq: 1 SUBSCRIBE\r\nEvent: presence\r\n"+
		"Contact: <sip:m@", mallory.LocalAddr(), ">\r\nP-Asserted-Identity: <sip:alice@example.com>\r\nExpires: 600\r\nContent-Length: 0\r\n\r\n")
	_ = mallory.SetReadDeadline(time.Now().Add(20 * time.Second))
	answer := make([]byte, 2000)
	n, err := mallory.Read(answer)
	if err != nil || !strings.HasPrefix(string(answer[:n]), "SIP/2.0 403 ") {
		t.Errorf("one who says that she is alice, from no server's address, is answered %q, %v", answer[:n], err)
	}
}
