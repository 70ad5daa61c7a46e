package db_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"presfed/db"
	"presfed/routing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fresh makes a directory for example.com with the bed's two servers.
func fresh(t testing.TB) *db.DB {
	t.Helper()
	d := create(t, filepath.Join(t.TempDir(), "directory.db"))
	for _, s := range []db.Server{
		{Name: "server-a", URI: "sip:127.0.0.11;transport=tls", Identity: "serverA.example.com"},
		{Name: "server-b", URI: "sips:serverB.example.com:5071", Aliases: []string{"127.0.0.12"}},
	} {
		must(t, d.AddServer(t.Context(), s))
	}
	return d
}

func create(t testing.TB, path string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), path, db.Options{Create: true, Domain: db.Domain{Name: "example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func reopen(t testing.TB, path string, o db.Options) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get unwraps a reading method's answer.
func get[T any](t testing.TB, read func(context.Context) (T, error)) T {
	t.Helper()
	v, err := read(t.Context())
	must(t, err)
	return v
}

func same(t testing.TB, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestServers(t *testing.T) {
	d := fresh(t)
	a := db.Server{Name: "server-a", URI: "sip:127.0.0.11;transport=tls", Transport: "tls", Identity: "servera.example.com"}
	b := db.Server{Name: "server-b", URI: "sip:serverb.example.com:5071;transport=tls", Transport: "tls",
		Identity: "serverb.example.com", Aliases: []string{"127.0.0.12"}}
	same(t, []db.Server{a, b}, get(t, d.Servers))

	b.Aliases = []string{"10.0.0.2:5061", "[2001:db8::1]:5061"}
	must(t, d.SetServer(t.Context(), b))
	got, err := d.Server(t.Context(), "server-b")
	must(t, err)
	same(t, b, got)
	same(t, routing.Server{Name: "server-b", Identity: "serverb.example.com",
		Hosts: []string{"serverb.example.com:5071", "10.0.0.2:5061", "[2001:db8::1]:5061"}}, b.Routing())
	if host, port := a.HostPort(); host != "127.0.0.11" || port != 5061 {
		t.Errorf("server-a listens at %s:%d", host, port)
	}
	must(t, d.RemoveServer(t.Context(), "server-b"))
	same(t, []db.Server{a}, get(t, d.Servers))
}

func TestUserLife(t *testing.T) {
	ctx := t.Context()
	d := fresh(t)
	must(t, d.AddUser(ctx, db.User{AOR: "sip:alice@EXAMPLE.com", Display: "Alice"}))
	must(t, d.AddUser(ctx, db.User{AOR: "bob", Display: "Bob", HA1: db.HA1s("bob@example.com", "example.com", "hunter2")}))
	must(t, d.SetPassword(ctx, "alice@example.com", "secret"))
	want := []db.User{
		// Reckoned with md5sum, sha256sum and openssl dgst -sha512-256.
		{AOR: "alice@example.com", Display: "Alice", Realm: "example.com", HA1: map[db.Algorithm]string{
			db.MD5:       "b1726872c344b6dc8365b774f8fd6412",
			db.SHA256:    "ed8925b20f9a77b8f8f8d5f8e4467fe32b866f7208ab9e4b20595e9821a0fdee",
			db.SHA512256: "9e413627514b03d0753229d450617d94a9b2a2a635222e49bad90404c29e97ad",
		}},
	}
	got := get(t, d.Users)
	same(t, want[0], got[0])
	same(t, "bob@example.com", got[1].AOR)

	union := routing.Place{Model: routing.Hierarchical, Servers: []string{"server-b", "server-a"}, Root: "server-a"}
	must(t, d.Assign(ctx, "alice@example.com", union))
	must(t, d.Assign(ctx, "bob@example.com", routing.Place{Model: routing.Partitioned, Servers: []string{"server-b"}}))
	p, err := d.Place(ctx, "alice@example.com")
	must(t, err)
	same(t, union, p)
	must(t, d.Move(ctx, "bob@example.com", "", "server-a"))
	same(t, []db.Placement{{AOR: "alice@example.com", Place: union},
		{AOR: "bob@example.com", Place: routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}}}}, get(t, d.Places))
	must(t, d.Unassign(ctx, "bob@example.com"))
	p, err = d.Place(ctx, "bob@example.com")
	must(t, err)
	same(t, routing.Place{}, p)

	rules := []db.Rule{
		{Presentity: "bob@example.com", Match: db.MatchUser, Watcher: "alice@example.com", Handling: db.Allow},
		{Presentity: "bob@example.com", Match: db.MatchDomain, Watcher: "example.org", Handling: db.PoliteBlock},
		{Presentity: "bob@example.com", Match: db.MatchDefault, Handling: db.Block},
	}
	for _, r := range []db.Rule{rules[2], rules[1], {Presentity: "bob@example.com", Match: db.MatchUser, Watcher: "alice", Handling: db.Confirm}, rules[0]} {
		must(t, d.SetRule(ctx, r))
	}
	got2, err := d.Policy(ctx, "bob@example.com")
	must(t, err)
	same(t, rules, got2)
	must(t, d.RemoveRule(ctx, db.Rule{Presentity: "bob@example.com", Match: db.MatchDomain, Watcher: "@Example.org"}))
	same(t, []db.Rule{rules[0], rules[2]}, get(t, d.Policies))

	must(t, d.SetBuddies(ctx, "alice@example.com", []string{"bob", "sip:carol@Example.org"}))
	must(t, d.AddBuddy(ctx, "alice@example.com", "dave", 1))
	must(t, d.RemoveBuddy(ctx, "alice@example.com", "bob"))
	same(t, []db.BuddyList{{Owner: "alice@example.com", Buddies: []string{"dave@example.com", "carol@example.org"}}}, get(t, d.BuddyLists))

	must(t, d.RemoveUser(ctx, "bob@example.com"))
	if _, err := d.User(ctx, "bob@example.com"); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("bob is still there: %v", err)
	}
	same(t, []db.Rule(nil), get(t, d.Policies))
}

func TestRevisionFollowsEveryChange(t *testing.T) {
	ctx := t.Context()
	d := fresh(t)
	alice := "alice@example.com"
	place := routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}}
	steps := []struct {
		name   string
		change func(*db.Tx) error
		want   []db.Change
	}{
		{"domain", func(x *db.Tx) error { return x.SetDomain(db.Domain{Name: "example.com", Default: db.Allow}) }, []db.Change{{Kind: db.KindDomain}}},
		{"server", func(x *db.Tx) error { return x.SetServer(db.Server{Name: "server-a", URI: "sip:a.example.com"}) }, []db.Change{{db.KindServer, "server-a"}}},
		{"user", func(x *db.Tx) error { return x.AddUser(db.User{AOR: alice}) }, []db.Change{{db.KindUser, alice}}},
		{"password", func(x *db.Tx) error { return x.SetPassword(alice, "p") }, []db.Change{{db.KindUser, alice}}},
		{"place", func(x *db.Tx) error { return x.Assign(alice, place) }, []db.Change{{db.KindPlace, alice}}},
		{"move", func(x *db.Tx) error { return x.Move(alice, "server-a", "server-b") }, []db.Change{{db.KindPlace, alice}}},
		{"rule", func(x *db.Tx) error {
			return x.SetRule(db.Rule{Presentity: alice, Match: db.MatchDefault, Handling: db.Allow})
		}, []db.Change{{db.KindPolicy, alice}}},
		{"no rule", func(x *db.Tx) error { return x.RemoveRule(db.Rule{Presentity: alice, Match: db.MatchDefault}) }, []db.Change{{db.KindPolicy, alice}}},
		{"buddies", func(x *db.Tx) error { return x.AddBuddy(alice, "bob", -1) }, []db.Change{{db.KindBuddies, alice}}},
		{"removal", func(x *db.Tx) error { return x.RemoveUser(alice) },
			[]db.Change{{db.KindBuddies, alice}, {db.KindPlace, alice}, {db.KindPolicy, alice}, {db.KindUser, alice}}},
		{"nothing", func(*db.Tx) error { return nil }, nil},
		{"several", func(x *db.Tx) error {
			return errors.Join(x.AddUser(db.User{AOR: alice}), x.Assign(alice, place))
		}, []db.Change{{db.KindPlace, alice}, {db.KindUser, alice}}},
	}
	for _, step := range steps {
		before := get(t, d.Revision)
		must(t, d.Update(ctx, step.change))
		after := get(t, d.Revision)
		if want := before.Number + int64(min(1, len(step.want))); after.Number != want || after.Instance != before.Instance {
			t.Errorf("%s: revision went from %v to %v", step.name, before, after)
		}
		got, err := d.Changes(ctx, before.Number)
		must(t, err)
		same(t, step.want, got)
	}

	// What fails changes nothing, the revision included.
	before := get(t, d.Revision)
	boom := errors.New("boom")
	err := d.Update(ctx, func(x *db.Tx) error {
		must(t, x.RemoveUser(alice))
		return boom
	})
	if after := get(t, d.Revision); !errors.Is(err, boom) || after != before {
		t.Errorf("error %v, revision %v, was %v", err, after, before)
	}
	if _, err := d.User(ctx, alice); err != nil {
		t.Errorf("alice went with a change that failed: %v", err)
	}
}
