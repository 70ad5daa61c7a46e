package server_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/server"
	"presfed/db"
	"presfed/db/state"
	"presfed/routing"
)

func ended(reason string) func(client.Event) bool {
	return func(e client.Event) bool { return e.State == "terminated" && e.Reason == reason }
}

// watching is bob registered at server-b, who has published, and alice, who sees it.
func watching(t *testing.T, b *domain) (bob, alice *client.Client, bobHears, aliceHears <-chan client.Event) {
	t.Helper()
	bob, bobHears = b.device("bob", "b")
	if _, _, err := bob.Publish(timeout(t), status("open", "of old")); err != nil {
		t.Fatal(err)
	}
	alice, aliceHears = b.device("alice", "a")
	if _, err := alice.Subscribe(timeout(t), "bob", client.SubscribeOptions{Expires: time.Hour}); err != nil {
		t.Fatal(err)
	}
	await(t, aliceHears, "what bob published", says("of old"))
	return bob, alice, bobHears, aliceHears
}

// nothingOf stops a server and looks for what its state keeps of a user.
func (b *domain) nothingOf(user, at string) {
	b.t.Helper()
	b.stops[at]()
	store, err := state.Open(filepath.Join(b.dir, "state-"+at), state.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer store.Close()
	kept, err := store.Load(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	aor := user + "@example.com"
	for _, p := range kept.Publications {
		if p.Resource == "sip:"+aor {
			b.t.Errorf("server-%s keeps a publication of %s", at, user)
		}
	}
	for _, bound := range kept.Bindings {
		if bound.AOR == aor {
			b.t.Errorf("server-%s keeps a binding of %s: %s", at, user, bound.Contact)
		}
	}
}

// elsewhere runs a test with the change made while server-b runs, and while it
// does not.
func elsewhere(t *testing.T, test func(t *testing.T, b *domain, change func(do func() error), down bool)) {
	for name, down := range map[string]bool{"while it runs": false, "while it is down": true} {
		t.Run(name, func(t *testing.T) {
			b := federated(t)
			test(t, b, func(do func() error) {
				t.Helper()
				if down {
					b.stops["b"]()
				}
				if err := do(); err != nil {
					t.Fatal(err)
				}
				if down {
					b.start("b")
				}
			}, down)
		})
	}
}

// TestAMovedUserIsFoundAnew: her watchers are told to subscribe again, at the server that
// serves her now (RFC 6665 section 4.1.3, deactivated).
func TestAMovedUserIsFoundAnew(t *testing.T) {
	elsewhere(t, func(t *testing.T, b *domain, change func(do func() error), _ bool) {
		_, alice, _, aliceHears := watching(t, b)
		change(func() error {
			return b.directory.Assign(t.Context(), "bob@example.com", routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}})
		})
		await(t, aliceHears, "the end", ended("deactivated"))
		if _, err := alice.Subscribe(timeout(t), "bob", client.SubscribeOptions{Expires: time.Hour}); err != nil {
			t.Fatal(err)
		}
		bob, _ := b.device("bob", "a")
		if _, _, err := bob.Publish(timeout(t), status("open", "of new")); err != nil {
			t.Fatal(err)
		}
		await(t, aliceHears, "what bob published at server-a", says("of new"))
		b.nothingOf("bob", "b")
	})
}

// TestARemovedUserLeavesNothing: no watchers, nothing for the next user of that
// name, and nobody whom she goes on watching.
func TestARemovedUserLeavesNothing(t *testing.T) {
	elsewhere(t, func(t *testing.T, b *domain, change func(do func() error), down bool) {
		bob, _, bobHears, aliceHears := watching(t, b)
		if _, err := bob.Subscribe(timeout(t), "alice", client.SubscribeOptions{Expires: time.Hour}); err != nil {
			t.Fatal(err)
		}
		await(t, bobHears, "alice", func(e client.Event) bool { return e.State == "active" })
		change(func() error { return b.directory.RemoveUser(t.Context(), "bob@example.com") })
		await(t, aliceHears, "the end", ended("noresource"))
		if !down { // else there is no way to his device
			await(t, bobHears, "that he watches nobody", ended("rejected"))
		}
		b.nothingOf("bob", "b")
	})
}

// TestWhoIsPlacedNowhereKeepsHerWatchers: only a place that names others counts.
func TestWhoIsPlacedNowhereKeepsHerWatchers(t *testing.T) {
	b := federated(t)
	_, _, _, aliceHears := watching(t, b)
	if err := b.directory.Unassign(t.Context(), "bob@example.com"); err != nil {
		t.Fatal(err)
	}
	b.rule("bob", db.MatchDefault, "", db.Confirm)
	if e := await(t, aliceHears, "anything", func(e client.Event) bool { return e.Type == "presence" }); e.State != "pending" {
		t.Errorf("%+v", e)
	}
}

// TestAnotherDomainsDirectoryTakesNothing: it knows nobody of ours, and says
// nothing about them.
func TestAnotherDomainsDirectoryTakesNothing(t *testing.T) {
	logs := &journal{}
	b := federatedWith(t, func(c *server.Config) { c.Log = slog.New(slog.NewTextHandler(logs, nil)).With("server", c.Name) })
	_, _, _, aliceHears := watching(t, b)
	path := filepath.Join(b.dir, "directory")
	move := func(from, to string) {
		t.Helper()
		for _, suffix := range []string{"-wal", "-shm", ""} {
			if err := os.Rename(from+suffix, to+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
	}
	other, err := db.Open(t.Context(), filepath.Join(b.dir, "other"), db.Options{Create: true, Domain: db.Domain{Name: "example.net"}})
	if err != nil {
		t.Fatal(err)
	}
	other.Close()
	move(path, path+".aside")
	move(filepath.Join(b.dir, "other"), path)
	for end := time.Now().Add(20 * time.Second); strings.Count(logs.String(), "another domain's") < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the other directory was not found")
		}
	}
	move(path, filepath.Join(b.dir, "other"))
	move(path+".aside", path)
	b.rule("bob", db.MatchDefault, "", db.Confirm)
	if e := await(t, aliceHears, "anything", func(e client.Event) bool { return e.Type == "presence" }); e.State != "pending" {
		t.Errorf("%+v", e)
	}
}
