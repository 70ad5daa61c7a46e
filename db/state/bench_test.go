package state

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// BenchmarkCommit is what one acknowledged operation costs where 64 are always
// under way, among 10,000 rows.
func BenchmarkCommit(b *testing.B) {
	const rows = 10_000
	body := bytes.Repeat([]byte("x"), 1000)
	publication := func(n, turn int) Publication {
		return Publication{
			ID: fmt.Sprintf("P%08x", uint32(n)*2654435761), Resource: fmt.Sprintf("sip:user%d@example.com", n), Package: "presence",
			ETag: fmt.Sprintf("%016X", uint64(turn*rows+n)*11400714819323198485), ContentType: "application/pidf+xml", Body: body,
			Stamped: time.Unix(int64(turn), 0), Expires: time.Unix(1e9, 0),
		}
	}
	subscription := func(n int) Subscription {
		return Subscription{
			Half: Notifier, ID: fmt.Sprintf("S%08X", n), Package: "presence", Resource: fmt.Sprintf("sip:user%d@example.com", n/10), View: "composed",
			Watcher: fmt.Sprintf("sip:watcher%d@example.com", n), Peer: fmt.Sprintf("device watcher%d@example.com at w@127.0.0.1:5060", n),
			CallID: fmt.Sprintf("call-%d@example.com", n), LocalTag: "LOCALTAG", RemoteTag: "remotetag",
			LocalAddress: "<sip:user@example.com>;tag=LOCALTAG", RemoteAddress: "<sip:watcher@example.com>;tag=remotetag",
			Contact: "<sip:user@127.0.0.1:5060>", Target: "sip:w@127.0.0.1:5060", ContentType: "application/pidf+xml", State: "active",
			CSeqReserved: 100, RemoteCSeq: 1, Expires: time.Unix(1e9, 0),
		}
	}
	for _, bench := range []struct {
		name string
		do   func(tx *Tx, n, turn int) error
	}{
		{"publication", func(tx *Tx, n, turn int) error { return tx.PutPublication(publication(n, turn)) }},
		{"subscription", func(tx *Tx, n, turn int) error { return tx.PutSubscription(subscription(turn*rows + n)) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s, err := Open(filepath.Join(b.TempDir(), "state.db"), Options{})
			if err != nil {
				b.Fatal(err)
			}
			ctx, stop := context.WithCancel(context.Background())
			var running, waiting sync.WaitGroup
			running.Go(func() { _ = s.Run(ctx) })
			under := make(chan struct{}, 64)
			put := func(i int) {
				under <- struct{}{}
				waiting.Add(1)
				s.Commit(func(tx *Tx) error { return bench.do(tx, i%rows, i/rows) }, func(err error) {
					if err != nil {
						b.Error(err)
					}
					<-under
					waiting.Done()
				})
			}
			for i := range rows {
				put(i)
			}
			waiting.Wait()
			b.ReportAllocs()
			b.ResetTimer()
			before := processorTime()
			for i := range b.N {
				put(rows + i)
			}
			waiting.Wait()
			b.StopTimer()
			b.ReportMetric(float64((processorTime()-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
			stop()
			running.Wait()
			_ = s.Close()
		})
	}
}

// processorTime is what this process has had: the machine may be shared.
func processorTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
