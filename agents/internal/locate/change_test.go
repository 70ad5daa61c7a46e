package locate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"presfed/agents/internal/locate"
	"presfed/db"
	"presfed/routing"
)

// steps are changes another process makes, and what is told of each.
var steps = []struct {
	name string
	make func(*db.Tx) error
	told locate.Changed
}{
	{"policy", func(x *db.Tx) error {
		return x.SetRule(db.Rule{Presentity: bob, Match: db.MatchDefault, Handling: db.Block})
	}, locate.Changed{Policy: []string{bob}}},
	{"move", func(x *db.Tx) error { return x.Move(bob, "server-b", "server-a") }, locate.Changed{Places: []string{bob}}},
	{"buddies", func(x *db.Tx) error { return x.RemoveBuddy(alice, bob) }, locate.Changed{Buddies: []string{alice}}},
	{"password", func(x *db.Tx) error { return x.SetPassword(alice, "new") }, locate.Changed{Users: []string{alice}}},
	{"default", func(x *db.Tx) error { return x.SetDomain(db.Domain{Name: "example.com", Default: db.Allow}) }, locate.Changed{Domain: true}},
	{"server", func(x *db.Tx) error {
		return x.SetServer(db.Server{Name: "server-b", URI: "sip:127.0.0.99", Identity: "moved.example.com"})
	}, locate.Changed{Servers: []string{"server-b"}}},
	{"new", func(x *db.Tx) error { return x.AddUser(db.User{AOR: "carol"}) }, locate.Changed{Users: []string{"carol@example.com"}}},
	{"gone", func(x *db.Tx) error { return x.RemoveUser(bob) },
		locate.Changed{Users: []string{bob}, Places: []string{bob}, Policy: []string{bob}, Buddies: []string{bob}}},
}

// A change is answered with as soon as the mode promises, and told once.
func TestChanges(t *testing.T) {
	both(t, func(t *testing.T, b *bed) {
		var told []locate.Changed
		stop := b.OnChange(func(c locate.Changed) {
			told = append(told, c)
			// Who is told may ask, and hears what is new.
			same(t, ask(t, b.other, alice, bob), ask(t, b, alice, bob))
		})
		defer stop()
		ask(t, b, alice, bob)
		_, consult := b.Locator.(*locate.Consult)
		for _, step := range steps {
			must(t, b.other.Update(t.Context(), step.make))
			if consult {
				same(t, ask(t, b.other, alice, bob, "carol@example.com"), ask(t, b, alice, bob, "carol@example.com"))
			}
			must(t, b.Refresh(t.Context()))
			must(t, b.Refresh(t.Context()))
			same(t, []locate.Changed{step.told}, told)
			same(t, ask(t, b.other, alice, bob, "carol@example.com"), ask(t, b, alice, bob, "carol@example.com"))
			told = nil
		}
		if h := b.Health(); !h.Reachable || h.Revision != revision(t, b.other) {
			t.Errorf("health %+v", h)
		}
		stop()
		must(t, b.other.AddUser(t.Context(), db.User{AOR: "dave"}))
		must(t, b.Refresh(t.Context()))
		same(t, []locate.Changed(nil), told)
	})
}

func revision(t testing.TB, d *db.DB) db.Revision {
	t.Helper()
	r, err := d.Revision(t.Context())
	must(t, err)
	return r
}

// Run polls by the clock, and ends with its context.
func TestRun(t *testing.T) {
	both(t, func(t *testing.T, b *bed) {
		ctx, cancel := context.WithCancel(t.Context())
		told := make(chan locate.Changed)
		defer b.OnChange(func(c locate.Changed) { told <- c })()
		done := make(chan error)
		go func() { done <- b.Run(ctx) }()
		for i := range 3 {
			must(t, b.other.SetRule(t.Context(), db.Rule{Presentity: bob, Match: db.MatchUser, Watcher: fmt.Sprint("w", i), Handling: db.Allow}))
			var c locate.Changed
			for waiting := true; waiting; {
				select {
				case c = <-told:
					waiting = false
				default:
					b.clock.Advance(locate.Poll) // until Run has set its timer again
				}
			}
			same(t, locate.Changed{Policy: []string{bob}}, c)
		}
		cancel()
		must(t, <-done)
	})
}

// TestSameAnswers changes the directory at random, and compares both modes with
// the directory itself.
func TestSameAnswers(t *testing.T) {
	both(t, func(t *testing.T, b *bed) {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 1))
		t.Logf("seed %d", seed)
		aors := []string{alice, bob, "carol@example.com"}
		servers := []string{"server-a", "server-b"}
		for i := range 150 {
			aor := aors[r.IntN(len(aors))]
			change := []func(*db.Tx) error{
				func(x *db.Tx) error { return x.AddUser(db.User{AOR: aor}) },
				func(x *db.Tx) error { return x.RemoveUser(aor) },
				func(x *db.Tx) error { return x.SetPassword(aor, fmt.Sprint(i)) },
				func(x *db.Tx) error {
					return x.Assign(aor, routing.Place{Model: routing.Peer, Servers: servers[:r.IntN(3)]})
				},
				func(x *db.Tx) error {
					return x.SetRule(db.Rule{Presentity: aor, Match: db.MatchUser, Watcher: aors[r.IntN(3)], Handling: db.Handlings()[r.IntN(4)]})
				},
				func(x *db.Tx) error { return x.SetBuddies(aor, aors[:r.IntN(4)]) },
				func(x *db.Tx) error {
					return x.SetServer(db.Server{Name: servers[r.IntN(2)], URI: fmt.Sprintf("sip:10.0.0.%d", i), Identity: "x.example.com"})
				},
			}[r.IntN(7)]
			if err := b.other.Update(t.Context(), change); err != nil && !errors.Is(err, db.ErrNotFound) && !errors.Is(err, db.ErrExists) {
				t.Fatal(err)
			}
			if r.IntN(3) == 0 {
				ask(t, b, aor) // what is remembered now must be forgotten in time
			}
			if _, consult := b.Locator.(*locate.Consult); !consult || r.IntN(4) == 0 {
				must(t, b.Refresh(t.Context()))
			}
			want, got := ask(t, b.other, aors...), ask(t, b, aors...)
			same(t, want, got)
			if t.Failed() {
				t.Fatalf("after change %d", i)
			}
		}
	})
}

// Many ask while another process changes; nobody is answered with something
// older than what was there when they began.
func TestConcurrent(t *testing.T) {
	both(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		_, consult := b.Locator.(*locate.Consult)
		var mu sync.Mutex
		written := 0
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					mu.Lock()
					least := written
					mu.Unlock()
					if !consult {
						if err := b.Refresh(ctx); err != nil {
							t.Error(err)
							return
						}
					}
					u, err := b.User(ctx, alice)
					if err != nil {
						t.Error(err)
						return
					}
					n := 0
					fmt.Sscanf(u.Display, "Alice %d", &n)
					if n < least {
						t.Errorf("answered with change %d after %d was made", n, least)
						return
					}
					if n == 60 {
						return
					}
				}
			})
		}
		for i := range 60 {
			must(t, b.other.SetUser(ctx, db.User{AOR: alice, Display: fmt.Sprintf("Alice %d", i+1)}))
			mu.Lock()
			written = i + 1
			mu.Unlock()
		}
		wg.Wait()
	})
}

func BenchmarkPlace(b *testing.B) {
	for _, mode := range []string{"consult", "synchronised"} {
		b.Run(mode, func(b *testing.B) {
			bed := newBed(b, mode)
			ctx := context.Background()
			for b.Loop() {
				p, err := bed.Place(ctx, alice)
				if err != nil || !slices.Contains(p.Servers, "server-a") {
					b.Fatal(p, err)
				}
			}
		})
	}
}
