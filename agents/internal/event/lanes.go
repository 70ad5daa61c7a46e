package event

import (
	"sync"

	"presfed/agents/internal/lane"
	"presfed/db/state"
)

// Lanes run the jobs of one resource one after another on goroutines of their
// own, so that a job may wait for its commit while connections are read on. The
// zero value is ready; a Notifier and the packages it serves share one.
type Lanes struct {
	lanes   lane.Lanes
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
}

// Do queues a job behind those of the same key. It returns at once; after Close
// it does nothing.
func (l *Lanes) Do(key string, job func()) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.running.Add(1)
	l.mu.Unlock()
	l.lanes.Do(key, func(done func()) {
		go func() {
			defer l.running.Done()
			defer done()
			job()
		}()
	})
}

// Waiting is how many jobs wait in a lane behind the one that runs.
func (l *Lanes) Waiting(key string) int { return l.lanes.Waiting(key) }

// Close refuses further jobs and returns when those queued have ended. What they
// commit to must run until then.
func (l *Lanes) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.running.Wait()
}

// Store commits changes to what is durable; done hears the outcome and must not
// block. *state.Store is one.
type Store interface {
	Commit(do func(tx *state.Tx) error, done func(error))
}

// Commit waits for a commit: for jobs in a lane. Without a store nothing is
// durable and every commit succeeds.
func Commit(store Store, do func(tx *state.Tx) error) error {
	if store == nil {
		return nil
	}
	done := make(chan error, 1)
	store.Commit(do, func(err error) { done <- err })
	return <-done
}
