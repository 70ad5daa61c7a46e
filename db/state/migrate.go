package state

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/mattn/go-sqlite3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks the file as a server's state ("PFst").
const applicationID = 0x50467374

// migrate brings the schema to the newest version: the nth file takes
// user_version from n-1 to n, each in a transaction of its own.
func migrate(ctx context.Context, conn *sql.Conn) error {
	files, err := fs.Glob(migrations, "migrations/*.sql") // in order of name
	if err != nil {
		return err
	}
	var version, id, tables int
	if err := errors.Join(
		conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version),
		conn.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id),
		conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables),
	); err != nil {
		return err
	}
	if id != applicationID && (id != 0 || tables > 0) {
		return errors.New("is a database, but not a server's state")
	}
	if version > len(files) {
		return fmt.Errorf("has schema %d, written by a newer program: this one knows up to %d", version, len(files))
	}
	for n := version; n < len(files); n++ {
		script, err := migrations.ReadFile(files[n])
		if err != nil {
			return err
		}
		if err := step(ctx, conn, string(script), n+1); err != nil {
			return fmt.Errorf("%s: %w", files[n], err)
		}
	}
	// Touching the file takes the lock even where nothing had to be done.
	_, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE; COMMIT")
	return err
}

func step(ctx context.Context, conn *sql.Conn, script string, to int) error {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, fmt.Sprintf("%s;\nPRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", script, applicationID, to))
	if err != nil {
		_, back := conn.ExecContext(ctx, "ROLLBACK")
		return errors.Join(err, back)
	}
	return nil
}

// ErrInUse says that another process holds the file.
var ErrInUse = errors.New("is in use by another process")

func inUse(err error) error {
	if e, ok := errors.AsType[sqlite3.Error](err); ok && e.Code == sqlite3.ErrBusy {
		return fmt.Errorf("%w: %w", ErrInUse, err)
	}
	return err
}
