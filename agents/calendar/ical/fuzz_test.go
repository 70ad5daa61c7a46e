package ical

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzRead: whatever is read ends in good time, and what it answers is in order,
// overlaps the span, lasts no longer than there is, and is the same when it is
// asked in two halves.
func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/compared/*.ics")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(calendar("UID:a DTSTART:20260101T000000Z DURATION:P1D RRULE:FREQ=MINUTELY;INTERVAL=7;BYHOUR=3", "UID:a RECURRENCE-ID;RANGE=THISANDFUTURE:20260102 DTSTART:20260201"))
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	middle, until := from.AddDate(0, 3, 0), from.AddDate(0, 6, 0)
	f.Fuzz(func(t *testing.T, data []byte) {
		cal, err := Read(data, Options{Limits: Limits{Events: 50}})
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		whole, warnings, err := cal.Busy(ctx, from, until)
		if ctx.Err() != nil {
			t.Fatal("it takes too long")
		}
		if err != nil || len(warnings) > 0 {
			return
		}
		seen := map[Occurrence]bool{}
		for i, o := range whole {
			if o.End.Before(o.Start) || !o.Start.Before(until) || o.End.Before(from) || i > 0 && o.Start.Before(whole[i-1].Start) {
				t.Fatalf("%d: %+v", i, o)
			}
			seen[o] = true
		}
		first, w1, err1 := cal.Busy(ctx, from, middle)
		second, w2, err2 := cal.Busy(ctx, middle, until)
		if len(w1)+len(w2) > 0 || err1 != nil || err2 != nil {
			return
		}
		halves := map[Occurrence]bool{}
		for _, o := range append(first, second...) {
			halves[o] = true
		}
		if len(halves) != len(seen) {
			t.Fatalf("%d in halves, %d as a whole", len(halves), len(seen))
		}
	})
}
