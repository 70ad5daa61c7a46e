package state

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestOneAtATimeIsAWriteEach(t *testing.T) {
	s, _ := running(t, filepath.Join(t.TempDir(), "state.db"), Options{})
	for i := range 50 {
		if err := commit(s, func(tx *Tx) error { return tx.PutPublication(publication(i)) }); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Stats(); got != (Stats{Transactions: 50, Operations: 50}) {
		t.Errorf("%+v", got)
	}
}

// What comes in while a write is under way is the next write, however much it is.
func TestManyInFlightShareAWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, stop := running(t, path, Options{})
	const clients, rounds = 64, 20
	for r := range rounds {
		release := held(s)
		var told sync.WaitGroup
		told.Add(clients)
		for c := range clients {
			s.Commit(func(tx *Tx) error { return tx.PutPublication(publication(r*clients + c)) }, func(err error) {
				defer told.Done()
				if err != nil {
					t.Error(err)
				}
			})
		}
		release()
		told.Wait()
	}
	if got := s.Stats(); got != (Stats{Transactions: 2 * rounds, Operations: (clients + 1) * rounds}) {
		t.Errorf("%+v", got)
	}
	stop()
	if n := len(load(t, path).Publications); n != clients*rounds {
		t.Errorf("%d of %d are there", n, clients*rounds)
	}
}

// held queues operations behind one that blocks until release, so that they
// make one batch.
func held(s *Store) (release func()) {
	gate, entered := make(chan struct{}), make(chan struct{})
	s.Commit(func(*Tx) error { close(entered); <-gate; return nil }, func(error) {})
	<-entered
	return func() { close(gate) }
}

func TestAFailingOperationFailsAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, stop := running(t, path, Options{})
	release := held(s)
	fault := errors.New("fault")
	const n = 9
	results := make(chan string, n)
	for i := range n {
		s.Commit(func(tx *Tx) error {
			if err := tx.PutPublication(publication(i)); err != nil {
				return err
			}
			if i%4 == 1 { // after it has written
				return fault
			}
			return nil
		}, func(err error) {
			if err != nil && !errors.Is(err, fault) {
				t.Error(err)
			}
			results <- fmt.Sprint(i, " ", err != nil)
		})
	}
	release()
	for i := range n { // in order, too
		if got, want := <-results, fmt.Sprint(i, " ", i%4 == 1); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := s.Stats(); got != (Stats{Transactions: 2, Operations: n + 1 - 2, Failed: 2}) {
		t.Errorf("%+v", got)
	}
	stop()
	var ids []string
	for _, p := range load(t, path).Publications {
		ids = append(ids, p.ID)
	}
	if slices.Sort(ids); !slices.Equal(ids, []string{"p0", "p2", "p3", "p4", "p6", "p7", "p8"}) {
		t.Error(ids)
	}
}

func TestAFullDiskFailsTheCommitAndNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := s.conn.ExecContext(ctx, "PRAGMA max_page_count = 20"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	big := publication(1)
	big.Body = make([]byte, 1<<20)
	small := publication(2)
	release := held(s)
	results := make(chan error, 2)
	for _, p := range []Publication{big, small} {
		s.Commit(func(tx *Tx) error { return tx.PutPublication(p) }, func(err error) { results <- err })
	}
	release()
	if err := <-results; err == nil {
		t.Error("a megabyte went into twenty pages")
	}
	<-results // may go either way: the disk was full beside it
	if err := commit(s, func(tx *Tx) error { return tx.PutPublication(publication(3)) }); err != nil {
		t.Errorf("after the full disk: %v", err)
	}
	cancel()
	if err := errors.Join(<-ended, s.Close()); err != nil {
		t.Fatal(err)
	}
	for _, p := range load(t, path).Publications {
		if p.ID == "p1" {
			t.Error("what failed is there")
		}
	}
}

func TestTheQueueHasAnEndAndKeepsItsOrder(t *testing.T) {
	s, _ := running(t, filepath.Join(t.TempDir(), "state.db"), Options{Queue: 2})
	release := held(s)
	results := make(chan string, 4)
	for i := range 4 {
		s.Commit(func(*Tx) error { return nil }, func(err error) { results <- fmt.Sprint(i, " ", errors.Is(err, ErrBusy)) })
	}
	release()
	for _, want := range []string{"0 false", "1 false", "2 true", "3 true"} {
		if got := <-results; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestTheEndCommitsWhatIsQueuedAndRefusesTheRest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, err := Open(path, Options{Gather: time.Hour}) // nothing may wait for it
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var told int
	for i := range 3 {
		s.Commit(func(tx *Tx) error { return tx.PutPublication(publication(i)) }, func(err error) {
			if err != nil {
				t.Error(err)
			}
			if told++; told == 1 { // work that comes of work is done as well
				s.Commit(func(tx *Tx) error { return tx.PutPublication(publication(9)) }, func(error) { told++ })
			}
		})
	}
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if told != 4 {
		t.Errorf("%d of 4 were told", told)
	}
	if err := commit(s, func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(load(t, path).Publications); n != 4 {
		t.Errorf("%d of 4 are there", n)
	}
}
