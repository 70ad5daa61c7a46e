package state

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
)

// Secret is a random value of that many bytes, made and committed when it is
// asked for first and the same ever after. Like Load it shares the one connection
// with Run, so call it before.
func (s *Store) Secret(ctx context.Context, name string, size int) (value []byte, err error) {
	fresh := make([]byte, size)
	rand.Read(fresh) // never fails
	if _, err = s.conn.ExecContext(ctx, "INSERT OR IGNORE INTO secret (name, value) VALUES (?, ?)", name, fresh); err == nil {
		err = s.conn.QueryRowContext(ctx, "SELECT value FROM secret WHERE name = ?", name).Scan(&value)
	}
	if err == nil && len(value) != size {
		err = fmt.Errorf("has %d bytes, want %d", len(value), size)
	}
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", name, err)
	}
	return value, nil
}

// private creates the file for its owner's eyes only; SQLite gives the files
// beside it the same mode. One that is there keeps its own.
func private(path string) {
	if f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err == nil { // else SQLite says why
		f.Close()
	}
}
