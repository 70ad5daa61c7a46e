package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mattn/go-sqlite3"
)

// Why an operation failed without having been tried.
var (
	ErrBusy   = errors.New("too many operations wait for the disk")
	ErrClosed = errors.New("the state is closed")
)

type operation struct {
	do      func(tx *Tx) error
	done    func(error)
	refused error // set: only done is left to be called
}

// Commit queues do and returns at once; done hears nil when all that do wrote
// is committed, else why nothing of it was. An error that do returns undoes do
// alone, not what is committed beside it; do may be called a second time then,
// so it must write nothing but through tx.
//
// The done functions are called in the order of the Commits, on the committer's
// goroutine, which they must not block. After the end of Run, done hears
// ErrClosed from Commit itself.
func (s *Store) Commit(do func(tx *Tx) error, done func(error)) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		done(ErrClosed)
		return
	}
	op := operation{do: do, done: done}
	if len(s.queue) >= s.opts.Queue {
		op.do, op.refused = nil, ErrBusy
	}
	s.queue = append(s.queue, op)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
}

// Run commits what is queued until ctx ends, then what is queued still. It
// returns nil. Call it once.
func (s *Store) Run(ctx context.Context) error {
	var last time.Time // when the last commit began
	for {
		select {
		case <-s.wake:
			s.gather(ctx, last)
			last = time.Now()
			s.flush(s.take())
		case <-ctx.Done():
			for {
				if batch := s.take(); len(batch) > 0 {
					s.flush(batch)
				} else if s.end() {
					return nil
				}
			}
		}
	}
}

// gather lets further operations join where several wait already and the last
// commit was just now; one alone is not held up.
func (s *Store) gather(ctx context.Context, last time.Time) {
	s.mu.Lock()
	waiting := len(s.queue)
	s.mu.Unlock()
	left := s.opts.Gather - time.Since(last)
	if waiting < 2 || left <= 0 {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (s *Store) take() []operation {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := s.queue
	s.queue = nil
	return batch
}

// end refuses further operations, unless some came in since.
func (s *Store) end() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = s.ended || len(s.queue) == 0
	return s.ended
}

// flush commits a batch and tells its members in order.
func (s *Store) flush(batch []operation) {
	if len(batch) == 0 {
		return
	}
	results := make([]error, len(batch))
	err := s.together(batch)
	if err != nil {
		// One of them failed and took the others with it: now each on its own
		// savepoint, so that only the one at fault fails.
		s.makeRoom(err)
		results, err = s.apart(batch)
	}
	failed := 0
	for i, op := range batch {
		if err != nil && results[i] == nil {
			results[i] = fmt.Errorf("commit: %w", err)
		}
		if op.refused != nil {
			results[i] = op.refused
		}
		if results[i] != nil {
			failed++
		}
	}
	s.counts.failing.Store(&err)
	s.counts.add(err == nil, len(batch)-failed, failed)
	if failed > 0 {
		s.opts.Log.Warn("state not committed", "operations", failed, "of", len(batch), "error", errors.Join(err, firstOf(results)))
	}
	for i, op := range batch {
		op.done(results[i])
	}
}

// makeRoom folds the log into the file where the disk is full: what the log takes
// may be enough.
func (s *Store) makeRoom(err error) {
	if e, ok := errors.AsType[sqlite3.Error](err); ok && e.Code == sqlite3.ErrFull {
		_, _ = s.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)") // else it fails again
	}
}

func (s *Store) together(batch []operation) error {
	if err := s.tx.control("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, op := range batch {
		if op.refused != nil {
			continue
		}
		if err := op.do(s.tx); err != nil {
			return closing(err, s.tx.control("ROLLBACK"))
		}
	}
	return s.commitOrRollBack()
}

func (s *Store) apart(batch []operation) (results []error, err error) {
	results = make([]error, len(batch))
	if err := s.tx.control("BEGIN IMMEDIATE"); err != nil {
		return results, err
	}
	for i, op := range batch {
		if op.refused != nil {
			continue
		}
		err := s.tx.control("SAVEPOINT operation")
		if err == nil {
			if results[i] = op.do(s.tx); results[i] != nil {
				err = s.tx.control("ROLLBACK TO operation")
			}
			err = closing(err, s.tx.control("RELEASE operation"))
		}
		if err != nil { // a full or failing disk has ended the transaction
			_ = s.tx.control("ROLLBACK")
			return results, err
		}
	}
	return results, s.commitOrRollBack()
}

func (s *Store) commitOrRollBack() error {
	shown, err := s.tx.keepFrame(s.opts.Clock.Now())
	if err == nil {
		err = s.tx.control("COMMIT")
	}
	if err != nil {
		_ = s.tx.control("ROLLBACK") // the error that counts is the first
		return err
	}
	s.frame.shown = shown
	return nil
}

func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
