package control

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"presfed/agents/internal/wire"
)

// TestJournal holds the journal against the plain list of all that was put in:
// what a reader gets, in order, is the list without the gaps it was told of.
func TestJournal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 4000).Draw(t, "limit")
		j := NewJournal("alice-pc", limit)
		var all [][]byte
		var position, lost uint64
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			for range rapid.IntRange(0, 5).Draw(t, "records") {
				raw := rapid.SliceOfN(rapid.Byte(), 0, 900).Draw(t, "raw")
				all = append(all, bytes.Clone(raw))
				j.Tap(wire.Record{Raw: raw})
				clear(raw) // the journal must not hold on to what it was lent
			}
			if rapid.Bool().Draw(t, "skip") {
				continue
			}
			b := j.read(position, rapid.IntRange(1, 4).Draw(t, "batch"))
			lost += b.lost
			for i, r := range b.records {
				want := position + b.lost + uint64(i) + 1
				if r.Seq != want || !bytes.Equal(r.Raw, all[want-1]) || r.Participant != "alice-pc" {
					t.Fatalf("record %d of %s, want %d", r.Seq, r.Participant, want)
				}
			}
			position += b.lost + uint64(len(b.records))
			if b.next != position {
				t.Fatalf("next %d, want %d", b.next, position)
			}
		}
		held := 0
		for b := j.read(0, 1000); held < len(b.records); held++ {
		}
		if size := held * recordOverhead; size > limit {
			t.Fatalf("%d records held, limit %d bytes", held, limit)
		}
		if limit >= 60*5*(900+recordOverhead) && lost > 0 {
			t.Fatalf("%d lost below the limit", lost)
		}
	})
}

func TestJournalKeepsAllBelowItsLimit(t *testing.T) {
	j := NewJournal("x", 10*(100+recordOverhead))
	for range 10 {
		j.Tap(wire.Record{Raw: make([]byte, 100)})
	}
	if b := j.read(0, 100); b.lost != 0 || len(b.records) != 10 {
		t.Errorf("%d records, %d lost, want 10 and 0", len(b.records), b.lost)
	}
	j.Tap(wire.Record{Raw: make([]byte, 100)})
	if b := j.read(0, 100); b.lost != 1 || len(b.records) != 10 || b.records[0].Seq != 2 {
		t.Errorf("%d records from %d, %d lost, want 10 from 2 and 1", len(b.records), b.records[0].Seq, b.lost)
	}
}

func TestJournalDropsWhatIsTooBig(t *testing.T) {
	j := NewJournal("x", 1000)
	j.Tap(wire.Record{Raw: make([]byte, 5000)})
	if b := j.read(0, 10); b.lost != 1 || len(b.records) != 0 || b.next != 1 {
		t.Errorf("%+v", b)
	}
	j.Tap(wire.Record{Raw: []byte("small")})
	if b := j.read(1, 10); b.lost != 0 || len(b.records) != 1 || b.records[0].Seq != 2 {
		t.Errorf("%+v", b)
	}
}

func TestJournalWakes(t *testing.T) {
	j := NewJournal("x", 0)
	first, second := j.read(0, 1), j.read(0, 1)
	select {
	case <-first.changed:
		t.Fatal("changed before anything was there")
	default:
	}
	j.Tap(wire.Record{})
	<-first.changed
	<-second.changed
	last := j.read(1, 1)
	j.Close()
	<-last.changed
	if b := j.read(1, 1); !b.closed {
		t.Error("not closed")
	}
	j.Tap(wire.Record{})
	if b := j.read(0, 10); len(b.records) != 1 {
		t.Errorf("%d records, want the one before Close", len(b.records))
	}
}
