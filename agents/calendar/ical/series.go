package ical

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"
)

// series are the events of one UID: what recurs, and the overrides of it.
type series struct {
	masters   []*event // of one SEQUENCE
	overrides []*event // of single occurrences
	futures   []*event // RANGE=THISANDFUTURE
	has       map[identity]int
	dropped   []Warning
}

// identity is what two versions of one thing have in common.
type identity struct {
	override, future bool
	at               int64 // of RECURRENCE-ID, or of DTSTART
	length           length
}

// add takes an event in. Of two versions of one thing the higher SEQUENCE
// counts, then the later in the calendar.
func (s *series) add(e *event) {
	list, id := &s.masters, identity{at: e.start.at.Unix(), length: e.length}
	if e.of != nil {
		list, id = &s.overrides, identity{override: true, future: e.future, at: e.of.at.Unix()}
		if e.future {
			list = &s.futures
		}
	} else if len(s.masters) > 0 && s.masters[0].sequence != e.sequence {
		if s.masters[0].sequence > e.sequence {
			return
		}
		for _, m := range s.masters {
			delete(s.has, identity{at: m.start.at.Unix(), length: m.length})
		}
		s.masters = nil
	}
	if i, again := s.has[id]; again {
		if (*list)[i].sequence <= e.sequence {
			(*list)[i] = e
		}
		return
	}
	if e.future && len(s.futures) == maxFutures {
		s.dropped = append(s.dropped, Warning{e.line, e.uid, fmt.Sprintf("left out: more than %d overrides with THISANDFUTURE", maxFutures)})
		return
	}
	if s.has == nil {
		s.has = map[identity]int{}
	}
	s.has[id] = len(*list)
	*list = append(*list, e)
}

// instance is one occurrence of a series: as e says, at start.
type instance struct {
	e      *event
	start  stamp
	length length
}

// instances are the occurrences of a series that may overlap a span; which do
// is for the caller to see.
func (s *series) instances(from, until time.Time) (out []instance, warnings []Warning) {
	warnings = append(warnings, s.dropped...)
	for _, e := range s.overrides {
		out = append(out, instance{e, e.start, e.length})
	}
	for _, m := range s.masters {
		all, w := m.expand(from.Add(-s.reach(m)), until.Add(s.shift()))
		warnings = append(warnings, w...)
		out = append(out, s.override(m, all)...)
	}
	if len(s.masters) == 0 {
		for _, e := range s.futures { // what they change is not there
			out = append(out, instance{e, e.start, e.length})
		}
	}
	return out, warnings
}

// reach is how long before the span something may begin that comes into it.
func (s *series) reach(m *event) time.Duration {
	longest := m.length.bound()
	for _, d := range m.dates {
		if d.length != nil {
			longest = max(longest, d.length.bound())
		}
	}
	for _, f := range s.futures {
		longest = max(longest, f.length.bound())
	}
	return longest + s.shift()
}

// shift is how far an override of the future moves occurrences, and two days
// for the zones.
func (s *series) shift() time.Duration {
	far := time.Duration(0)
	for _, f := range s.futures {
		far = max(far, f.start.at.Sub(f.of.at).Abs())
	}
	return far + 48*time.Hour
}

// override takes out what overrides stand for, and changes what comes after
// those of the future.
func (s *series) override(m *event, all []instance) (out []instance) {
	if len(s.overrides)+len(s.futures) == 0 {
		return all
	}
	names := newIndex(all)
	overridden := map[int]bool{}
	for _, o := range s.overrides {
		if i, ok := names.find(*o.of); ok {
			overridden[i] = true
		}
	}
	changes := make([]future, 0, len(s.futures))
	for _, f := range s.futures {
		first := *f.of
		near, _ := m.expand(first.at.Add(-48*time.Hour), first.at.Add(48*time.Hour)) // it may be far from the span
		if i, ok := newIndex(near).find(first); ok {
			first = near[i].start
		}
		changes = append(changes, future{f, first})
	}
	slices.SortStableFunc(changes, func(a, b future) int { return a.first.at.Compare(b.first.at) })
	for i, in := range all {
		if overridden[i] {
			continue
		}
		n := sort.Search(len(changes), func(i int) bool { return changes[i].first.at.After(in.start.at) })
		if n > 0 {
			in = changes[n-1].apply(in)
		}
		out = append(out, in)
	}
	return out
}

// future is an override of an occurrence and of those after it.
type future struct {
	e     *event
	first stamp
}

// apply moves an occurrence as the first one was moved, on its own clock.
func (f future) apply(in instance) instance {
	begin, first := f.e.start, f.first
	if begin.kind != date && in.start.kind != date {
		begin, first = begin.in(in.start.kind, in.start.zone), first.in(in.start.kind, in.start.zone)
	}
	return instance{f.e, in.start.move(begin.wall.Sub(first.wall)), f.e.length}
}

// expand gives the occurrences of an event without regard to overrides, from
// one time to another and a little around them.
func (e *event) expand(from, until time.Time) (out []instance, warnings []Warning) {
	out = []instance{{e, e.start, e.length}}
	wallFrom := e.start.zone.wall(from)
	for _, r := range e.rules {
		walls, err := r.walls(e.start, wallFrom, e.start.zone.wall(until))
		if err == errNoDay {
			err = nil
		}
		if err != nil {
			warnings = append(warnings, Warning{e.line, e.uid, "only its first occurrence and its RDATEs are known: " + err.Error()})
		}
		for _, w := range walls {
			out = append(out, instance{e, stampAt(e.start.kind, e.start.zone, w), e.length})
		}
	}
	for _, d := range e.dates {
		if d.start.at.Before(from) || d.start.at.After(until) {
			continue
		}
		in := instance{e, d.start, e.length}
		if d.length != nil {
			in.length = *d.length
		}
		out = append(out, in)
	}
	slices.SortStableFunc(out, func(a, b instance) int { return a.start.at.Compare(b.start.at) })
	// Of an RDATE that names what the rule has, the one with a length of its own.
	kept := out[:0]
	for _, in := range out {
		if n := len(kept); n > 0 && kept[n-1].start.at.Equal(in.start.at) {
			if in.length != e.length {
				kept[n-1] = in
			}
			continue
		}
		kept = append(kept, in)
	}
	return e.withoutExcluded(kept), warnings
}

// byTime orders occurrences.
func byTime(a, b Occurrence) int {
	return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End), cmp.Compare(a.UID, b.UID), cmp.Compare(a.Summary, b.Summary))
}
