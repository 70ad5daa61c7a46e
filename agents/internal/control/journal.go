package control

import (
	"bytes"
	"sync"

	"presfed/agents/internal/wire"
)

// DefaultJournalBytes is how much a journal keeps unless it is told otherwise.
const DefaultJournalBytes = 16 << 20

// recordOverhead is counted for each record beside its bytes.
const recordOverhead = 256

// Journal keeps the wire records of one participant since its start, up to a
// number of bytes; past it the oldest go. It numbers them, so that several taps
// of one participant share one count.
type Journal struct {
	participant string
	limit       int

	mu      sync.Mutex
	records []wire.Record // oldest first, from head on
	head    int
	size    int
	last    uint64        // sequence number of the newest, dropped or not
	changed chan struct{} // closed at the next change; nil while nobody waits
	closed  bool
}

// NewJournal keeps up to limit bytes of the participant's records; 0 is
// DefaultJournalBytes.
func NewJournal(participant string, limit int) *Journal {
	if limit <= 0 {
		limit = DefaultJournalBytes
	}
	return &Journal{participant: participant, limit: limit}
}

// Tap is a wire.Tap. It sets Seq, and Participant where it is empty.
func (j *Journal) Tap(r wire.Record) {
	r.Raw = bytes.Clone(r.Raw)
	if r.Participant == "" {
		r.Participant = j.participant
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	j.last++
	r.Seq = j.last
	j.records = append(j.records, r)
	j.size += len(r.Raw) + recordOverhead
	for j.size > j.limit {
		j.dropOldest()
	}
	j.wake()
}

// Close ends the journal: readers get what is left, then the end.
func (j *Journal) Close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.wake()
}

func (j *Journal) dropOldest() {
	j.size -= len(j.records[j.head].Raw) + recordOverhead
	j.records[j.head] = wire.Record{}
	j.head++
	if j.head > len(j.records)/2 {
		n := copy(j.records, j.records[j.head:])
		clear(j.records[n:])
		j.records, j.head = j.records[:n], 0
	}
}

func (j *Journal) wake() {
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// batch is what a reader gets at once.
type batch struct {
	records []wire.Record
	lost    uint64          // so many are gone between what was asked for and records
	next    uint64          // what to ask for after this
	changed <-chan struct{} // with nothing in it: closed when that changes
	closed  bool            // with nothing in it: there will be nothing more
}

// read is up to limit records after a sequence number.
func (j *Journal) read(after uint64, limit int) batch {
	j.mu.Lock()
	defer j.mu.Unlock()
	held := j.records[j.head:]
	first := j.last - uint64(len(held)) + 1 // records are numbered without gaps
	b := batch{next: min(after, j.last)}
	if b.next+1 < first {
		b.lost, b.next = first-1-b.next, first-1
	}
	held = held[b.next+1-first:]
	b.records = append([]wire.Record(nil), held[:min(limit, len(held))]...)
	b.next += uint64(len(b.records))
	if len(b.records) > 0 || b.lost > 0 {
		return b
	}
	if b.closed = j.closed; !b.closed {
		if j.changed == nil {
			j.changed = make(chan struct{})
		}
		b.changed = j.changed
	}
	return b
}
