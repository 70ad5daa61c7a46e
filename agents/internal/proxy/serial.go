package proxy

import "sync"

// serial runs what branches and callers ask of one request one after another,
// in the order asked, without a lock held while it runs: what is sent from
// within may call back.
type serial struct {
	mu   sync.Mutex
	busy bool
	jobs []func()
}

func (s *serial) do(job func()) {
	s.mu.Lock()
	if s.busy {
		s.jobs = append(s.jobs, job)
		s.mu.Unlock()
		return
	}
	s.busy = true
	for job != nil {
		s.mu.Unlock()
		job()
		s.mu.Lock()
		job = nil
		if len(s.jobs) > 0 {
			job, s.jobs = s.jobs[0], s.jobs[1:]
		}
	}
	s.busy, s.jobs = false, nil
	s.mu.Unlock()
}
