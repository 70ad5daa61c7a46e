package figures

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"presfed/db"
)

// The variables of TestSoak: how long, and how often what the servers have is read.
const (
	soakTime  = "PRESFED_SOAK"
	soakEvery = "PRESFED_SOAK_EVERY"
)

// couples is how many pairs of users come and go at once.
const couples = 6

// TestSoak has users come, do all that users do, and go, one couple after another,
// and reads what the servers have of goroutines, descriptors and memory. When all
// have left it must be what it was after the first who did.
func TestSoak(t *testing.T) {
	long, every := duration(t, soakTime, 3*time.Second), duration(t, soakEvery, time.Second)
	b := newUnionBed(t.Context(), t, killPlaces[0], db.RootPolicy, 0, couples, "tcp:127.0.0.1:0", "tls:127.0.0.1:0", "--pprof")
	var lives atomic.Int64
	each(func(n int) { b.life(n); lives.Add(1) }) // links between the servers stay
	memory := long > 2*time.Minute                // what is remembered for half a minute has stopped growing long before the end
	base := b.quiet(nil, memory)
	began := time.Now()
	var crowd sync.WaitGroup
	for n := range couples {
		crowd.Go(func() {
			for time.Since(began) < long && !t.Failed() {
				next := time.Now().Add(time.Second)
				b.life(n)
				lives.Add(1)
				if long > time.Minute {
					time.Sleep(time.Until(next)) // a pace that a machine may have for hours
				}
			}
		})
	}
	busy := make(chan struct{})
	go func() { crowd.Wait(); close(busy) }()
	samples := []sample{b.sample(lives.Load(), began)}
	for tick := time.NewTicker(every); ; {
		select {
		case <-tick.C:
			samples = append(samples, b.sample(lives.Load(), began))
			fmt.Fprintln(os.Stderr, "soak:", samples[len(samples)-1].row("so far"))
			continue
		case <-busy:
			tick.Stop()
		}
		break
	}
	over := time.Since(began)
	end := b.quiet(base, memory)
	if memory {
		flat(t, samples)
	}
	fmt.Printf("\n%s\n%s\n", soakHead, soakLine)
	fmt.Println(sample{usage: base}.row("all have left once"))
	for _, s := range few(samples[1:]) {
		fmt.Println(s.row("users come and go"))
	}
	fmt.Println(sample{lives: lives.Load(), at: over, usage: end}.row("all have left"))
}

// each runs f for every couple at once.
func each(f func(n int)) {
	var all sync.WaitGroup
	for n := range couples {
		all.Go(func() { f(n) })
	}
	all.Wait()
}

// few are at most 16 samples, evenly.
func few(all []sample) (some []sample) {
	step := max(1, (len(all)+15)/16)
	for i := step - 1; i < len(all); i += step {
		some = append(some, all[i])
	}
	return some
}

// flat compares the last third of the samples with the third in the middle: by
// then everything that grows once has grown.
func flat(t *testing.T, samples []sample) {
	third := len(samples) / 3
	if third == 0 {
		return
	}
	for i, x := range []string{"a", "b"} {
		for what, read := range map[string]func(usage) int{
			"goroutines":        func(u usage) int { return u.goroutines },
			"descriptors":       func(u usage) int { return u.descriptors },
			"live heap, KiB":    func(u usage) int { return u.heap },
			"resident set, KiB": func(u usage) int { return u.resident },
		} {
			median := func(of []sample) int {
				var all []int
				for _, s := range of {
					all = append(all, read(s.usage[i]))
				}
				slices.Sort(all)
				return all[len(all)/2]
			}
			before, after := median(samples[third:2*third]), median(samples[2*third:])
			room := before/4 + 20
			if what == "live heap, KiB" || what == "resident set, KiB" {
				room = before/4 + 4<<10
			}
			if after > before+room {
				t.Errorf("server-%s: %s grow, %d and then %d", x, what, before, after)
			}
		}
	}
}
