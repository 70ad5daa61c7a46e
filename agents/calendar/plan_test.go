package calendar

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"presfed/agents/calendar/ical"
)

// TestPlan: what is on, until when, and what comes, as a look at every minute
// finds it.
func TestPlan(t *testing.T) {
	begin := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	minute := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Minute) }
	rapid.Check(t, func(t *rapid.T) {
		var p plan
		for i := range rapid.IntRange(0, 8).Draw(t, "n") {
			start := rapid.IntRange(0, 40).Draw(t, "start")
			p = append(p, ical.Occurrence{Start: minute(start), End: minute(start + rapid.IntRange(0, 15).Draw(t, "lasts")), UID: fmt.Sprint(i)})
		}
		slices.SortStableFunc(p, func(a, b ical.Occurrence) int { return a.Start.Compare(b.Start) })
		is := func(o ical.Occurrence, at time.Time) bool { return !at.Before(o.Start) && at.Before(o.End) }
		busy := func(at time.Time) bool {
			return slices.ContainsFunc(p, func(o ical.Occurrence) bool { return is(o, at) })
		}
		for n := range 60 {
			at := minute(n)
			now := p.on(at)
			if (now != nil) != busy(at) || now != nil && !is(*now, at) {
				t.Fatalf("at %d: %v", n, now)
			}
			for _, o := range p {
				if now != nil && is(o, at) && o.Start.After(now.Start) {
					t.Fatalf("at %d: %v, but %v began later", n, now, o)
				}
			}
			free := at
			for busy(free) {
				free = free.Add(time.Minute)
			}
			if got := p.free(at); !got.Equal(free) {
				t.Fatalf("at %d: free at %s, not %s", n, got, free)
			}
			var next time.Time
			for _, o := range p {
				for _, x := range []time.Time{o.Start, o.End} {
					if x.After(at) && (next.IsZero() || x.Before(next)) {
						next = x
					}
				}
			}
			if got := p.next(at); !got.Equal(next) {
				t.Fatalf("at %d: next %s, not %s", n, got, next)
			}
		}
	})
}
