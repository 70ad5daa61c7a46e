package rlmi

import (
	"bytes"
	"slices"
)

// Table is a list as its subscriber holds it (RFC 4662 section 5.6). The zero
// value knows nothing.
type Table struct {
	known   bool
	version uint32
	rows    []Resource
}

// Resources is every row, in the order of the list.
func (t *Table) Resources() []Resource { return slices.Clone(t.rows) }

// Taken is what came of one notification.
type Taken struct {
	Changed []Resource // rows that are new or differ from what they were, in order
	Gone    []Resource // rows that are on the list no more, as they were
	// Lost: a notification is missing, so that the whole state should be asked for.
	Lost bool
	// Stale: it is not newer than what is known, and was passed over.
	Stale bool
}

// Take brings a notification into the table.
func (t *Table) Take(l List) (out Taken) {
	if t.known && l.Version <= t.version {
		return Taken{Stale: true}
	}
	out.Lost = !l.Full && (!t.known || l.Version != t.version+1)
	t.known, t.version = true, l.Version
	before, at := t.rows, index(t.rows)
	t.rows = slices.Clone(before)
	if l.Full {
		t.rows = nil
		now := index(l.Resources)
		for _, row := range before {
			if _, still := now[row.URI]; !still {
				out.Gone = append(out.Gone, row)
			}
		}
	}
	for _, row := range l.Resources {
		i, was := at[row.URI]
		if was && !l.Full {
			t.rows[i] = row
		} else {
			t.rows = append(t.rows, row)
		}
		if !was || !same(before[i], row) {
			out.Changed = append(out.Changed, row)
		}
	}
	return out
}

func index(rows []Resource) map[string]int {
	at := make(map[string]int, len(rows))
	for i, r := range rows {
		at[r.URI] = i
	}
	return at
}

// same: nothing that is told of the resource differs.
func same(a, b Resource) bool {
	return slices.Equal(a.Names, b.Names) && slices.EqualFunc(a.Instances, b.Instances, func(x, y Instance) bool {
		return x.ID == y.ID && x.State == y.State && x.Reason == y.Reason && x.Type == y.Type && bytes.Equal(x.Body, y.Body)
	})
}
