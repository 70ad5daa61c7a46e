package locate_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"strings"
	"testing"

	"presfed/agents/internal/locate"
	"presfed/agents/internal/message"
	"presfed/db"
)

// damage overwrites the directory where it lies, all but its first page; mend
// puts back what was there.
func damage(t *testing.T, b *bed) (mend func()) {
	t.Helper()
	raw, err := sql.Open("sqlite3", b.path)
	must(t, err)
	_, err = raw.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)")
	must(t, errors.Join(err, raw.Close()))
	good, err := os.ReadFile(b.path)
	must(t, err)
	bad := append(bytes.Clone(good[:4096]), bytes.Repeat([]byte{0xff}, len(good)-4096)...)
	must(t, os.WriteFile(b.path, bad, 0o600))
	return func() { must(t, os.WriteFile(b.path, good, 0o600)) }
}

// A directory damaged and mended in place is told of once each, and read again.
func TestMended(t *testing.T) {
	b := newBed(t, "consult")
	want := ask(t, b.other, alice, bob)
	ask(t, b, alice)
	mend := damage(t, b)
	for range 3 {
		_, err := b.User(t.Context(), bob)
		if unavailable, ok := errors.AsType[*message.Unavailable](err); !ok || errors.Is(err, db.ErrNotFound) || !strings.Contains(unavailable.What, "directory") {
			t.Errorf("bob was never asked for: %v", err)
		}
		if err := b.Refresh(t.Context()); err == nil {
			t.Error("reachable, and cannot be read")
		}
	}
	if _, err := b.User(t.Context(), alice); err != nil {
		t.Errorf("alice is known: %v", err)
	}
	if log := b.log.take(); len(log) != 1 {
		t.Errorf("logged %q, want one line", log)
	}
	mend()
	must(t, b.Refresh(t.Context()))
	same(t, want, ask(t, b, alice, bob))
	if log := b.log.take(); len(log) != 1 || !strings.Contains(log[0], "directory back") {
		t.Errorf("logged %q, want one line", log)
	}
}

// What is known of a user is answered with until what is new was read.
func TestKnownUntilReadAnew(t *testing.T) {
	b := newBed(t, "consult")
	want := ask(t, b, alice, bob)
	must(t, b.other.SetRule(t.Context(), db.Rule{Presentity: bob, Match: db.MatchDefault, Handling: db.Block}))
	must(t, b.Refresh(t.Context())) // and nobody asked for bob
	d, ok := b.Locator.(*locate.Consult)
	if !ok {
		t.Fatal("no Consult")
	}
	must(t, locate.CloseDB(d))
	same(t, want, ask(t, b, alice, bob))
}
