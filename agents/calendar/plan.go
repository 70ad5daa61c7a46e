package calendar

import (
	"cmp"
	"slices"
	"time"

	"presfed/agents/calendar/ical"
)

// plan is when a user is busy, in order of time.
type plan []ical.Occurrence

// on is what a user is doing at a time; nil: nothing. Of several the one that
// began last, then the one that ends first.
func (p plan) on(at time.Time) (now *ical.Occurrence) {
	for i, o := range p {
		if o.Start.After(at) {
			break
		}
		if !o.End.After(at) {
			continue
		}
		if now == nil || cmp.Or(o.Start.Compare(now.Start), now.End.Compare(o.End), cmp.Compare(now.UID, o.UID)) > 0 {
			now = &p[i]
		}
	}
	return now
}

// free is when a user who is busy at a time is so no more: the end of what is on,
// or of what is on then, and so on.
func (p plan) free(at time.Time) time.Time {
	for _, o := range p {
		if o.Start.After(at) {
			break
		}
		if o.End.After(at) {
			at = o.End
		}
	}
	return at
}

// next is when something begins or ends, after a time; zero: never.
func (p plan) next(at time.Time) (next time.Time) {
	sooner := func(t time.Time) {
		if t.After(at) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, o := range p {
		if !next.IsZero() && !o.Start.Before(next) {
			break
		}
		sooner(o.Start)
		sooner(o.End)
	}
	return next
}

// maxAhead is how many occurrences are told ahead of time.
const maxAhead = 16

// ahead is what is to come until a time.
func (p plan) ahead(at, until time.Time) (coming []ical.Occurrence) {
	for _, o := range p {
		if o.Start.After(at) && o.Start.Before(until) && o.End.After(o.Start) && len(coming) < maxAhead {
			coming = append(coming, o)
		}
	}
	return slices.Clip(coming)
}
