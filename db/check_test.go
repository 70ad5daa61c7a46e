package db_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"presfed/db"
	"presfed/routing"
)

// sound is a directory without a finding.
const sound = `
domain: {name: example.com}
servers:
  - {name: server-a, uri: "sip:127.0.0.11", identity: servera.example.com}
  - {name: server-b, uri: "sip:127.0.0.12", identity: serverb.example.com}
  - {name: server-c, uri: "sip:127.0.0.13:5060;transport=udp", identity: serverc.example.com}
  - {name: server-d, uri: "sip:127.0.0.13:5060;transport=tcp", identity: serverd.example.com, aliases: ["127.0.0.1:5081"]}
users:
  - {user: alice, password: p, servers: [server-a, server-b], model: hierarchical, root: server-a, buddies: [bob, x@example.org]}
  - {user: bob, password: p, servers: [server-b], policy: {users: {alice: allow, x@example.org: block}}}
  - {user: carol, password: p, model: exclusive}
  - {user: dave, password: p, servers: [server-a, server-b], model: peer}
`

func TestCheck(t *testing.T) {
	alice, bob := "alice@example.com", "bob@example.com"
	on := func(m routing.Model, root string, servers ...string) routing.Place {
		return routing.Place{Model: m, Servers: servers, Root: root}
	}
	for _, tt := range []struct {
		name   string
		spoil  func(*db.Tx) error
		rule   string
		what   string
		change string
	}{
		{"nothing", func(*db.Tx) error { return nil }, "", "", ""},
		{"unplaced", func(x *db.Tx) error { return x.Unassign(alice) }, "user-unplaced",
			"alice@example.com is served by no server", "assign alice@example.com server-a --model partitioned"},
		{"unplaced union", func(x *db.Tx) error { return x.Assign(alice, on(routing.Hierarchical, "server-a")) }, "user-unplaced",
			"alice@example.com is served by no server", "assign alice@example.com server-a --model hierarchical --root server-a"},
		{"rootless", func(x *db.Tx) error { return x.Assign(alice, on(routing.Hierarchical, "", "server-b", "server-a")) }, "user-rootless",
			"has no root", "assign alice@example.com server-b server-a --model hierarchical --root server-b"},
		{"foreign root", func(x *db.Tx) error {
			return x.Assign(alice, on(routing.Hierarchical, "server-c", "server-a", "server-b"))
		}, "user-root",
			"the root of alice@example.com is server-c, which does not serve", "assign alice@example.com server-a server-b --model hierarchical --root server-a"},
		{"two partitions", func(x *db.Tx) error { return x.Assign(bob, on(routing.Partitioned, "", "server-a", "server-b")) }, "user-servers",
			"partitioned, which allows one server, and is placed on server-a, server-b", "assign bob@example.com server-a --model partitioned"},
		{"two exclusive", func(x *db.Tx) error { return x.Assign(bob, on(routing.Exclusive, "", "server-a", "server-b")) }, "user-servers",
			"exclusive, which allows one", "assign bob@example.com server-a --model exclusive"},
		{"one address", func(x *db.Tx) error {
			return x.SetServer(db.Server{Name: "server-b", URI: "sip:127.0.0.11:5061;transport=tls", Identity: "serverb.example.com"})
		}, "server-address", "server-a and server-b have one address, 127.0.0.11:5061", "server set server-b --uri 'sip:HOST:PORT;transport=tls'"},
		{"TCP against TLS", func(x *db.Tx) error {
			return x.SetServer(db.Server{Name: "server-b", URI: "sip:127.0.0.11:5061;transport=tcp", Identity: "serverb.example.com"})
		}, "server-address", "one address", "server set server-b --uri 'sip:HOST:PORT;transport=tcp'"},
		{"one identity", func(x *db.Tx) error {
			return x.SetServer(db.Server{Name: "server-b", URI: "sip:127.0.0.12", Identity: "SERVERA.example.com"})
		}, "server-identity", "server-a and server-b have one identity, servera.example.com", "server set server-b --identity HOST"},
		{"the domain's certificate", func(x *db.Tx) error {
			return x.SetServer(db.Server{Name: "server-b", URI: "sip:127.0.0.12", Identity: "example.com"})
		}, "server-domain", "has the domain example.com for its identity", "server set server-b --identity HOST"},
		{"another's name", func(x *db.Tx) error {
			return x.SetServer(db.Server{Name: "server-b", URI: "sip:127.0.0.12", Identity: "serverb.example.com", Aliases: []string{"serverA.example.com"}})
		}, "server-alias", "identity of server-a", "server set server-b --remove-alias servera.example.com"},
		{"one alias", func(x *db.Tx) error {
			return x.SetServer(db.Server{Name: "server-a", URI: "sip:127.0.0.11", Identity: "servera.example.com", Aliases: []string{"127.0.0.1:5081"}})
		}, "server-alias", "server-a and server-d both count 127.0.0.1:5081", "server set server-d --remove-alias 127.0.0.1:5081"},
		{"the domain for an alias", func(x *db.Tx) error {
			return x.SetServer(db.Server{Name: "server-a", URI: "sip:127.0.0.11", Identity: "servera.example.com", Aliases: []string{"example.com"}})
		}, "server-alias", "counts the domain", "server set server-a --remove-alias example.com"},
		{"the domain for a host", func(x *db.Tx) error {
			return x.SetServer(db.Server{Name: "server-a", URI: "sip:example.com", Identity: "servera.example.com"})
		}, "server-domain", "under the domain's name", "server set server-a --uri 'sip:servera.example.com:5061;transport=tls'"},
		{"an unknown buddy", func(x *db.Tx) error { return x.AddBuddy(bob, "al;ice", -1) }, "buddy",
			"al;ice@example.com, whom the directory does not know", "buddy remove bob@example.com 'al;ice@example.com'"},
		{"an unknown watcher", func(x *db.Tx) error {
			return x.SetRule(db.Rule{Presentity: bob, Match: db.MatchUser, Watcher: "eve", Handling: db.Block})
		}, "policy-watcher", "is about eve@example.com", "policy remove bob@example.com eve@example.com"},
		{"a new realm", func(x *db.Tx) error {
			if err := x.SetPassword(bob, "p"); err != nil {
				return err
			}
			u, err := x.User(t.Context(), bob)
			u.Realm = "old"
			if err != nil {
				return err
			}
			return x.SetUser(u)
		}, "user-realm", `bound to the realm "old"`, "user set bob@example.com --password-file FILE"},
		{"no password", func(x *db.Tx) error { return x.SetUser(db.User{AOR: bob}) }, "user-password",
			"has no password", "user set bob@example.com --password-file FILE"},
	} {
		t.Run(strings.ReplaceAll(tt.name, " ", "-"), func(t *testing.T) {
			d := create(t, filepath.Join(t.TempDir(), "directory.db"))
			_, err := d.Import(t.Context(), []byte(sound), db.ImportOptions{})
			must(t, err)
			must(t, d.Update(t.Context(), tt.spoil))
			found := get(t, d.Check)
			if tt.rule == "" {
				if len(found) > 0 {
					t.Errorf("found %v in what is sound", found)
				}
				return
			}
			if len(found) != 1 {
				t.Fatalf("found %q, want one", found)
			}
			f := found[0]
			if f.Rule != tt.rule || !strings.Contains(f.What, tt.what) || f.Change != "presfed directory "+tt.change || f.Subject == "" {
				t.Errorf("found %+v", f)
			}
			if warning := tt.rule == "user-password" || tt.name == "the domain for a host"; (f.Level == db.Suspect) != warning {
				t.Errorf("it is a %s", f.Level)
			}
		})
	}
}

func TestCheckEmpty(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "directory.db"))
	found := get(t, d.Check)
	if len(found) != 1 || found[0].Rule != "no-server" || found[0].Change != "presfed directory server add NAME sip:HOST" {
		t.Errorf("found %+v", found)
	}
}

// The schema itself refuses what no program of any version may write.
func TestConstraints(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.db")
	d := create(t, path)
	_, err := d.Import(t.Context(), []byte(sound), db.ImportOptions{})
	must(t, err)
	raw, err := sql.Open("sqlite3", "file:"+path+"?_foreign_keys=1&_busy_timeout=5000")
	must(t, err)
	defer raw.Close()
	for _, q := range []string{
		"UPDATE revision SET rev = 0",
		"INSERT INTO domain VALUES (2, 'b.example', 'b', 'root', 'allow')",
		"UPDATE domain SET handling = 'deny'",
		"UPDATE domain SET policy_mode = 'none'",
		"UPDATE server SET transport = 'sctp'",
		"DELETE FROM server WHERE name = 'server-b'",
		"INSERT INTO server VALUES ('server-a', 'sip:x', 'tls', 'x')",
		"INSERT INTO account VALUES ('alice', '', '')",
		"INSERT INTO credential VALUES ('nobody@example.com', 'MD5', '0123456789abcdef0123456789abcdef')",
		"UPDATE credential SET algorithm = 'SHA-1' WHERE algorithm = 'MD5'",
		"UPDATE credential SET ha1 = 'x'",
		"UPDATE placement SET model = 'shared'",
		"UPDATE placement SET root = 'server-z'",
		"INSERT INTO placement_server VALUES ('bob@example.com', 'server-z', 1)",
		"UPDATE rule SET handling = 'deny'",
		"UPDATE rule SET match = 'default'",
		"INSERT INTO rule VALUES ('nobody@example.com', 'default', '', 'allow')",
		"INSERT INTO buddy VALUES ('nobody@example.com', 0, 'x@example.com')",
	} {
		if _, err := raw.Exec(q); err == nil {
			t.Errorf("the schema takes %q", q)
		}
	}
	if _, err := raw.Exec("DELETE FROM account WHERE aor = 'alice@example.com'"); err != nil {
		t.Errorf("a user cannot go: %v", err)
	}
	for _, table := range []string{"credential", "placement", "placement_server"} {
		var n int
		must(t, raw.QueryRow("SELECT count(*) FROM "+table+" WHERE aor = 'alice@example.com'").Scan(&n))
		if n != 0 {
			t.Errorf("%d rows of hers stay in %s", n, table)
		}
	}
}
