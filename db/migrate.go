package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"slices"
)

// applicationID marks a SQLite file as a directory of ours ("pfed").
const applicationID = 0x70666564

// The schema, one file a version, in order of their names.
//
//go:embed schema/*.sql
var schema embed.FS

func schemaFiles() ([]string, error) {
	names, err := fs.Glob(schema, "schema/*.sql")
	slices.Sort(names)
	return names, err
}

// checkSchema says whether the file can be used as it is.
func checkSchema(ctx context.Context, path string, db *sql.DB) error {
	have, err := version(ctx, path, db)
	if err != nil {
		return err
	}
	files, err := schemaFiles()
	if err == nil && have < len(files) {
		err = &OpenError{Path: path, Err: ErrOlder, Reason: fmt.Sprintf("its schema is version %d and this program wants %d", have, len(files)),
			Hint: "open it once for writing: presfed directory check"}
	}
	return err
}

type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// version is the schema's version, after making sure that it is not newer than
// ours.
func version(ctx context.Context, path string, db rowQuerier) (have int, err error) {
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return 0, broken(path, err)
	}
	files, err := schemaFiles()
	if err == nil && have > len(files) {
		err = &OpenError{Path: path, Err: ErrNewer, Reason: fmt.Sprintf("its schema is version %d and this program knows %d", have, len(files)),
			Hint: "use the presfed that wrote it, or a newer one"}
	}
	return have, err
}

// broken is what SQLite says of a file that began as one of ours.
func broken(path string, err error) error {
	if notADatabase(err) {
		return damaged(path, err.Error())
	}
	return &OpenError{Path: path, Err: ErrUnreachable, Reason: err.Error()}
}

func damaged(path, how string) error {
	return &OpenError{Path: path, Err: ErrForeign, Reason: "is damaged: " + how, Hint: "restore it, or make it anew from an export"}
}

// migrate brings the schema up to date in one transaction, so that of several
// processes one does it and the others find it done. A domain makes a new
// directory of an empty file.
func migrate(ctx context.Context, path string, db *sql.DB, domain *Domain) error {
	// Looking first spares every opening but the first the write lock.
	have, err := 0, error(nil)
	if domain == nil {
		if have, err = version(ctx, path, db); err != nil {
			return err
		}
	}
	files, err := schemaFiles()
	if err != nil || domain == nil && have == len(files) {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return broken(path, err)
	}
	defer tx.Rollback()
	if domain == nil {
		if have, err = version(ctx, path, tx); err != nil {
			return err
		}
	}
	for _, name := range files[have:] {
		text, err := schema.ReadFile(name)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("directory %s: %s: %w", path, name, err)
		}
	}
	// A PRAGMA takes no placeholders.
	marks := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(files))
	if _, err := tx.ExecContext(ctx, marks); err != nil {
		return fmt.Errorf("directory %s: %w", path, err)
	}
	if domain != nil {
		// Told apart from any other directory, so that a copy notices when
		// another file is put in its place.
		_, err = tx.ExecContext(ctx, "INSERT INTO revision (only_row, instance, rev) VALUES (1, $1, 1)", rand.Text())
		if err == nil {
			_, err = tx.ExecContext(ctx, insertDomain, domain.Name, domain.Realm, domain.PolicyMode, domain.Default)
		}
		if err != nil {
			return fmt.Errorf("directory %s: %w", path, err)
		}
	}
	return tx.Commit()
}
