package msrp

import (
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// volume is how many MiB TestConstantMemory sends: PRESFED_MSRP_MIB, else 32.
func volume(t *testing.T) int64 {
	if v := os.Getenv("PRESFED_MSRP_MIB"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n << 20
	}
	if testing.Short() {
		return 4 << 20
	}
	return 32 << 20
}

// A message far larger than what both ends may hold passes through them, its
// size unknown to either.
func TestConstantMemory(t *testing.T) {
	size := volume(t)
	a, b := startEndpoint(t, Config{}), startEndpoint(t, Config{})
	stream := NewStream(1 << 20)
	sa, _ := pair(t, a, b, SessionConfig{}, SessionConfig{Accept: func(Incoming) (Sink, error) { return stream, nil }})

	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var most atomic.Uint64
	stop := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most.Store(max(most.Load(), m.HeapInuse))
			}
		}
	}()

	in, out := crc32.NewIEEE(), crc32.NewIEEE()
	arrived := make(chan int64, 1)
	go func() {
		n, err := io.Copy(in, stream)
		if err != nil {
			t.Error(err)
		}
		arrived <- n
	}()
	source := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{7}), size), out)
	begun := time.Now()
	sent, err := sa.Send(t.Context(), "application/octet-stream", source, SendOptions{SuccessReport: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := sent.Reported(testContext(t)); err != nil {
		t.Error(err)
	}
	n := await(t, arrived)
	close(stop)
	<-watched
	t.Logf("%d MiB in %s, heap at most %d KiB", size>>20, time.Since(begun).Round(time.Millisecond), most.Load()>>10)
	if n != size || in.Sum32() != out.Sum32() {
		t.Errorf("%d of %d bytes, checksums %x %x", n, size, in.Sum32(), out.Sum32())
	}
	if grown := int64(most.Load()) - int64(before.HeapInuse); grown > 16<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}
