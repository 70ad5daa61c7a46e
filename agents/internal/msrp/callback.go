package msrp

// call has f called after the callbacks before it, on the session's own
// goroutine, which lives only as long as there is something to call.
func (s *Session) call(f func()) {
	s.mu.Lock()
	s.calls = append(s.calls, f)
	idle := !s.calling
	s.calling = true
	s.mu.Unlock()
	if idle && s.e.spawn(s.callAll) != nil {
		// The endpoint has ended, and nobody waits for goroutines any more.
		s.callAll()
	}
}

func (s *Session) callAll() {
	for {
		s.mu.Lock()
		if len(s.calls) == 0 {
			s.calling = false
			s.mu.Unlock()
			return
		}
		f := s.calls[0]
		s.calls = s.calls[1:]
		s.mu.Unlock()
		f()
	}
}
