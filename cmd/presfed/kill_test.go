package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"presfed/agents/client"
)

// killSeed is the variable that repeats a run of TestKill.
const killSeed = "PRESFED_KILL_SEED"

// patience bounds every wait for something that has to come.
const patience = 10 * time.Second

// TestKill kills server-b with signal 9, again and again, while bob publishes
// and registers there and alice watches him through server-a. Nothing that was
// answered 2xx may be lost; what was not answered may have happened or not.
func TestKill(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if v := os.Getenv(killSeed); v != "" {
		var err error
		if seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s=%d repeats the choices", killSeed, seed)
	kills := 20
	if testing.Short() {
		kills = 4
	}
	// Less than the 40 seconds it may take: a lost answer must not be waited for long.
	ctx, cancel := context.WithTimeout(t.Context(), 38*time.Second)
	defer cancel()

	bed := newKillBed(ctx, t)
	bed.start(ctx, "a")
	b := bed.start(ctx, "b")
	bob := &writer{t: t, rng: rand.New(rand.NewPCG(seed, 0)), tuples: map[string]int{}, acked: time.Now()}
	seen := &watcher{news: make(chan struct{}, 1)}
	paged := make(chan string, 1)
	bob.client = bed.device(ctx, "bob", "b", func(e client.Event) {
		if e.Type == "im" {
			paged <- e.Text // one at a time: alice's next follows when it is taken
		}
	})
	alice := bed.device(ctx, "alice", "a", seen.heard)
	if _, err := alice.Subscribe(ctx, "bob", client.SubscribeOptions{Expires: time.Hour}); err != nil {
		t.Fatal(err)
	}
	bob.create(ctx)
	if err := bob.register(ctx, true); err != nil {
		t.Fatal(err)
	}
	for n := range kills {
		moment := bob.load(ctx, b)
		t.Logf("kill %d %s: acknowledged %d, open %q", n+1, moment, bob.count, bob.open)
		restarted := time.Now()
		b = bed.start(ctx, "b")
		up := time.Since(restarted)
		bob.recover(ctx)
		seen.await(ctx, t, bob)
		bob.reached(ctx, alice, paged)
		// The subscription lives on: what is new is told too.
		if err := bob.modify(ctx); err != nil {
			t.Fatalf("publication after the restart: %v", err)
		}
		seen.await(ctx, t, bob)
		t.Logf("listening after %s, all there after %s", up.Round(time.Millisecond), time.Since(restarted).Round(time.Millisecond))
	}
}

// watcher is what alice sees.
type watcher struct {
	mu    sync.Mutex
	last  client.Event
	heads int
	news  chan struct{}
}

func (s *watcher) heard(e client.Event) {
	if e.Type != "presence" {
		return
	}
	s.mu.Lock()
	s.last, s.heads = e, s.heads+1
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// await waits until alice sees what bob knows to be acknowledged.
func (s *watcher) await(ctx context.Context, t *testing.T, w *writer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		s.mu.Lock()
		last, heads := s.last, s.heads
		s.mu.Unlock()
		wrong := w.differs(last)
		if last.State == "terminated" {
			t.Fatalf("alice's subscription has ended: %s", last.Reason)
		}
		if wrong == "" {
			return
		}
		select {
		case <-s.news:
		case <-ctx.Done():
			t.Fatalf("alice does not see what was acknowledged: %s; her last of %d:\n%s", wrong, heads, last.Body)
		}
	}
}

// differs says in what a document is not the acknowledged state; "": in nothing.
func (w *writer) differs(e client.Event) string {
	shown := map[string]string{}
	for _, tuple := range e.Tuples {
		shown[tuple.ID] = tuple.Contact
	}
	for id, n := range w.tuples {
		if want := fmt.Sprintf("sip:n%d@example.com", n); shown[id] != want {
			return fmt.Sprintf("tuple %s shows %q, want %s", id, shown[id], want)
		}
	}
	return ""
}
