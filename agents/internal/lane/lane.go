// Package lane runs jobs of one key one after another, and of different keys
// side by side.
package lane

import "sync"

// Lanes are keyed queues. The zero value is ready. A job holds its lane until
// it calls done, from whichever goroutine: what a commit decides later still
// keeps the next job waiting.
type Lanes struct {
	queues Queues[func(done func())]
}

// Do runs job now, on the caller, if the key's lane is free, else after the jobs
// before it, on the goroutine of the last one's done. A job must call done
// exactly once.
func (l *Lanes) Do(key string, job func(done func())) {
	if l.queues.Put(key, job) {
		l.run(key, job)
	}
}

// run goes through the lane in a loop: a job that is done at once must not
// deepen the stack for the next.
func (l *Lanes) run(key string, job func(done func())) {
	for job != nil {
		var mu sync.Mutex
		returned, finished := false, false
		var next func(done func())
		current := job
		current(func() {
			following, _ := l.queues.Next(key)
			mu.Lock()
			finished, next = true, following
			inline := !returned
			mu.Unlock()
			if !inline && following != nil {
				l.run(key, following)
			}
		})
		mu.Lock()
		returned = true
		job = nil
		if finished {
			job = next
		}
		mu.Unlock()
	}
}

// Waiting is how many jobs wait behind the running one of a key.
func (l *Lanes) Waiting(key string) int { return l.queues.Waiting(key) }
