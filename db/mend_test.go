package db_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"presfed/db"
)

// A file damaged where it lies is unwell until it is mended where it lies.
func TestMendedInPlace(t *testing.T) {
	for name, damage := range map[string]func(good []byte) []byte{
		"rubbish":   func(good []byte) []byte { return bytes.Repeat([]byte("rubbish\n"), len(good)/8) },
		"rest gone": func(good []byte) []byte { return good[:4096] },
		"rest rubbish": func(good []byte) []byte {
			return slices.Concat(good[:4096], bytes.Repeat([]byte("rubbish\n"), (len(good)-4096)/8))
		},
		"empty": func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			path := filepath.Join(t.TempDir(), "directory.db")
			d := create(t, path)
			must(t, d.AddUser(ctx, db.User{AOR: "alice"}))
			must(t, d.Close())
			good, err := os.ReadFile(path)
			must(t, err)
			d = reopen(t, path, db.Options{})
			must(t, d.Ping(ctx))

			must(t, os.WriteFile(path, damage(good), 0o600))
			if u, err := d.Users(ctx); err == nil {
				t.Fatalf("reads %v from a damaged file", u)
			}
			for range 3 {
				if err := d.Ping(ctx); err == nil {
					t.Fatal("well while it cannot be read")
				}
				if u, err := d.Users(ctx); err == nil {
					t.Fatalf("reads %v from a damaged file", u)
				}
			}

			must(t, os.WriteFile(path, good, 0o600))
			must(t, d.Ping(ctx))
			if u := get(t, d.Users); len(u) != 1 {
				t.Errorf("mended, and has %v", u)
			}
			must(t, d.AddUser(ctx, db.User{AOR: "bob"}))
		})
	}
}
