package state

import "sync/atomic"

// Stats counts since Open.
type Stats struct {
	Transactions uint64 // commits: writes to the disk
	Operations   uint64 // operations they held
	Failed       uint64 // operations that were told an error
}

type counters struct {
	transactions, operations, failed atomic.Uint64
	failing                          atomic.Pointer[error] // of the latest commit
}

func (c *counters) add(committed bool, operations, failed int) {
	if committed && operations > 0 {
		c.transactions.Add(1)
	}
	c.operations.Add(uint64(operations))
	c.failed.Add(uint64(failed))
}

// Stats is the count so far; it may be asked at any time.
func (s *Store) Stats() Stats {
	return Stats{
		Transactions: s.counts.transactions.Load(),
		Operations:   s.counts.operations.Load(),
		Failed:       s.counts.failed.Load(),
	}
}

// Waiting is how many operations are queued for the next commit.
func (s *Store) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// Failing is why the latest commit failed; nil: it did not.
func (s *Store) Failing() error {
	if err := s.counts.failing.Load(); err != nil {
		return *err
	}
	return nil
}
