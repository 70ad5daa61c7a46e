package ical

import (
	"fmt"
	"sort"
	"strings"
	"time"
	_ "time/tzdata" // the zones, where the machine has none
)

// zone is a time zone: one that the IANA database knows, or one that a calendar
// defines by its changes.
type zone struct {
	loc     *time.Location
	before  int      // seconds east, before the first change
	changes []change // in order
}

// change is an onset of standard or daylight time.
type change struct {
	at     time.Time
	offset int // seconds east, from then on
}

var utcZone = &zone{loc: time.UTC}

// offset is how far clocks in the zone are ahead of UTC at a time, in seconds.
func (z *zone) offset(at time.Time) int {
	if z.loc != nil {
		_, offset := at.In(z.loc).Zone()
		return offset
	}
	i := sort.Search(len(z.changes), func(i int) bool { return z.changes[i].at.After(at) })
	if i == 0 {
		return z.before
	}
	return z.changes[i-1].offset
}

// resolve is when a clock in the zone shows wall. RFC 5545 section 3.3.5: one
// that comes twice is the first of them, one that never comes is taken by the
// offset before the change. time.Date promises neither.
func (z *zone) resolve(wall time.Time) time.Time {
	as := func(offset int) time.Time { return wall.Add(-time.Duration(offset) * time.Second) }
	before, after := z.offset(wall.Add(-24*time.Hour)), z.offset(wall.Add(24*time.Hour))
	first, second := as(before), as(after)
	if before != after && z.offset(first) != before && z.offset(second) == after {
		return second
	}
	return first
}

// wall is what a clock in the zone shows.
func (z *zone) wall(at time.Time) time.Time {
	return at.UTC().Add(time.Duration(z.offset(at)) * time.Second)
}

// zone finds a zone by its TZID.
func (r *reader) zone(tzid string) (*zone, error) {
	if z := r.zones[tzid]; z != nil {
		return z, nil
	}
	z, err := r.findZone(tzid)
	if err == nil {
		r.zones[tzid] = z
	}
	return z, err
}

func (r *reader) findZone(tzid string) (*zone, error) {
	if loc := iana(tzid); loc != nil {
		return &zone{loc: loc}, nil
	}
	var wrong error
	if p := r.defined[tzid]; p != nil {
		z, err := r.define(p)
		if err == nil {
			return z, nil
		}
		wrong = err
	}
	// COMPAT Outlook: tzone://Microsoft/Utc
	if loc := iana(windowsZones[strings.TrimPrefix(strings.ToLower(tzid), "tzone://microsoft/")]); loc != nil {
		return &zone{loc: loc}, nil
	}
	// COMPAT libical, Mozilla: /mozilla.org/20050126_1/Europe/Berlin
	for rest := tzid; wrong == nil && strings.HasPrefix(tzid, "/"); {
		_, after, more := strings.Cut(rest, "/")
		if !more {
			break
		}
		if loc := iana(after); loc != nil {
			return &zone{loc: loc}, nil
		}
		rest = after
	}
	if wrong != nil {
		return nil, wrong
	}
	return nil, fmt.Errorf("time zone %q: no VTIMEZONE defines it, and neither IANA nor Windows has the name", shorten(tzid))
}

// iana is a zone of the database; nil where there is none. "Local" and "" mean
// something to Go, and nothing here.
func iana(name string) *time.Location {
	if name == "" || name == "Local" || len(name) > 64 {
		return nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return loc
}
