package state

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"
)

// Options say how a Store keeps its promises. The zero value will do.
type Options struct {
	// Full waits for the disk at every commit. Without it (synchronous NORMAL) a
	// commit survives the death of the process, and of the machine only once the
	// system has written it out.
	Full bool
	// Gather is the least time between two commits while several operations
	// wait; one that waits alone is committed at once. Zero: 500 microseconds;
	// below zero: no wait.
	Gather time.Duration
	// Queue is how many operations may wait; past it they fail with ErrBusy.
	// Zero: 65536.
	Queue int
	// LockWait is how long Open waits for another process to let go of the
	// file. Zero: 2 seconds.
	LockWait time.Duration
	Clock    Clock        // nil: the time that the machine shows, and nothing else
	Log      *slog.Logger // nil: silent
}

func (o Options) filled() Options {
	o.Gather = cmp.Or(o.Gather, 500*time.Microsecond)
	o.Queue = cmp.Or(o.Queue, 65536)
	o.LockWait = cmp.Or(o.LockWait, 2*time.Second)
	if o.Clock == nil {
		o.Clock = shownOnly{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Store is one server's durable state. Close it after Run has returned.
type Store struct {
	opts Options
	frame
	db   *sql.DB
	conn *sql.Conn // the only one: it holds the lock and the prepared statements
	tx   *Tx

	mu     sync.Mutex // guards what follows
	queue  []operation
	ended  bool
	wake   chan struct{} // room for one
	counts counters
}

// Open opens or creates the file at path and brings its schema up to date. A
// file that another process holds, that is none of ours, or that a newer
// program has written is an error that says so.
func Open(path string, opts Options) (*Store, error) {
	opts = opts.filled()
	private(path)
	dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}).String() +
		fmt.Sprintf("?_busy_timeout=%d&_foreign_keys=1&_locking_mode=EXCLUSIVE", opts.LockWait.Milliseconds())
	db, err := sql.Open("sqlite3", dsn)
	if err != nil {
		return nil, fmt.Errorf("state %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	s := &Store{opts: opts, db: db, wake: make(chan struct{}, 1)}
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("state %s: %w", path, closing(err, s.Close()))
	}
	return s, nil
}

// prepare takes the connection, the lock and the schema, in that order.
func (s *Store) prepare() (err error) {
	ctx := context.Background()
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return inUse(err)
	}
	s.tx = &Tx{conn: s.conn, frame: &s.frame, prepared: map[string]*sql.Stmt{}}
	synchronous := "NORMAL"
	if s.opts.Full {
		synchronous = "FULL"
	}
	// Exclusive comes before anything that reads: then no file of shared memory is
	// made, for which a full disk has no room, and the lock is held from the first
	// write to the end. The log is folded into the file
	// once it has 32 MiB: pages that change often are then written there once.
	for _, pragma := range []string{"journal_mode = WAL", "synchronous = " + synchronous, "wal_autocheckpoint = 8192"} {
		if _, err := s.conn.ExecContext(ctx, "PRAGMA "+pragma); err != nil {
			return inUse(err)
		}
	}
	if err := migrate(ctx, s.conn); err != nil {
		return inUse(err)
	}
	return s.readFrame(ctx)
}

// Close ends the prepared statements and lets go of the file. What was
// committed stays; operations still queued are lost, so Run must have returned.
func (s *Store) Close() error {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	var first error
	if s.tx != nil {
		first = s.tx.close()
	}
	if s.conn != nil {
		first = closing(first, s.conn.Close())
	}
	return closing(first, s.db.Close())
}

// closing keeps the first error.
func closing(first, next error) error {
	if first != nil {
		return first
	}
	return next
}
