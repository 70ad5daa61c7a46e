package db_test

import (
	"os"
	"testing"
	"time"

	"presfed/db"
)

// A change is seen at a glance as long as the glance before it was worth anything.
func TestGlance(t *testing.T) {
	d := fresh(t)
	other := reopen(t, d.Path(), db.Options{})
	written := func(ago time.Duration) {
		t.Helper()
		when := time.Now().Add(-ago)
		if err := os.Chtimes(d.Path()+"-wal", when, when); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		// A writer may still wait for the disk: what it wrote cannot be read yet.
		for _, ago := range []time.Duration{-time.Hour, 0, 300 * time.Millisecond} {
			written(ago)
			if _, ok := d.Glance(); ok {
				t.Errorf("written %s ago, a glance says something", ago)
			}
		}
		written(10 * time.Second)
		before, ok := d.Glance()
		if again, still := d.Glance(); !ok || !still || again != before {
			t.Fatalf("nothing has changed, and %v became %v", before, again)
		}
		w := []*db.DB{other, d, other}[i]
		if err := w.AddUser(t.Context(), db.User{AOR: string(rune('a'+i)) + "@example.com"}); err != nil {
			t.Fatal(err)
		}
		if after, _ := d.Glance(); after == before {
			t.Errorf("change %d is not seen", i)
		}
	}
}
