// Package db is the directory of the domain: which servers there are, which
// users, who serves whom, who may see whom.
//
// It lives in one SQLite file that several processes open at once. Every change
// bumps the revision in its own transaction, so that a copy can follow with
// [View.Changes]. Names are canonical in here: an address of record is
// "alice@example.com", without a scheme and with its host in lower case
// ([ParseAOR] makes it so); a server is known by its name.
package db

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// Options says how a directory is opened.
type Options struct {
	// Create makes a new directory for Domain; one that is there already is
	// ErrExists.
	Create bool
	Domain Domain
	// ReadOnly refuses changes, and leaves an older schema as it is.
	ReadOnly bool
}

// DB is an open directory, safe for concurrent use. Its reading methods are
// those of [View], each reading what is newest.
type DB struct {
	View
	path     string
	log      string // path of the write-ahead log
	readOnly bool
	file     atomic.Pointer[file]
	reopen   sync.Mutex
	closed   bool // guarded by reopen
}

// Open opens the directory at path. A file that is missing, unreadable, none of
// ours or newer than this program is an *OpenError. The caller closes it.
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	d := &DB{path: path, log: path + "-wal", readOnly: o.ReadOnly}
	d.View = View{d: d}
	if o.Create {
		if err := create(ctx, path, o.Domain); err != nil {
			return nil, err
		}
	}
	f, err := openFile(ctx, path, o.ReadOnly)
	if err != nil {
		return nil, err
	}
	d.file.Store(f)
	return d, nil
}

// create makes the file, readable by its owner alone since it holds password
// hashes, and fills in the schema and the domain.
func create(ctx context.Context, path string, domain Domain) (err error) {
	if domain, err = domain.canonical(); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrExist) {
		return &ExistsError{What: "file", Name: path}
	}
	if err != nil {
		return &OpenError{Path: path, Err: ErrUnreachable, Reason: pathReason(err), Hint: "name a folder that is there and may be written to"}
	}
	defer func() {
		if err != nil {
			for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
				os.Remove(path + suffix)
			}
		}
	}()
	if err := f.Close(); err != nil {
		return err
	}
	h, err := openHandle(path, creating)
	if err != nil {
		return err
	}
	if err = migrate(ctx, path, h.db, &domain); err == nil {
		// Now, while nobody else is there to be locked out by it.
		_, err = h.db.ExecContext(ctx, "PRAGMA journal_mode = WAL")
	}
	return errors.Join(err, h.close())
}

// Close closes the directory's files; a DB that is closed answers with errors.
func (d *DB) Close() error {
	d.reopen.Lock()
	defer d.reopen.Unlock()
	d.closed = true
	return d.file.Load().close()
}

// Path is the file's path, as it was given.
func (d *DB) Path() string { return d.path }

// Ping tells whether the file that is open is still the one at the path. One
// put in its place is opened instead; one that is gone, or no directory any
// more, is an *OpenError, and the answers are those of the old file until then.
// A file whose reading failed as damaged is checked in full at each Ping, and
// opened anew when it is whole again.
func (d *DB) Ping(ctx context.Context) error {
	f := d.file.Load()
	same, err := f.inPlace(d.path)
	damaged := f.damage.Load() != nil
	if same && !damaged || err != nil {
		return err
	}
	d.reopen.Lock()
	defer d.reopen.Unlock()
	if d.file.Load() != f {
		return nil
	}
	if d.closed {
		return fmt.Errorf("directory %s: closed", d.path)
	}
	if damaged {
		f.abandon() // first: SQLite shares what it holds of one file among all handles
	}
	next, err := openFile(ctx, d.path, d.readOnly)
	if err == nil && damaged {
		if err = next.check(ctx, d.path); err != nil {
			next.abandon()
		}
	}
	if err != nil {
		return err
	}
	d.file.Store(next)
	// Waits for what is being read from it.
	return f.close()
}
