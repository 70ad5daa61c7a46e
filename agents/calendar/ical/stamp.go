package ical

import (
	"fmt"
	"strings"
	"time"
)

// kind is how a point in time is written (RFC 5545 sections 3.3.4, 3.3.5).
type kind int

const (
	date     kind = iota // a day
	floating             // no zone: the same on every clock
	utc
	zoned // TZID
)

// stamp is a point in time as a calendar writes it.
type stamp struct {
	kind kind
	wall time.Time // what a clock in zone shows, its digits in UTC
	zone *zone
	at   time.Time
}

// stampAt is the point where a clock in zone shows wall.
func stampAt(k kind, z *zone, wall time.Time) stamp {
	return stamp{k, wall, z, z.resolve(wall)}
}

// move is the point that is by so much later on its own clock.
func (s stamp) move(d time.Duration) stamp { return stampAt(s.kind, s.zone, s.wall.Add(d)) }

// in is the same point as a clock in another zone shows it.
func (s stamp) in(k kind, z *zone) stamp {
	return stamp{k, s.at.UTC().Add(time.Duration(z.offset(s.at)) * time.Second), z, s.at}
}

// day is the day of the clock's digits.
func (s stamp) day() time.Time { return s.wall.Truncate(24 * time.Hour) }

const (
	dateForm  = "20060102"
	localForm = "20060102T150405"
	utcForm   = "20060102T150405Z"
)

// digits reads a DATE or DATE-TIME without regard to zones.
func digits(text string) (wall time.Time, k kind, err error) {
	text = strings.ToUpper(strings.TrimSpace(text))
	form := localForm
	switch len(text) {
	case len(dateForm):
		form, k = dateForm, date
	case len(localForm):
		k = floating
	case len(utcForm):
		form, k = utcForm, utc
	}
	if wall, err = time.Parse(form, text); err != nil || wall.Year() < 1 {
		return wall, k, fmt.Errorf("%q is no time: want one such as 20261125T093000Z or 20261125", shorten(text))
	}
	return wall, k, nil
}

// stamps reads a property's values: one, or of a list each.
func (r *reader) stamps(p property) (out []stamp, err error) {
	for _, text := range strings.Split(p.Value, ",") {
		s, err := r.stamp(p, text)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// stamp reads one value, in the zone that the property's TZID names. That of
// a day or of UTC is not looked at.
func (r *reader) stamp(p property, text string) (stamp, error) {
	wall, k, err := digits(text)
	if err != nil {
		return stamp{}, fmt.Errorf("%s: %w", p.Name, err)
	}
	z := r.floating
	switch tzid := strings.TrimSpace(p.Params.Get("TZID")); {
	case k == date:
		z = r.days
	case k == utc:
		z = utcZone
	case tzid != "":
		k = zoned
		if z, err = r.zone(tzid); err != nil {
			return stamp{}, fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return stampAt(k, z, wall), nil
}
