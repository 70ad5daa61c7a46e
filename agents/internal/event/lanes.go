package event

import (
	"sync"

	"presfed/agents/internal/lane"
	"presfed/agents/internal/message"
	"presfed/db/state"
)

// Lanes run the jobs of one resource one after another, apart from who asks for
// them, so that a job may wait for its commit while connections are read on. The
// zero value is ready; a Notifier and the packages it serves share one.
type Lanes struct {
	queues  lane.Queues[func()]
	running sync.WaitGroup // lanes in use

	mu     sync.Mutex
	closed bool
}

// Do queues a job behind those of the same key. It returns at once; after Close
// it does nothing.
func (l *Lanes) Do(key string, job func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed && l.queues.Put(key, job) {
		l.running.Go(func() { l.run(key, job) })
	}
}

// run does a lane's jobs until none waits.
func (l *Lanes) run(key string, job func()) {
	for more := true; more; job, more = l.queues.Next(key) {
		job()
	}
}

// Waiting is how many jobs wait in a lane behind the one that runs.
func (l *Lanes) Waiting(key string) int { return l.queues.Waiting(key) }

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
