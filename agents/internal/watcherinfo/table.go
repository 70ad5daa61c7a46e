package watcherinfo

import "slices"

// Table is the watchers of a resource as the subscriber holds them (RFC 3858
// section 4). The zero value knows nothing.
type Table struct {
	known   bool
	version uint32
	rows    map[string]Watcher // by ID
	order   []string
}

// mostRows bounds what a server can make its subscriber keep; what is new beyond is
// told and not kept.
const mostRows = 50_000

// Watchers is every row that is not terminated, in the order in which they came.
func (t *Table) Watchers() (rows []Watcher) {
	for _, id := range t.order {
		if row := t.rows[id]; row.Status != Terminated {
			rows = append(rows, row)
		}
	}
	return rows
}

// Taken is what came of one document.
type Taken struct {
	Changed []Watcher // new, or of another status or name than before
	// Lost: a document is missing, so that the whole state should be asked for.
	Lost bool
}

// Take brings a document into the table; one that is not newer is passed over.
func (t *Table) Take(d Document) (out Taken) {
	if t.known && d.Version <= t.version {
		return Taken{}
	}
	out.Lost = !d.Full && (!t.known || d.Version != t.version+1)
	t.known, t.version = true, d.Version
	before := t.rows
	if d.Full || before == nil {
		t.rows, t.order = map[string]Watcher{}, nil
	}
	for _, l := range d.Lists {
		for _, w := range l.Watchers {
			was, known := before[w.ID]
			if !known || was.Status != w.Status || was.Name != w.Name || was.URI != w.URI {
				out.Changed = append(out.Changed, w)
			}
			if _, there := t.rows[w.ID]; !there {
				if len(t.rows) >= mostRows {
					continue
				}
				t.order = append(t.order, w.ID)
			}
			t.rows[w.ID] = w
		}
	}
	t.order = slices.DeleteFunc(t.order, func(id string) bool {
		over := t.rows[id].Status == Terminated
		if over {
			delete(t.rows, id)
		}
		return over
	})
	return out
}
