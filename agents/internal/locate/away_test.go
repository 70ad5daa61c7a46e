package locate_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"presfed/agents/internal/locate"
	"presfed/db"
)

// A directory that goes away is survived with what is known, and said once;
// when it is back, what changed meanwhile is found.
func TestAway(t *testing.T) {
	both(t, func(t *testing.T, b *bed) {
		want := ask(t, b, alice, bob)
		before := b.Health()
		aside := b.path + ".aside"
		must(t, os.Rename(b.path, aside))
		b.clock.Advance(1e9)
		for range 3 {
			if err := b.Refresh(t.Context()); !errors.Is(err, db.ErrMissing) {
				t.Fatalf("the file is gone, and Refresh says %v", err)
			}
		}
		same(t, want, ask(t, b, alice, bob))
		h := b.Health()
		if h.Reachable || h.Error == nil || !h.Since.After(before.Since) || h.Revision != before.Revision {
			t.Errorf("health %+v", h)
		}
		if log := b.log.take(); len(log) != 1 || !strings.Contains(log[0], "level=WARN") || !strings.Contains(log[0], "directory unreachable") || !strings.Contains(log[0], b.path) {
			t.Errorf("logged %q, want one line", log)
		}

		must(t, os.Rename(aside, b.path))
		must(t, b.other.SetRule(t.Context(), db.Rule{Presentity: bob, Match: db.MatchDefault, Handling: db.Block}))
		var told []locate.Changed
		defer b.OnChange(func(c locate.Changed) { told = append(told, c) })()
		must(t, b.Refresh(t.Context()))
		same(t, []locate.Changed{{Policy: []string{bob}}}, told)
		if h := b.Health(); !h.Reachable || h.Error != nil {
			t.Errorf("health %+v", h)
		}
		if log := b.log.take(); len(log) != 1 || !strings.Contains(log[0], "level=WARN") || !strings.Contains(log[0], "directory back") {
			t.Errorf("logged %q, want one line", log)
		}
	})
}

// Rubbish in its place is survived as well, and another directory is taken.
func TestReplaced(t *testing.T) {
	both(t, func(t *testing.T, b *bed) {
		want := ask(t, b, alice, bob)
		rubbish := filepath.Join(t.TempDir(), "rubbish")
		must(t, os.WriteFile(rubbish, []byte(strings.Repeat("this is no database\n", 100)), 0o600))
		must(t, os.Rename(rubbish, b.path))
		if err := b.Refresh(t.Context()); !errors.Is(err, db.ErrForeign) {
			t.Errorf("rubbish: %v", err)
		}
		same(t, want, ask(t, b, alice, bob))

		for _, suffix := range []string{"-wal", "-shm"} {
			os.Remove(b.path + suffix)
		}
		elsewhere := filepath.Join(t.TempDir(), "other.db")
		d := fill(t, elsewhere, "example.net")
		must(t, d.Close())
		must(t, os.Rename(elsewhere, b.path))
		var told []locate.Changed
		defer b.OnChange(func(c locate.Changed) { told = append(told, c) })()
		must(t, b.Refresh(t.Context()))
		same(t, []locate.Changed{{All: true}}, told)
		if _, err := b.User(t.Context(), bob); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("bob of the old directory: %v", err)
		}
		if u, err := b.User(t.Context(), "bob@example.net"); err != nil || u.Realm != "example.net" {
			t.Errorf("bob of the new directory: %v, %v", u.Realm, err)
		}
		same(t, 2, len(b.log.take()))
	})
}

// What is not known when the directory is away is not denied.
func TestUnknownWhileAway(t *testing.T) {
	b := newBed(t, "consult")
	ask(t, b, alice)
	d, ok := b.Locator.(*locate.Consult)
	if !ok {
		t.Fatal("no Consult")
	}
	must(t, locate.CloseDB(d))
	if _, err := b.User(t.Context(), alice); err != nil {
		t.Errorf("alice is known: %v", err)
	}
	if _, err := b.User(t.Context(), bob); err == nil || errors.Is(err, db.ErrNotFound) {
		t.Errorf("bob was never asked for: %v", err)
	}
	same(t, 1, len(b.log.take()))
}
