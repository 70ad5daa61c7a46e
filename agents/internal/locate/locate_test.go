package locate_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/locate"
	"presfed/db"
	"presfed/routing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	alice = "alice@example.com"
	bob   = "bob@example.com"
)

// bed is a directory, as another process holds it, with a Locator on it.
type bed struct {
	path  string
	other *db.DB
	locate.Locator
	clock *clock.Manual
	log   *lines
}

// lines collects what is logged.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, strings.TrimSpace(string(p)))
	return len(p), nil
}

func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.all
	l.all = nil
	return out
}

// both runs a test in both modes.
func both(t *testing.T, test func(t *testing.T, b *bed)) {
	for _, mode := range []string{"consult", "synchronised"} {
		t.Run(mode, func(t *testing.T) { test(t, newBed(t, mode)) })
	}
}

func newBed(t testing.TB, mode string) *bed {
	t.Helper()
	b := &bed{path: filepath.Join(t.TempDir(), "directory.db"), clock: clock.NewManual(time.Unix(1e9, 0)), log: &lines{}}
	b.other = fill(t, b.path, "example.com")
	mine, err := db.Open(t.Context(), b.path, db.Options{})
	must(t, err)
	t.Cleanup(func() { mine.Close() })
	cfg := locate.Config{DB: mine, Clock: b.clock, Log: slog.New(slog.NewTextHandler(b.log, nil))}
	if mode == "consult" {
		b.Locator, err = locate.NewConsult(t.Context(), cfg)
	} else {
		b.Locator, err = locate.NewSynchronised(t.Context(), cfg)
	}
	must(t, err)
	return b
}

// fill makes a directory with alice on both servers and bob on server-b.
func fill(t testing.TB, path, domain string) *db.DB {
	t.Helper()
	ctx := t.Context()
	d, err := db.Open(ctx, path, db.Options{Create: true, Domain: db.Domain{Name: domain, Default: db.Confirm}})
	must(t, err)
	t.Cleanup(func() { d.Close() })
	must(t, d.Update(ctx, func(x *db.Tx) error {
		return errors.Join(
			x.AddServer(db.Server{Name: "server-a", URI: "sip:127.0.0.11:5061", Identity: "serverA.example.com"}),
			x.AddServer(db.Server{Name: "server-b", URI: "sip:127.0.0.12:5061", Identity: "serverB.example.com"}),
			x.AddUser(db.User{AOR: "alice", Display: "Alice"}),
			x.AddUser(db.User{AOR: "bob", HA1: db.HA1s(bob, "example.com", "hunter2")}),
		)
	}))
	if domain == "example.com" {
		must(t, d.Update(ctx, func(x *db.Tx) error {
			return errors.Join(
				x.Assign(alice, routing.Place{Model: routing.Peer, Servers: []string{"server-b", "server-a"}}),
				x.Assign(bob, routing.Place{Model: routing.Partitioned, Servers: []string{"server-b"}}),
				x.SetRule(db.Rule{Presentity: bob, Match: db.MatchUser, Watcher: alice, Handling: db.Allow}),
				x.SetBuddies(alice, []string{bob, "carol@example.org"}),
			)
		}))
	}
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t testing.TB, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// all is every answer there is, in one value.
type all struct {
	Domain  db.Domain
	Servers []db.Server
	Users   map[string]user
}

type user struct {
	User    db.User
	Place   routing.Place
	Rules   []db.Rule
	Buddies []string
}

type asked interface {
	Domain(context.Context) (db.Domain, error)
	Servers(context.Context) ([]db.Server, error)
	User(context.Context, string) (db.User, error)
	Place(context.Context, string) (routing.Place, error)
	Policy(context.Context, string) ([]db.Rule, error)
	Buddies(context.Context, string) ([]string, error)
}

// ask puts every question; the directory itself answers them too.
func ask(t testing.TB, l asked, users ...string) all {
	t.Helper()
	ctx := t.Context()
	a := all{Users: map[string]user{}}
	var err error
	a.Domain, err = l.Domain(ctx)
	must(t, err)
	a.Servers, err = l.Servers(ctx)
	must(t, err)
	for _, aor := range users {
		u := user{}
		if u.User, err = l.User(ctx, aor); err != nil && !errors.Is(err, db.ErrNotFound) {
			t.Fatal(err)
		}
		u.Place, err = l.Place(ctx, aor)
		must(t, err)
		u.Rules, err = l.Policy(ctx, aor)
		must(t, err)
		u.Buddies, err = l.Buddies(ctx, aor)
		must(t, err)
		a.Users[aor] = u
	}
	return a
}

func TestAnswers(t *testing.T) {
	both(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		a, err := b.Server(ctx, "server-a")
		must(t, err)
		same(t, "servera.example.com", a.Identity)
		if _, err := b.Server(ctx, "server-c"); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("server-c: %v", err)
		}
		u, err := b.User(ctx, bob)
		must(t, err)
		same(t, db.HA1(db.SHA256, "bob", "example.com", "hunter2"), u.HA1[db.SHA256])
		if _, err := b.User(ctx, "mallory@example.com"); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("mallory: %v", err)
		}
		same(t, ask(t, b.other, alice, bob, "mallory@example.com"), ask(t, b, alice, bob, "mallory@example.com"))

		targets, err := locate.Route(ctx, b, locate.Question{Self: "server-a", Host: "example.com", User: bob, Method: "SUBSCRIBE"})
		must(t, err)
		if len(targets) != 1 || targets[0].Server != "server-b" || targets[0].Host != "serverb.example.com" {
			t.Errorf("bob's targets: %v", targets)
		}
		var refusal *routing.Refusal
		if _, err := locate.Route(ctx, b, locate.Question{Self: "server-a", Host: "example.net", User: bob, Method: "INVITE"}); !errors.As(err, &refusal) {
			t.Errorf("another domain: %v", err)
		}
		rules, fallback, ok, err := locate.Rules(b)(ctx, bob)
		if err != nil || !ok || fallback != db.Confirm || len(rules) != 1 {
			t.Errorf("bob's policy: %v, %v, %v, %v", rules, fallback, ok, err)
		}
		if _, _, ok, err = locate.Rules(b)(ctx, "mallory@example.com"); ok || err != nil {
			t.Errorf("mallory's policy: %v, %v", ok, err)
		}
	})
}

func TestServerByIdentity(t *testing.T) {
	both(t, func(t *testing.T, b *bed) {
		for _, tt := range []struct {
			names []string
			want  string
		}{
			{[]string{"serverB.example.com"}, "server-b"},
			{[]string{"other.example.org", "SERVERA.example.com."}, "server-a"},
			{[]string{"servera.example.com", "serverA.example.com"}, "server-a"},
			{[]string{"servera.example.com", "serverb.example.com"}, ""},
			{[]string{"example.com"}, ""},
			{[]string{"127.0.0.11"}, ""},
			{nil, ""},
		} {
			s, err := b.ServerByIdentity(t.Context(), tt.names)
			if s.Name != tt.want || (err != nil) != (tt.want == "") {
				t.Errorf("%v is %q, %v, want %q", tt.names, s.Name, err, tt.want)
			}
		}
		must(t, b.other.AddServer(t.Context(), db.Server{Name: "twin", URI: "sip:10.0.0.9", Identity: "servera.example.com"}))
		must(t, b.Refresh(t.Context()))
		if s, err := b.ServerByIdentity(t.Context(), []string{"servera.example.com"}); err == nil {
			t.Errorf("an identity of two servers is %s", s)
		}
	})
}
