package bed

import (
	"bytes"
	"sync"

	"presfed/agents/internal/wire"
)

// maxRecords bounds what a bed remembers; further records are not kept.
const maxRecords = 200_000

// recorder collects the records of every participant.
type recorder struct {
	mu      sync.Mutex
	records []wire.Record
	more    chan struct{}
}

func newRecorder() *recorder { return &recorder{more: make(chan struct{})} }

// tap is a wire.Tap.
func (r *recorder) tap(rec wire.Record) {
	rec.Raw = bytes.Clone(rec.Raw)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.records) >= maxRecords {
		return
	}
	r.records = append(r.records, rec)
	close(r.more)
	r.more = make(chan struct{})
}

// all are the records so far, and what is closed when there are others.
func (r *recorder) all() ([]wire.Record, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.records[:len(r.records):len(r.records)], r.more
}
