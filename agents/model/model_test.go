package model

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"presfed/agents/programs"
)

// What repeats a run, or makes it longer.
const (
	seedVariable      = "PRESFED_MODEL_SEED"      // the first sequence's; each next one counts on
	sequencesVariable = "PRESFED_MODEL_SEQUENCES" // how many
	bedsVariable      = "PRESFED_MODEL_BEDS"      // for each variant
	replayVariable    = "PRESFED_MODEL_REPLAY"    // a file with a scenario as it was printed
	shrinkVariable    = "PRESFED_MODEL_SHRINK"    // how long to look for fewer steps, as in 5m
	emptyVariable     = "PRESFED_MODEL_EMPTY"     // not empty: look after each sequence whether something is left over
	logVariable       = "PRESFED_MODEL_LOG"       // a file for what the servers said, when something is wrong
)

// TestModel runs random sequences of steps on real servers. A divergence is
// printed as its seed and as a scenario that can be replayed.
func TestModel(t *testing.T) {
	program := programs.Ours(t)
	if path := os.Getenv(replayVariable); path != "" {
		replay(t, program, path)
		return
	}
	seed, sequences, beds := uint64(time.Now().UnixNano()/1e6), 52, 1
	if testing.Short() {
		sequences = 8
	}
	number(t, seedVariable, &seed)
	number(t, sequencesVariable, &sequences)
	number(t, bedsVariable, &beds)
	t.Logf("%s=%d %s=%d repeats the choices", seedVariable, seed, sequencesVariable, sequences)
	began := time.Now()
	var mu sync.Mutex // of what is counted
	var all figures
	steps := 0
	next := make([]atomic.Uint64, len(variants)) // the seeds of each variant
	var workers sync.WaitGroup
	for v := range variants {
		for range beds {
			workers.Go(func() {
				steady := &lasting{program: program, variant: variants[v]}
				defer steady.close(t)
				for !t.Failed() {
					n := next[v].Add(1) - 1
					i := n*uint64(len(variants)) + (uint64(len(variants))+uint64(v)-seed%uint64(len(variants)))%uint64(len(variants))
					if i >= uint64(sequences) {
						return
					}
					s := generate(seed + i)
					w, err := steady.run(t.Context(), s)
					if err != nil {
						report(t, steady, s, w, fmt.Errorf("seed %d: %w", seed+i, err))
						return
					}
					mu.Lock()
					steps += len(s.Steps)
					all.add(w.figures)
					mu.Unlock()
				}
			})
		}
	}
	workers.Wait()
	if t.Failed() {
		return
	}
	fmt.Printf("\n| sequences | steps | times all watchers were looked at | divergences | slowest settling | NOTIFYs a change | time |\n|---|---|---|---|---|---|---|\n"+
		"| %d | %d | %d | 0 | %s | at most %.1f | %s |\n",
		sequences, steps, all.settled, all.slowest.Round(time.Millisecond), all.busiest, time.Since(began).Round(time.Second))
}

// lasting is a bed that is used again for one sequence after the other.
type lasting struct {
	program string
	variant
	bed *bed
	n   int
}

// run runs a scenario.
func (l *lasting) run(ctx context.Context, s scenario) (w *world, err error) {
	if l.bed == nil {
		for try := 1; ; try++ { // somebody else may take a port that was free
			if l.bed, err = newBed(ctx, l.program, l.variant); err == nil {
				break
			}
			if try == 3 {
				l.bed = nil
				return &world{}, err
			}
		}
	}
	l.n++
	w, err = newWorld(ctx, l.bed, fmt.Sprintf("s%d", l.n), s.Places)
	if err != nil {
		return w, errors.Join(err, w.close(ctx))
	}
	err = w.play(ctx, s.Steps)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err != nil { // it is not looked at how it ends
		var ended context.CancelFunc
		ctx, ended = context.WithCancel(ctx)
		ended()
	}
	if end := w.close(ctx); err == nil && end != nil {
		err = fmt.Errorf("at the end: %w", end)
	}
	if err == nil && os.Getenv(emptyVariable) != "" {
		err = l.bed.empty()
	}
	return w, err
}

// play does the steps, then has everything mended and looks again.
func (w *world) play(ctx context.Context, steps []step) error {
	for i, s := range steps {
		ctx, cancel := context.WithTimeout(ctx, 2*patience)
		err := ops[s.op](w, ctx, s)
		cancel()
		if err != nil {
			return fmt.Errorf("step %d (%s): %w", i, s, err)
		}
		if s.op == "settle" {
			w.note("settled")
		}
		if s.op != "settle" {
			w.stepped()
		}
	}
	if err := w.bed.mend(); err != nil {
		return err
	}
	w.note("everything is mended")
	w.sweep()
	w.stepped()
	return w.settle(ctx)
}

// close ends the bed. Nothing may be left over on its servers.
func (l *lasting) close(t *testing.T) {
	if l.bed == nil {
		return
	}
	if !t.Failed() {
		if err := l.bed.empty(); err != nil {
			t.Error(err)
		}
	}
	if err := l.bed.close(); err != nil {
		t.Error(err)
	}
	l.bed = nil
}

// report shows a divergence, shrunk if that is asked for.
func report(t *testing.T, l *lasting, s scenario, w *world, err error) {
	t.Errorf("%v\nWhat was done:\n%s\nThe scenario, for a file that %s names:\n%s\n", err, strings.Join(w.log, "\n"), replayVariable, s)
	if l.bed != nil {
		if path := os.Getenv(logVariable); path != "" {
			_ = os.WriteFile(path, []byte(l.bed.logs()), 0o600)
		}
		_ = l.bed.close()
		l.bed = nil
	}
	limit, bad := time.ParseDuration(os.Getenv(shrinkVariable))
	if bad != nil {
		return
	}
	least, err := shrink(t.Context(), l.program, s, limit)
	t.Errorf("with fewer steps: %v\n%s", err, least)
}

func replay(t *testing.T, program, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var s scenario
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	l := &lasting{program: program, variant: s.variant}
	defer l.close(t)
	if w, err := l.run(t.Context(), s); err != nil {
		report(t, l, s, w, err)
	}
}

// shrink leaves out steps as long as something is still wrong.
func shrink(ctx context.Context, program string, s scenario, limit time.Duration) (least scenario, wrong error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for size := len(s.Steps) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(s.Steps) && ctx.Err() == nil; {
			fewer := s
			fewer.Steps = append(s.Steps[:at:at], s.Steps[at+size:]...)
			l := &lasting{program: program, variant: s.variant}
			_, err := l.run(ctx, fewer)
			if l.bed != nil {
				_ = l.bed.close()
			}
			if err != nil && ctx.Err() == nil {
				s, wrong = fewer, err
			} else {
				at += size
			}
		}
	}
	return s, wrong
}

func number[T uint64 | int](t *testing.T, variable string, into *T) {
	if v := os.Getenv(variable); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", variable, err)
		}
		*into = T(n)
	}
}

func keys[M ~map[K]V, K comparable, V any](m M) iter.Seq[K] { return maps.Keys(m) }
