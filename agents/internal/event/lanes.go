package event

import (
	"sync"

	"presfed/agents/internal/message"
	"presfed/db/state"
)

// Lanes run the jobs of one resource one after another, apart from who asks for
// them, so that a job may wait for its commit while connections are read on. The
// zero value is ready; a Notifier and the packages it serves share one.
type Lanes struct {
	running sync.WaitGroup // lanes in use

	mu     sync.Mutex
	lanes  map[string][]func() // jobs that wait behind the one that runs
	closed bool
}

// Do queues a job behind those of the same key. It returns at once; after Close
// it does nothing.
func (l *Lanes) Do(key string, job func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	waiting, busy := l.lanes[key]
	if busy {
		l.lanes[key] = append(waiting, job)
		return
	}
	if l.lanes == nil {
		l.lanes = map[string][]func(){}
	}
	l.lanes[key] = nil
	l.running.Go(func() { l.run(key, job) })
}

// run does a lane's jobs until none waits.
func (l *Lanes) run(key string, job func()) {
	for job != nil {
		job()
		job = l.next(key)
	}
}

// next takes the next job of a lane, or frees it.
func (l *Lanes) next(key string) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := l.lanes[key]
	if len(waiting) == 0 {
		delete(l.lanes, key)
		return nil
	}
	l.lanes[key] = waiting[1:]
	return waiting[0]
}

// Waiting is how many jobs wait in a lane behind the one that runs.
func (l *Lanes) Waiting(key string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lanes[key])
}

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
// durable and every commit succeeds. The error is a *message.Unavailable: a disk may
// have room again, and nothing has happened meanwhile.
func Commit(store Store, do func(tx *state.Tx) error) error {
	if store == nil {
		return nil
	}
	done := make(chan error, 1)
	store.Commit(do, func(err error) { done <- err })
	if err := <-done; err != nil {
		return &message.Unavailable{What: "what it would change cannot be kept now", Err: err}
	}
	return nil
}
