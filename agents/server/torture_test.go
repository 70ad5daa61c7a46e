package server_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/agents/internal/torture"
	"presfed/agents/internal/wire"
	"presfed/agents/server"
	"presfed/db"
	"presfed/routing"
)

// sender is the URI of a From on a line of its own.
var sender = regexp.MustCompile(`(?im)^((?:from|f)[ \t]*:[^<\r\n]*?<?)[a-z]+:[^>;\s]+`)

// A real server is sent the messages of RFC 4475 and RFC 5118 by both transports, and
// answers an OPTIONS after each: as they are, and, where a stranger is refused, as of
// one of its users, so that what is theirs to test is reached. What a device behind
// it gets is all of what was sent. docs/TORTURE.md has the verdicts.
func TestTorture(t *testing.T) {
	dir := tortured(t)
	torture.Each(t, func(transport string, batch []torture.Case) {
		probe, s, stop := tapped(t, dir)
		for _, c := range batch {
			want := torture.By(transport, c.Server)
			if ours := asOurs(c); string(ours) != string(c.Raw) && strings.HasPrefix(want, "403 to strangers, ") {
				if got := probe.Ask(t, transport, s.Addr(transport), c, "sip:example.com", "403"); got != "403" {
					t.Errorf("%s by %s: %s, want 403 to strangers", c.Name, transport, got)
				}
			} else if got := probe.Ask(t, transport, s.Addr(transport), c, "sip:example.com", want); got != want {
				t.Errorf("%s by %s: %s, want %s", c.Name, transport, got, want)
			}
		}
		stop()
		probe, s, stop = tapped(t, dir)
		beyond := devices(t, s)
		for _, c := range batch {
			want, strange := strings.CutPrefix(torture.By(transport, c.Server), "403 to strangers, ")
			if !strange {
				continue
			}
			c.Raw = asOurs(c)
			got := probe.Ask(t, transport, s.Addr(transport), c, "sip:example.com", want)
			copies := beyond.Seen(wire.In, c.ID(), false)
			if len(copies) > 0 {
				got = "passed on (" + got + ")"
				if err := torture.Carried(c.Raw, copies[0]); err != nil {
					t.Errorf("%s by %s: %v", c.Name, transport, err)
				}
			}
			if got = strings.Replace(strings.Replace(got, " (200)", "", 1), " (486)", "", 1); got != want {
				t.Errorf("%s by %s as of ours: %s, want %s", c.Name, transport, got, want)
			}
			for _, res := range probe.Seen(wire.Out, c.ID(), true) {
				if c.Name == "bext01" && !strings.Contains(res, "Unsupported: noProxiesSupportThis, norDoAnyProxiesSupportThis\r\n") {
					t.Errorf("%s is answered\n%s", c.Name, res)
				}
			}
		}
		stop()
	})
}

// TestDamagedMessages: whatever damage is done to the messages on their way, the
// server is there afterwards.
func TestDamagedMessages(t *testing.T) {
	cases, err := torture.Cases()
	if err != nil {
		t.Fatal(err)
	}
	probe, s, _ := tapped(t, tortured(t))
	devices(t, s)
	r := rand.New(rand.NewPCG(1, 2))
	for _, transport := range []string{"UDP", "TCP"} {
		for range 8 {
			conn, err := net.Dial(strings.ToLower(transport), s.Addr(transport).String())
			if err != nil {
				t.Fatal(err)
			}
			for range 50 {
				c := cases[r.IntN(len(cases))]
				c.Raw = asOurs(c)
				if _, err := conn.Write(torture.Damaged(r, c.Raw, cases[r.IntN(len(cases))].Raw)); err != nil && transport == "UDP" {
					t.Fatal(err) // a stream may have been closed
				}
			}
			conn.Close()
		}
		alive := cases[slices.IndexFunc(cases, func(c torture.Case) bool { return c.Name == "mismatch01" })]
		if got := probe.Ask(t, transport, s.Addr(transport), alive, "sip:example.com", "400"); got != "400" {
			t.Errorf("afterwards by %s: %s", transport, got)
		}
	}
}

// asOurs is a message as of a user of ours; who registers is one.
func asOurs(c torture.Case) []byte {
	if bytes.HasPrefix(c.Raw, []byte("REGISTER ")) {
		return c.Raw
	}
	return sender.ReplaceAll(c.Raw, []byte("${1}sip:caller@example.com"))
}

// TestParametersAreWhereTheyStand: of a Contact without brackets they are its own,
// within brackets they and header fields are the URI's (RFC 4475 sections 3.3.12 to
// 3.3.14). The last one's contact is moved out of the domain.
func TestParametersAreWhereTheyStand(t *testing.T) {
	cases, err := torture.Cases()
	if err != nil {
		t.Fatal(err)
	}
	probe, s, _ := tapped(t, tortured(t))
	for _, c := range cases {
		want := map[string]string{
			"cparam01": "<sip:+19725552222@gw1.example.net>;unknownparam;expires=",
			"cparam02": "<sip:+19725552222@gw1.example.net;unknownparam>;expires=",
			"regescrt": "<sip:user@example.net?Route=%3Csip:sip.example.com%3E>;expires=",
		}[c.Name]
		if want == "" {
			continue
		}
		c.Raw = bytes.Replace(c.Raw, []byte("user@example.com?"), []byte("user@example.net?"), 1)
		c.Raw = bytes.Replace(c.Raw, []byte("z9hG4bK"), []byte("z9hG4bK"+c.Name), 1)
		if got := probe.Ask(t, "TCP", s.Addr("TCP"), c, "sip:example.com", "200"); got != "200" {
			t.Errorf("%s: %s", c.Name, got)
		} else if res := probe.Seen(wire.Out, c.ID(), true)[0]; !strings.Contains(res, "\r\nContact: "+want) {
			t.Errorf("%s is answered\n%s", c.Name, res)
		}
	}
}

// tortured is a directory with the users that the messages name.
func tortured(t *testing.T) (dir string) {
	t.Helper()
	return directoryOf(t, func(ctx context.Context, d *db.DB, must func(error)) {
		must(d.AddServer(ctx, db.Server{Name: "server-a", URI: "sip:servera.example.com;transport=tls"}))
		for _, user := range []string{"user", "UserB", "j.user", "watson", "caller"} {
			aor := user + "@example.com"
			must(d.AddUser(ctx, db.User{AOR: aor}))
			must(d.Assign(ctx, aor, routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}}))
			must(d.SetRule(ctx, db.Rule{Presentity: aor, Match: db.MatchDefault, Handling: db.Allow}))
		}
	})
}

func tapped(t *testing.T, dir string) (*torture.Probe, *server.Server, func()) {
	t.Helper()
	probe := torture.NewProbe()
	s, stop := run(t, dir, func(c *server.Config) {
		c.State, c.NoAuth, c.Tap = filepath.Join(t.TempDir(), "state"), true, probe.Tap
	})
	return probe, s, stop
}

// devices registers a device of user and one of UserB, and shows what they get.
func devices(t *testing.T, s *server.Server) *torture.Probe {
	t.Helper()
	beyond := torture.NewProbe()
	for _, user := range []string{"user", "UserB"} {
		p := &phone{t: t, user: user, transport: "TCP", server: s.Addr("TCP")}
		lo := netip.MustParseAddrPort("127.0.0.1:0")
		var err error
		if p.Endpoint, err = sip.New(sip.Config{Name: user, Bind: lo.Addr(), Handler: answering{}, Tap: beyond.Tap,
			Listen: []sip.Listen{{Transport: "TCP", Addr: lo}}}); err != nil {
			t.Fatal(err)
		}
		start(t, p.Run, func() error { return nil })
		p.register()
	}
	return beyond
}

// answering takes everything but calls.
type answering struct{}

func (answering) ServeRequest(tx *sip.ServerTx) {
	status := 200
	if tx.Request().Method == message.INVITE {
		status = 486
	}
	_ = tx.Respond(message.NewResponse(tx.Request(), status, "", "far"))
}

func (answering) ServeAck(*message.Request, sip.Source)       {}
func (answering) ServeResponse(*message.Response, sip.Source) {}
func (answering) ConnectionClosed(sip.Source)                 {}
