package figures

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The variables of TestKills: how often, and the seed that repeats the choices.
const (
	killCount = "PRESFED_KILLS"
	killSeed  = "PRESFED_KILL_SEED"
)

// TestKills kills servers with signal 9 while many publish, watch, register and
// decide who may watch, and starts them again where they were. What was answered 2xx
// is there after it, what was under way may be either; dialogs and entity-tags go on,
// and every watcher is shown what is.
func TestKills(t *testing.T) {
	kills, seed := number(t, killCount, 5), uint64(number(t, killSeed, int(time.Now().UnixNano())))
	t.Logf("%s=%d repeats the choices", killSeed, seed)
	b := newKillBed(t, seed)
	var ready, right []time.Duration
	for n := range kills {
		x := b.underLoad()
		b.sound(b.state(x))
		began := time.Now()
		b.start(t.Context(), x)
		ready = append(ready, time.Since(began))
		b.decider.goOn(nil) // first: no server is asked
		b.herself.goOn(nil)
		b.right(fmt.Sprintf("kill %d, of server-%s: after the restart", n+1, x))
		right = append(right, time.Since(began))
		b.goOn()
		if t.Failed() {
			t.Fatalf("kill %d, of server-%s", n+1, x)
		}
	}
	for x, p := range b.servers {
		p.kill()
		b.sound(b.state(x))
	}
	if b.interrupted == 0 {
		t.Error("no kill met a request under way")
	}
	slices.Sort(ready)
	slices.Sort(right)
	c := b.crowd
	fmt.Printf("\n%s=%d\n\n", killSeed, seed)
	fmt.Println("| kills | PUBLISH acknowledged | SUBSCRIBE | REGISTER | policy changes | by XCAP | NOTIFYs | under way at the kills | lost | ready again, median | longest | all watchers right, median | longest |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	ms := func(d time.Duration) string { return fmt.Sprint(d.Milliseconds(), " ms") }
	fmt.Printf("| %d | %d | %d | %d | %d | %d | %d | %d | 0 | %s | %s | %s | %s |\n", kills, c.publish.Load(), c.subscribe.Load(), c.register.Load(), c.decide.Load(), c.rule.Load(),
		c.notified.Load(), b.interrupted, ms(ready[kills/2]), ms(ready[kills-1]), ms(right[kills/2]), ms(right[kills-1]))
}

// actor makes one request after another, so that what was answered says what must
// be.
type actor interface {
	step(rng *rand.Rand) // one request; none once it is not known what became of one
	goOn(rng *rand.Rand) // after a restart: finds that out, and that all goes on
}

// underLoad has everybody work until a random moment, and kills a server then.
func (b *killBed) underLoad() (x string) {
	x = []string{"a", "b"}[b.rng.IntN(2)]
	before, enough := b.answered.Load(), int64(50+b.rng.IntN(300))
	moment := time.Duration(b.rng.IntN(3000)) * time.Microsecond
	var over atomic.Bool
	working := b.together(func(a actor, rng *rand.Rand) {
		for !over.Load() && !b.t.Failed() {
			a.step(rng)
		}
	})
	for end := time.Now().Add(patience); b.answered.Load() < before+enough && time.Now().Before(end); {
		time.Sleep(100 * time.Microsecond) // how close to the moment
	}
	time.Sleep(moment)
	b.interrupted += b.underWay.Load()
	b.servers[x].kill()
	b.decider.interrupt()
	over.Store(true)
	working.Wait()
	return x
}

// goOn has everybody find out what is, at once, and holds the watchers to that.
func (b *killBed) goOn() {
	b.together(actor.goOn).Wait()
	b.right("after all went on")
	for _, p := range b.persons {
		if p.settle(b.watches); p.stuck < 12 {
			continue
		}
		for _, w := range b.watches { // what she has published is more than she can take back
			if w.p == p {
				w.leave()
			}
		}
		p.begin()
	}
}

// together has each actor do something, with random numbers of its own.
func (b *killBed) together(do func(a actor, rng *rand.Rand)) *sync.WaitGroup {
	var working sync.WaitGroup
	for _, a := range b.actors {
		rng := rand.New(rand.NewPCG(b.rng.Uint64(), 0))
		working.Go(func() { do(a, rng) })
	}
	return &working
}
