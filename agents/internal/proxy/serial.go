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
	s.jobs = append(s.jobs, job)
	if s.busy {
		s.mu.Unlock()
		return
	}
	s.busy = true
	for len(s.jobs) > 0 {
		next := s.jobs[0]
		s.jobs = s.jobs[1:]
		s.mu.Unlock()
		next()
		s.mu.Lock()
	}
	s.busy, s.jobs = false, nil
	s.mu.Unlock()
}
