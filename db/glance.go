package db

import (
	"os"
	"time"
)

// Glance is how a directory's write-ahead log looks from outside. Every change, by
// whatever process, is written there first: as long as two glances are equal,
// nothing has changed between them.
type Glance struct {
	size, written int64
}

// settled is longer than it takes until what is written in the log can be read: a
// writer waits for the disk in between. It is also longer than two writes can be apart
// and bear the same time, which is the kernel's tick, of at most ten milliseconds.
const settled = time.Second

// Glance looks at the directory without reading it, which is much cheaper. It is
// not ok where that says nothing: there is no log, or it was written to just now.
func (d *DB) Glance() (g Glance, ok bool) {
	info, err := os.Stat(d.log)
	if err != nil {
		return Glance{}, false
	}
	ago := time.Since(info.ModTime())
	return Glance{size: info.Size(), written: info.ModTime().UnixNano()}, ago > settled
}
