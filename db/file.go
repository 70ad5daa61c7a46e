package db

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"sync"
	"sync/atomic"

	sqlite "github.com/mattn/go-sqlite3"
)

// readers is how many lookups run at once; the rest wait.
const readers = 4

// file is one open SQLite file: a pool to read with beside the one writer
// SQLite allows.
type file struct {
	read   *handle
	write  *handle // nil when read-only
	info   os.FileInfo
	wal    atomic.Pointer[os.FileInfo] // its write-ahead log, as last seen beside it
	damage atomic.Pointer[error]       // what its reading met; it is of no use any more
}

// handle is a pool of connections with its prepared statements.
type handle struct {
	db    *sql.DB
	stmts sync.Map // query -> *sql.Stmt
}

type mode string

const (
	// Changes are few, and each waits for the disk: what the command line has said is
	// done survives power loss.
	writing mode = "mode=rw&_journal_mode=WAL&_busy_timeout=5000&_synchronous=FULL&_txlock=immediate&_foreign_keys=1"
	reading mode = "mode=ro&_busy_timeout=5000&_query_only=1"
	// creating keeps to the main file until it is a directory, for header.
	creating mode = "mode=rw&_journal_mode=DELETE&_busy_timeout=5000&_synchronous=FULL&_txlock=immediate&_foreign_keys=1"
)

// openFile opens what is there and brings its schema up to date.
func openFile(ctx context.Context, path string, readOnly bool) (*file, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(path)
	}
	if err == nil && info.IsDir() {
		return nil, &OpenError{Path: path, Err: ErrForeign, Reason: "is a folder", Hint: "name the directory's file in it"}
	}
	if err == nil {
		err = checkHeader(path, readOnly)
	}
	if err != nil {
		return nil, err
	}
	f := &file{info: info}
	if err := f.open(ctx, path, readOnly); err != nil {
		f.close()
		return nil, err
	}
	_, err = f.inPlace(path)
	return f, err
}

func (f *file) open(ctx context.Context, path string, readOnly bool) (err error) {
	if !readOnly {
		if f.write, err = openHandle(path, writing); err == nil {
			err = migrate(ctx, path, f.write.db, nil)
		}
		if err != nil {
			return err
		}
	}
	if f.read, err = openHandle(path, reading); err != nil {
		return err
	}
	if readOnly {
		if err = checkSchema(ctx, path, f.read.db); err != nil {
			return err
		}
	}
	return f.read.fill(ctx)
}

// fill opens every connection now: one opened later by its path could be
// another file's.
func (h *handle) fill(ctx context.Context) error {
	var conns []*sql.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for range readers {
		c, err := h.db.Conn(ctx)
		if err != nil {
			return err
		}
		conns = append(conns, c)
	}
	return nil
}

func openHandle(path string, m mode) (*handle, error) {
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+string(m))
	if err != nil {
		return nil, err
	}
	conns := 1
	if m == reading {
		conns = readers
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return &handle{db: db}, nil
}

// stmt is the prepared statement for a query, made once.
func (h *handle) stmt(query string) (*sql.Stmt, error) {
	if s, ok := h.stmts.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := h.db.Prepare(query)
	if err != nil {
		return nil, err
	}
	if kept, loaded := h.stmts.LoadOrStore(query, s); loaded {
		return kept.(*sql.Stmt), s.Close()
	}
	return s, nil
}

func (h *handle) close() error {
	if h == nil {
		return nil
	}
	h.stmts.Range(func(_, s any) bool {
		s.(*sql.Stmt).Close()
		return true
	})
	return h.db.Close()
}

func (f *file) close() error {
	// The writer last: it folds the write-ahead log into the file.
	return errors.Join(f.read.close(), f.write.close())
}

// abandon closes a damaged file. The writer goes first: it cannot fold its log,
// over what may have been mended meanwhile, while readers are there.
func (f *file) abandon() { _ = errors.Join(f.write.close(), f.read.close()) }

// check has SQLite look at all of the file.
func (f *file) check(ctx context.Context, path string) error {
	var said string
	if err := f.read.db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&said); err != nil {
		return broken(path, err)
	}
	if said != "ok" {
		return damaged(path, said)
	}
	return nil
}

// inPlace says that the path still names this file.
func (f *file) inPlace(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, missing(path)
	case err != nil:
		return false, &OpenError{Path: path, Err: ErrUnreachable, Reason: pathReason(err)}
	}
	wal, walErr := os.Stat(path + "-wal")
	if os.SameFile(info, f.info) {
		if walErr == nil {
			f.wal.Store(&wal)
		}
		return true, nil
	}
	if err := checkHeader(path, true); err != nil {
		return false, err
	}
	// SQLite would write the old file's log into the new one.
	if old := f.wal.Load(); walErr == nil && old != nil && os.SameFile(wal, *old) {
		return false, &OpenError{Path: path, Err: ErrUnreachable, Reason: "was replaced while in use, with the old file's log still beside it",
			Hint: "remove " + path + "-wal and " + path + "-shm, which belong to the file that was there before"}
	}
	return false, nil
}

// unreadable is an error that the same handle may answer with for ever: our
// queries are sound, so that even an error in one speaks of the file.
func unreadable(err error) bool {
	var e sqlite.Error
	return notADatabase(err) || errors.As(err, &e) && (e.Code == sqlite.ErrIoErr || e.Code == sqlite.ErrError)
}

// notADatabase is SQLite's word for a file it cannot make sense of.
func notADatabase(err error) bool {
	var e sqlite.Error
	return errors.As(err, &e) && (e.Code == sqlite.ErrNotADB || e.Code == sqlite.ErrCorrupt)
}
