package figures

import (
	"fmt"
	"time"
)

// usage is what a server has of the machine, and what it holds for others.
type usage struct {
	goroutines, descriptors int
	resident, heap          int // KiB; of the heap what lives
	held                    int // subscriptions, bindings, presentities, INVITEs
	remembered              int // transactions, most of them answered and kept for 32 seconds
}

// sample is both servers' at a time.
type sample struct {
	lives int64
	at    time.Duration
	usage []usage
}

const (
	soakHead = "| | time | lives | server-a: goroutines | descriptors | resident | live heap | server-b: goroutines | descriptors | resident | live heap |"
	soakLine = "|---|---|---|---|---|---|---|---|---|---|---|"
)

// row is the sample as a line of a table.
func (s sample) row(what string) string {
	line := fmt.Sprintf("| %s | %s | %d |", what, s.at.Round(time.Second), s.lives)
	for _, u := range s.usage {
		line += fmt.Sprintf(" %d | %d | %.1f MiB | %.1f MiB |", u.goroutines, u.descriptors, float64(u.resident)/1024, float64(u.heap)/1024)
	}
	return line
}

func (b *unionBed) sample(lives int64, began time.Time) sample {
	return sample{lives, time.Since(began), []usage{b.servers["a"].usage(), b.servers["b"].usage()}}
}

// usage reads a server's metrics, after a collection of garbage.
func (p *process) usage() usage {
	p.t.Helper()
	p.get("/debug/pprof/heap?gc=1")
	m := p.metrics()
	return usage{
		goroutines:  m.sum("go_goroutines"),
		descriptors: m.sum("process_open_fds"),
		resident:    m.sum("process_resident_memory_bytes") >> 10,
		heap:        m.sum("go_memstats_heap_alloc_bytes") >> 10,
		held:        m.sum("presfed_subscriptions", "presfed_bindings", "presfed_presentities", "presfed_invites_pending"),
		remembered:  m.sum("presfed_sip_client_transactions", "presfed_sip_server_transactions"),
	}
}

// Room above what was there when all had left before: a connection and its
// goroutines between the servers, what a pool keeps.
const (
	roomGoroutines  = 6
	roomDescriptors = 4
	roomHeap        = 4 << 10 // KiB
)

// quiet is what the servers have once nobody is there any more, and, with a base, no
// more than that; it waits for what comes to an end by timers, and if memory is asked
// for as well, until nothing is remembered of those who were there.
func (b *unionBed) quiet(base []usage, memory bool) []usage {
	b.t.Helper()
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		now := b.sample(0, time.Now()).usage
		calm := true
		for i, u := range now {
			calm = calm && u.held == 0 && !(memory && u.remembered > 0)
			if base != nil {
				calm = calm && u.goroutines <= base[i].goroutines+roomGoroutines && u.descriptors <= base[i].descriptors+roomDescriptors
				calm = calm && !(memory && u.heap > base[i].heap+roomHeap)
			}
		}
		if calm {
			return now
		}
		if time.Now().After(end) {
			b.t.Fatalf("all have left, and the servers have %+v; it was %+v", now, base)
		}
	}
}
