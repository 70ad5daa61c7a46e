// Package bounded says what reading one input may cost at most, in time and memory:
// for tests.
package bounded

import (
	"runtime/metrics"
	"testing"
	"time"
)

// The bounds: a peer must not get much work or memory for a few bytes. What the
// counters of the runtime have not yet noted of small objects is within Base.
const (
	Time = time.Second
	Base = 2 << 20 // bytes allocated, whatever the input
	Each = 400     // and for each byte of it
)

const allocated = "/gc/heap/allocs:bytes"

// Read runs f, which reads an input of n bytes, and fails the test where that takes
// more than Time, or more memory than Base and Each for each byte. What took long runs
// again, twice at most: the machine may have been busy with something else.
func Read(t testing.TB, n int, f func()) {
	t.Helper()
	before, begun := heap(), time.Now()
	f()
	took, spent := time.Since(begun), heap()-before
	for try := 0; took > Time && try < 2; try++ {
		begun = time.Now()
		f()
		took = time.Since(begun)
	}
	if took > Time {
		t.Errorf("%d bytes took %s, at most %s", n, took, Time)
	}
	if most := uint64(Base + Each*n); spent > most {
		t.Errorf("%d bytes took %d bytes of memory, at most %d", n, spent, most)
	}
}

func heap() uint64 {
	s := []metrics.Sample{{Name: allocated}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
