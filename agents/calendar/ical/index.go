package ical

import (
	"slices"
	"time"
)

// index finds an occurrence of a series by what an override or EXDATE names it.
// That is its time, in any zone or in none; of whole days, the day. Where none is
// at that time it is the only one on that day, for calendars differ in how they
// write it.
type index struct {
	all   []instance
	times map[int64]int
	days  map[time.Time]dayOf
}

// dayOf is what is on a day: the first occurrence, and how many there are.
type dayOf struct{ first, count int }

func newIndex(all []instance) index {
	x := index{all, map[int64]int{}, map[time.Time]dayOf{}}
	for i, in := range all {
		x.times[in.start.at.Unix()] = i
		d := x.days[in.start.day()]
		if d.count == 0 {
			d.first = i
		}
		d.count++
		x.days[in.start.day()] = d
	}
	return x
}

func (x index) find(id stamp) (i int, ok bool) {
	if len(x.all) == 0 {
		return 0, false
	}
	like := x.all[0].start // kind and zone of the series
	if like.kind == date || id.kind == date {
		d := x.days[id.day()]
		return d.first, d.count > 0
	}
	id = id.seenFrom(like)
	if i, ok = x.times[id.at.Unix()]; ok {
		return i, true
	}
	d := x.days[id.day()]
	return d.first, d.count == 1
}

// seenFrom is a time on the clock of another; a floating one is on it already.
func (s stamp) seenFrom(like stamp) stamp {
	if s.kind == floating {
		return stampAt(like.kind, like.zone, s.wall)
	}
	return s.in(like.kind, like.zone)
}

// withoutExcluded leaves out what EXDATE names: a time, or all on a day.
func (e *event) withoutExcluded(all []instance) []instance {
	if len(e.excluded) == 0 {
		return all
	}
	times, days := map[int64]bool{}, map[time.Time]bool{}
	for _, x := range e.excluded {
		if x.kind == date || e.start.kind == date {
			days[x.day()] = true
		} else {
			times[x.seenFrom(e.start).at.Unix()] = true
		}
	}
	return slices.DeleteFunc(all, func(in instance) bool {
		return times[in.start.at.Unix()] && e.start.kind != date || days[in.start.day()]
	})
}
