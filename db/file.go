package db

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"sync"

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
	closed bool // guarded by DB.reopen
}

// handle is a pool of connections with its prepared statements.
type handle struct {
	db    *sql.DB
	stmts sync.Map // query -> *sql.Stmt
}

type mode string

const (
	writing mode = "mode=rw&_journal_mode=WAL&_busy_timeout=5000&_synchronous=NORMAL&_txlock=immediate&_foreign_keys=1"
	reading mode = "mode=ro&_busy_timeout=5000&_query_only=1"
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
		err = readable(path, readOnly)
	}
	if err != nil {
		return nil, &OpenError{Path: path, Err: ErrUnreachable, Reason: pathReason(err), Hint: "give this user the right to it"}
	}
	f := &file{info: info}
	if readOnly {
		if f.read, err = openHandle(path, reading); err != nil {
			return nil, err
		}
		if err = checkSchema(ctx, path, f.read.db); err != nil {
			return nil, errors.Join(err, f.close())
		}
		return f, nil
	}
	if f.write, err = openHandle(path, writing); err != nil {
		return nil, err
	}
	if err = migrate(ctx, path, f.write.db, nil); err == nil {
		f.read, err = openHandle(path, reading)
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// readable opens the file once by itself, for an error that says what is wrong.
func readable(path string, readOnly bool) error {
	flag := os.O_RDWR
	if readOnly {
		flag = os.O_RDONLY
	}
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return err
	}
	return f.Close()
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
	f.closed = true
	// The writer last: it folds the write-ahead log into the file.
	return errors.Join(f.read.close(), f.write.close())
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
	return os.SameFile(info, f.info), nil
}

// notADatabase is SQLite's word for a file it cannot read.
func notADatabase(err error) bool {
	var e sqlite.Error
	return errors.As(err, &e) && e.Code == sqlite.ErrNotADB
}
