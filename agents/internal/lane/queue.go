package lane

import "sync"

// Queues are the jobs of each key that wait behind the one under way. The zero value
// is ready.
type Queues[Job any] struct {
	mu      sync.Mutex
	waiting map[string][]Job // nil: one is under way, and none waits
}

// Put queues a job, unless it is the first of its key: then it is the caller's to
// begin with, and Next gives those after it.
func (q *Queues[Job]) Put(key string, job Job) (first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting, busy := q.waiting[key]
	switch {
	case busy:
		q.waiting[key] = append(waiting, job)
	case q.waiting == nil:
		q.waiting = map[string][]Job{key: nil}
	default:
		q.waiting[key] = nil
	}
	return !busy
}

// Next takes the job after the one that has ended; where none waits, the next that is
// put is the first again.
func (q *Queues[Job]) Next(key string) (job Job, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.waiting[key]
	if len(waiting) == 0 {
		delete(q.waiting, key)
		return job, false
	}
	q.waiting[key] = waiting[1:]
	return waiting[0], true
}

// Waiting is how many jobs wait behind the one of a key that is under way.
func (q *Queues[Job]) Waiting(key string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting[key])
}
