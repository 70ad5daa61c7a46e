package db_test

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"presfed/db"
)

func TestOpenRefusals(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	other := filepath.Join(dir, "other.db")
	plain, err := sql.Open("sqlite3", other)
	must(t, err)
	_, err = plain.Exec("CREATE TABLE recipe (name TEXT)")
	must(t, errors.Join(err, plain.Close()))

	newer := filepath.Join(dir, "newer.db")
	must(t, create(t, newer).Close())
	plain, err = sql.Open("sqlite3", newer)
	must(t, err)
	_, err = plain.Exec("PRAGMA user_version = 999")
	must(t, errors.Join(err, plain.Close()))

	damaged := filepath.Join(dir, "damaged.db")
	must(t, create(t, damaged).Close())
	content, err := os.ReadFile(damaged)
	must(t, err)
	for i := 100; i < len(content); i++ {
		content[i] = 0xff
	}
	must(t, os.WriteFile(damaged, content, 0o600))

	for _, tt := range []struct {
		path  string
		kind  error
		words string
	}{
		{filepath.Join(dir, "nothing.db"), db.ErrMissing, "no such file"},
		{filepath.Join(dir, "no", "folder.db"), db.ErrMissing, "no such file"},
		{dir, db.ErrForeign, "is a folder"},
		{file("empty", ""), db.ErrForeign, "is empty"},
		{file("short", "SQLite"), db.ErrForeign, "not a SQLite database"},
		{file("text", strings.Repeat("users: []\n", 50)), db.ErrForeign, "not a SQLite database"},
		{other, db.ErrForeign, "not a directory of presfed"},
		{newer, db.ErrNewer, "version 999"},
		{damaged, db.ErrForeign, "damaged"},
	} {
		for _, readOnly := range []bool{false, true} {
			before, _ := os.ReadFile(tt.path)
			d, err := db.Open(t.Context(), tt.path, db.Options{ReadOnly: readOnly})
			var refused *db.OpenError
			if err == nil {
				d.Close()
				t.Errorf("%s opened", tt.path)
			} else if !errors.As(err, &refused) || !errors.Is(err, tt.kind) {
				t.Errorf("%s: %v is not %v", tt.path, err, tt.kind)
			} else if !strings.Contains(err.Error(), tt.words) || !strings.Contains(err.Error(), tt.path) || refused.Hint == "" {
				t.Errorf("%v (%s) does not say %q", err, refused.Hint, tt.words)
			}
			if after, _ := os.ReadFile(tt.path); string(after) != string(before) {
				t.Errorf("%s was changed", tt.path)
			}
		}
	}
}

func TestUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("nothing is unreadable to root")
	}
	path := filepath.Join(t.TempDir(), "directory.db")
	must(t, create(t, path).Close())
	must(t, os.Chmod(path, 0))
	if _, err := db.Open(t.Context(), path, db.Options{}); !errors.Is(err, db.ErrUnreachable) || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("got %v", err)
	}
}

func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder", "50% & more?#.db")
	must(t, os.Mkdir(filepath.Dir(path), 0o700))
	d := create(t, path)
	same(t, db.Domain{Name: "example.com", Realm: "example.com", PolicyMode: db.RootPolicy, Default: db.Confirm}, get(t, d.Domain))
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("password hashes lie in a file of mode %v", info.Mode())
	}
	if _, err := db.Open(t.Context(), path, db.Options{Create: true, Domain: db.Domain{Name: "example.com"}}); !errors.Is(err, db.ErrExists) {
		t.Errorf("made twice: %v", err)
	}
	bad := filepath.Join(t.TempDir(), "bad.db")
	for _, domain := range []db.Domain{{}, {Name: "exa mple"}, {Name: "127.0.0.1"}, {Name: "example.com", Realm: `a"b`},
		{Name: "example.com", PolicyMode: "none"}, {Name: "example.com", Default: "deny"}} {
		var invalid *db.InvalidError
		if _, err := db.Open(t.Context(), bad, db.Options{Create: true, Domain: domain}); !errors.As(err, &invalid) || invalid.Want == "" {
			t.Errorf("%+v: %v", domain, err)
		}
	}
	if _, err := os.Stat(bad); err == nil {
		t.Error("a refusal leaves a file behind")
	}
	if _, err := db.Open(t.Context(), filepath.Join(path, "x"), db.Options{Create: true, Domain: db.Domain{Name: "example.com"}}); !errors.Is(err, db.ErrUnreachable) {
		t.Errorf("a file in a file: %v", err)
	}
}

// The header is as the file format says: sqlite3 and file(1) recognise it.
func TestHeader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.db")
	must(t, create(t, path).Close())
	head, err := os.ReadFile(path)
	must(t, err)
	if id := string(head[68:72]); id != "pfed" {
		t.Errorf("application id %q", id)
	}
	if v := binary.BigEndian.Uint32(head[60:]); v != 1 {
		t.Errorf("user version %d", v)
	}
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.db")
	w := create(t, path)
	r := reopen(t, path, db.Options{ReadOnly: true})
	if err := r.AddUser(t.Context(), db.User{AOR: "eve"}); !errors.Is(err, db.ErrReadOnly) {
		t.Errorf("wrote read-only: %v", err)
	}
	must(t, w.AddUser(t.Context(), db.User{AOR: "alice"}))
	if u := get(t, r.Users); len(u) != 1 {
		t.Errorf("reads %v", u)
	}
}

// Several processes at once: each opening stands for one.
func TestSeveralWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.db")
	must(t, create(t, path).Close())
	const writers, each = 6, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			d, err := db.Open(t.Context(), path, db.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer d.Close()
			for i := range each {
				if err := d.AddUser(t.Context(), db.User{AOR: fmt.Sprintf("u%d-%d", w, i)}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	d := reopen(t, path, db.Options{})
	if n := len(get(t, d.Users)); n != writers*each {
		t.Errorf("%d users, want %d", n, writers*each)
	}
	if r := get(t, d.Revision); r.Number != 1+writers*each {
		t.Errorf("revision %d after %d changes", r.Number, writers*each)
	}
}

// One state of the directory, whatever is changed meanwhile.
func TestSnapshot(t *testing.T) {
	d := fresh(t)
	before := get(t, d.Revision)
	must(t, d.Snapshot(t.Context(), func(v db.View) error {
		if r := get(t, v.Revision); r != before {
			t.Errorf("revision %v, want %v", r, before)
		}
		must(t, d.AddUser(t.Context(), db.User{AOR: "alice"}))
		if r := get(t, v.Revision); r != before {
			t.Errorf("revision moved to %v", r)
		}
		if u := get(t, v.Users); len(u) != 0 {
			t.Errorf("sees %v", u)
		}
		return nil
	}))
	if u := get(t, d.Users); len(u) != 1 {
		t.Errorf("afterwards %v", u)
	}
}

func TestPing(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "directory.db")
	d := create(t, path)
	must(t, d.AddUser(ctx, db.User{AOR: "alice"}))
	must(t, d.Ping(ctx))

	// Replaced under a running process, its log left behind: SQLite would mix
	// the two.
	other := filepath.Join(t.TempDir(), "other.db")
	must(t, create(t, other).Close())
	must(t, os.Rename(other, path))
	if err := d.Ping(ctx); !errors.Is(err, db.ErrUnreachable) || !strings.Contains(err.Error(), "log") {
		t.Errorf("a file over a log: %v", err)
	}
	if u := get(t, d.Users); len(u) != 1 {
		t.Errorf("what was known is lost: %v", u)
	}
	must(t, errors.Join(os.Remove(path+"-wal"), os.Remove(path+"-shm")))
	must(t, d.Ping(ctx))
	if u := get(t, d.Users); len(u) != 0 {
		t.Errorf("the new file has %v", u)
	}
	must(t, d.AddUser(ctx, db.User{AOR: "bob"}))

	must(t, os.Remove(path))
	if err := d.Ping(ctx); !errors.Is(err, db.ErrMissing) {
		t.Errorf("a file that is gone: %v", err)
	}
	must(t, d.Close())
	if _, err := d.User(ctx, "bob@example.com"); !errors.Is(err, db.ErrUnreachable) {
		t.Errorf("closed: %v", err)
	}
	if err := d.Ping(ctx); err == nil {
		t.Error("closed, and well")
	}
}
