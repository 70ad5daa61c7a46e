package db_test

import (
	"testing"
	"time"

	"presfed/db"
)

// A change is seen at a glance as long as the glance before it was worth anything.
func TestGlance(t *testing.T) {
	d := fresh(t)
	other := reopen(t, d.Path(), db.Options{})
	for i := range 3 {
		before, ok := d.Glance()
		for deadline := time.Now().Add(10 * time.Second); !ok; before, ok = d.Glance() {
			if time.Now().After(deadline) {
				t.Fatal("it never settles")
			}
			time.Sleep(5 * time.Millisecond)
		}
		if again, ok := d.Glance(); !ok || again != before {
			t.Fatalf("nothing has changed, and %v became %v", before, again)
		}
		w := []*db.DB{other, d, other}[i]
		if err := w.AddUser(t.Context(), db.User{AOR: string(rune('a'+i)) + "@example.com"}); err != nil {
			t.Fatal(err)
		}
		if after, ok := d.Glance(); ok || after == before {
			t.Errorf("change %d is not seen", i)
		}
	}
}
