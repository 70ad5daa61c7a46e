package db_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"presfed/db"
	"presfed/routing"
)

const example = `# two servers, three users
domain:
  name: example.com
  default: block
servers:
  - name: server-a
    uri: sip:127.0.0.11;transport=tls
    identity: serverA.example.com
  - {name: server-b, uri: "sips:serverb.example.com", aliases: [127.0.0.12]}
users:
  - user: alice
    display: Alice
    password: secret
    servers: [server-b, server-a]
    model: hierarchical
    root: server-a
    buddies: [bob, carol@example.org]
  - user: bob@example.com
    ha1: {MD5: "%s"}
    servers: [server-b]
    policy:
      users: {alice: allow}
      domains: {Example.org: polite-block}
      default: confirm
  - user: calendar
`

func exported(t testing.TB, d *db.DB) string {
	t.Helper()
	var b bytes.Buffer
	must(t, d.Export(t.Context(), &b))
	return b.String()
}

func TestImport(t *testing.T) {
	ctx := t.Context()
	d := create(t, filepath.Join(t.TempDir(), "directory.db"))
	md5 := db.HA1(db.MD5, "bob", "example.com", "hunter2")
	n, err := d.Import(ctx, []byte(fmt.Sprintf(example, md5)), db.ImportOptions{})
	must(t, err)
	same(t, db.Imported{Servers: 2, Users: 3}, n)

	same(t, db.Domain{Name: "example.com", Realm: "example.com", PolicyMode: db.RootPolicy, Default: db.Block}, get(t, d.Domain))
	same(t, []db.User{
		{AOR: "alice@example.com", Display: "Alice", Realm: "example.com", HA1: db.HA1s("alice@example.com", "example.com", "secret")},
		{AOR: "bob@example.com", Realm: "example.com", HA1: map[db.Algorithm]string{db.MD5: md5}},
		{AOR: "calendar@example.com", Realm: "example.com"},
	}, get(t, d.Users))
	same(t, []db.Placement{
		{AOR: "alice@example.com", Place: routing.Place{Model: routing.Hierarchical, Servers: []string{"server-b", "server-a"}, Root: "server-a"}},
		{AOR: "bob@example.com", Place: routing.Place{Model: routing.Partitioned, Servers: []string{"server-b"}}},
	}, get(t, d.Places))
	bob := "bob@example.com"
	same(t, []db.Rule{{bob, db.MatchUser, "alice@example.com", db.Allow}, {bob, db.MatchDomain, "example.org", db.PoliteBlock}, {bob, db.MatchDefault, "", db.Confirm}}, get(t, d.Policies))
	same(t, []db.BuddyList{{Owner: "alice@example.com", Buddies: []string{bob, "carol@example.org"}}}, get(t, d.BuddyLists))

	// What comes out goes in again.
	text := exported(t, d)
	if strings.Contains(text, "secret") {
		t.Error("a password was exported")
	}
	again := create(t, filepath.Join(t.TempDir(), "again.db"))
	_, err = again.Import(ctx, []byte(text), db.ImportOptions{})
	must(t, err)
	same(t, text, exported(t, again))

	// A second file changes what it names and leaves the rest.
	_, err = again.Import(ctx, []byte("users: [{user: bob, display: Bob, buddies: []}, {user: dave}]"), db.ImportOptions{})
	must(t, err)
	want := strings.Replace(text, "- user: bob@example.com\n", "- user: bob@example.com\n    display: Bob\n", 1) + "  - user: dave@example.com\n"
	same(t, want, exported(t, again))

	before := get(t, again.Revision)
	_, err = again.Import(ctx, []byte("domain: {name: example.net}\nusers: [{user: dave}]"), db.ImportOptions{Replace: true})
	must(t, err)
	if u := get(t, again.Users); len(u) != 1 || u[0].AOR != "dave@example.net" || len(get(t, again.Servers)) != 0 {
		t.Errorf("replaced by %v", u)
	}
	changes, err := again.Changes(ctx, before.Number)
	must(t, err)
	for _, c := range []db.Change{{Kind: db.KindDomain}, {db.KindServer, "server-a"}, {db.KindUser, bob}, {db.KindPolicy, bob}, {db.KindUser, "dave@example.net"}} {
		found := false
		for _, got := range changes {
			found = found || got == c
		}
		if !found {
			t.Errorf("nobody is told of %v", c)
		}
	}
}

func TestImportErrors(t *testing.T) {
	d := fresh(t)
	must(t, d.AddUser(t.Context(), db.User{AOR: "zoe"}))
	before := exported(t, d)
	rev := get(t, d.Revision)
	for _, tt := range []struct {
		name, text string
		line       int
		words      []string
	}{
		{"empty", "", 0, []string{"empty"}},
		{"comment", "# nothing\n", 0, []string{"empty"}},
		{"two", "users: []\n---\nusers: []\n", 3, []string{"second document"}},
		{"syntax", "users:\n  - user: a\n   display: b\n", 3, nil},
		{"list", "- user: alice\n", 1, nil},
		{"unknown field", "users:\n  - user: alice\n    nick: al\n", 3, []string{"nick"}},
		{"wrong type", "users:\n  - user: alice\n    buddies: {a: b}\n", 3, nil},
		{"twice", "users: []\nservers: []\nusers: []\n", 3, []string{"users"}},
		{"format", "presfed-directory: 7\n", 1, []string{"7", "want 1"}},
		{"user twice", "users:\n  - user: alice\n  - user: bob\n  - user: alice@example.com\n", 4, []string{"alice@example.com", "already"}},
		{"server twice", "servers:\n  - {name: x, uri: 'sip:x.example.com'}\n  - {name: x, uri: 'sip:y.example.com'}\n", 3, []string{`"x"`, "already"}},
		{"address", "users:\n  - user: al ice\n", 2, []string{"al ice", "example.com"}},
		{"foreign user", "users:\n  - user: alice@example.org\n", 2, []string{"alice@example.org", "example.com"}},
		{"no name", "users:\n  - display: Alice\n", 2, []string{"want a user"}},
		{"server", "users:\n  - user: alice\n    servers: [server-c]\n", 3, []string{"server-c"}},
		{"model", "users:\n  - user: alice\n    servers: [server-a]\n    model: shared\n", 4, []string{"shared", "partitioned"}},
		{"no model", "users:\n  - user: alice\n    servers: [server-a, server-b]\n", 2, []string{"partitioned, exclusive"}},
		{"root", "users:\n  - user: alice\n    root: server-a\n", 3, []string{"server-a", "hierarchical"}},
		{"root of peers", "users:\n  - user: alice\n    servers: [server-a]\n    model: peer\n    root: server-a\n", 3, []string{"peer"}},
		{"same server twice", "users:\n  - user: alice\n    model: peer\n    servers: [server-a, server-a]\n", 4, []string{"once"}},
		{"handling", "users:\n  - user: alice\n    policy:\n      users:\n        bob: allow\n        eve: deny\n", 6, []string{"deny", "polite-block"}},
		{"default", "users:\n  - user: alice\n    policy:\n      default: no\n", 4, []string{`"no"`, "confirm"}},
		{"watcher", "users:\n  - user: alice\n    policy:\n      domains:\n        'bob@example.com': allow\n", 5, []string{"host name"}},
		{"buddy", "users:\n  - user: alice\n    buddies:\n      - bob\n      - bob@example.com\n", 4, []string{"bob@example.com"}},
		{"both", "users:\n  - user: alice\n    password: a-secret\n    ha1: {MD5: x}\n", 3, []string{"not both"}},
		{"no password", "users:\n  - user: alice\n    password: ''\n", 3, []string{"password"}},
		{"hash", "users:\n  - user: alice\n    ha1:\n      SHA-256: abc\n", 4, []string{"64 digits"}},
		{"algorithm", "users:\n  - user: alice\n    ha1:\n      SHA-1: abc\n", 4, []string{"SHA-1"}},
		{"uri", "servers:\n  - name: x\n    uri: http://x\n", 2, []string{"http://x", "sip:host"}},
		{"transport", "servers:\n  - {name: x, uri: 'sip:x.example.com;transport=tcp', transport: tls}\n", 2, []string{"tcp"}},
		{"identity", "servers:\n  - {name: x, uri: 'sip:10.0.0.1'}\n", 2, []string{"identity", "10.0.0.1"}},
		{"domain", "domain:\n  name: example.org\n", 2, []string{"zoe@example.com"}},
		{"mode", "domain:\n  name: example.com\n  policy-mode: chaos\n", 2, []string{"chaos"}},
	} {
		t.Run(strings.ReplaceAll(tt.name, " ", "-"), func(t *testing.T) {
			_, err := d.Import(t.Context(), []byte(tt.text), db.ImportOptions{})
			var bad *db.ImportError
			if !errors.As(err, &bad) {
				t.Fatalf("taken, or %v", err)
			}
			if bad.Line != tt.line {
				t.Errorf("line %d, want %d: %v", bad.Line, tt.line, err)
			}
			for _, w := range tt.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "a-secret") {
				t.Errorf("%q shows a password", err)
			}
		})
	}
	same(t, before, exported(t, d))
	same(t, rev, get(t, d.Revision))
}

// Ten thousand users take about two seconds; this guards the order of
// magnitude with a fifth of them.
func TestImportIsQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	var b strings.Builder
	b.WriteString("servers:\n  - {name: server-a, uri: 'sip:servera.example.com'}\nusers:\n")
	for i := range 2_000 {
		fmt.Fprintf(&b, "  - user: u%d\n    display: User %d\n    password: secret%d\n    servers: [server-a]\n    policy:\n      users: {u%d: allow}\n    buddies: [u%d]\n", i, i, i, i/2, i/2)
	}
	d := create(t, filepath.Join(t.TempDir(), "directory.db"))
	begin := time.Now()
	_, err := d.Import(t.Context(), []byte(b.String()), db.ImportOptions{})
	must(t, err)
	took := time.Since(begin)
	t.Logf("imported in %v", took)
	if took > time.Minute { // ten times what a few seconds for 10,000 allow, and more under the race detector
		t.Errorf("took %v", took)
	}
	begin = time.Now()
	text := exported(t, d)
	t.Logf("exported %d bytes in %v", len(text), time.Since(begin))
}
