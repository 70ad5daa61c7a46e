package server_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"presfed/agents/internal/message"
)

// damage overwrites the directory where it lies, all but its first page; mend
// puts back what was there.
func (b *domain) damage() (mend func()) {
	b.t.Helper()
	path := filepath.Join(b.dir, "directory")
	must := func(err error) {
		b.t.Helper()
		if err != nil {
			b.t.Fatal(err)
		}
	}
	raw, err := sql.Open("sqlite3", path)
	must(err)
	_, err = raw.ExecContext(b.t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)")
	must(errors.Join(err, raw.Close()))
	good, err := os.ReadFile(path)
	must(err)
	must(os.WriteFile(path, append(bytes.Clone(good[:4096]), bytes.Repeat([]byte{0xff}, len(good)-4096)...), 0o600))
	return func() { must(os.WriteFile(path, good, 0o600)) }
}

// TestUnknownWhileTheDirectoryIsAway: who cannot be looked up is not denied but
// put off, and served once the directory is mended.
func TestUnknownWhileTheDirectoryIsAway(t *testing.T) {
	b := federatedWith(t, believing)
	alice, bob := b.phone("alice", "a", "TCP"), b.phone("bob", "a", "TCP")
	alice.register()
	mend := b.damage()
	for what, heard := range map[string]<-chan *message.Response{
		"MESSAGE to bob":   alice.ask(alice.request("MESSAGE", "bob")),
		"SUBSCRIBE to bob": alice.ask(alice.request("SUBSCRIBE", "bob", "Event", "presence")),
		"REGISTER of bob":  bob.ask(bob.request("REGISTER", "bob")),
	} {
		res := next(t, heard)
		if res.StatusCode != 503 || message.Get(res, "Retry-After") == "" || !strings.Contains(message.Get(res, "Warning"), "directory") {
			t.Errorf("%s: %d, Retry-After %q, Warning %q", what, res.StatusCode, message.Get(res, "Retry-After"), message.Get(res, "Warning"))
		}
	}
	alice.register() // she is known
	mend()
	for ctx := timeout(t); ; {
		if res := next(t, alice.ask(alice.request("MESSAGE", "bob"))); res.StatusCode == 480 {
			return // found, on server-b, where no device of his is
		} else if ctx.Err() != nil {
			t.Fatalf("mended, and still %d", res.StatusCode)
		}
	}
}
