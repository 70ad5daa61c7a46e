package ical

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Options say how a calendar is read.
type Options struct {
	Zone   *time.Location // of floating times and whole days; nil: UTC
	Limits Limits
}

// Calendar is one that was read. It does not change.
type Calendar struct {
	// Warnings are about what could not be read.
	Warnings []Warning
	// Events is how many there are, overrides included.
	Events int

	series []*series
	limits Limits
	zone   *time.Location
}

// Occurrence is a time at which the owner is busy, in Options.Zone.
type Occurrence struct {
	Start, End time.Time // an occurrence that takes no time ends as it starts
	AllDay     bool
	Summary    string
	UID        string
	Private    bool // its summary is nobody else's concern (CLASS)
}

// reader is what reading an event needs to know of its calendar.
type reader struct {
	floating, days *zone
	defined        map[string]*part // VTIMEZONEs
	zones          map[string]*zone // by TZID
}

// Read reads a calendar, or several in a row. It fails where it is not one
// ([ErrNotCalendar]) or over a limit ([ErrTooLarge]).
func Read(data []byte, o Options) (*Calendar, error) {
	c := &Calendar{limits: o.Limits.withDefaults(), zone: o.Zone}
	if c.zone == nil {
		c.zone = time.UTC
	}
	if len(data) > c.limits.Bytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrTooLarge, len(data), c.limits.Bytes)
	}
	calendars, err := cut(lines(data))
	if err != nil {
		return nil, err
	}
	byUID := map[string]*series{}
	for _, p := range calendars {
		if err := c.read(p, byUID); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Calendar) read(p *part, byUID map[string]*series) error {
	own := &zone{loc: c.zone}
	r := &reader{floating: own, days: own, defined: map[string]*part{}, zones: map[string]*zone{}}
	if p.broken != nil {
		c.Warnings = append(c.Warnings, *p.broken)
	}
	for _, child := range p.children {
		if props, w := child.read(); child.name == "VTIMEZONE" && w == nil && child.broken == nil {
			if prop, ok := props.get("TZID"); ok {
				r.defined[strings.TrimSpace(prop.Value)] = child
			}
		}
	}
	props, w := p.read()
	if w != nil {
		c.Warnings = append(c.Warnings, *w)
	}
	if prop, ok := props.get("X-WR-TIMEZONE"); ok && strings.TrimSpace(prop.Value) != "" {
		if z, err := r.zone(strings.TrimSpace(prop.Value)); err != nil {
			c.Warnings = append(c.Warnings, Warning{Line: prop.line, What: "X-WR-TIMEZONE is not used: " + err.Error()})
		} else {
			r.floating = z
		}
	}
	for _, child := range p.children {
		if child.name != "VEVENT" {
			continue
		}
		if c.Events++; c.Events > c.limits.Events {
			return fmt.Errorf("line %d: %w: more than %d events", child.number, ErrTooLarge, c.limits.Events)
		}
		e, warnings := r.event(child)
		c.Warnings = append(c.Warnings, warnings...)
		if e == nil {
			continue
		}
		s := byUID[e.uid]
		if s == nil || e.uid == "" { // who has no UID is related to nobody
			s = &series{}
			byUID[e.uid] = s
			c.series = append(c.series, s)
		}
		s.add(e)
	}
	return nil
}

// Busy lists the occurrences that overlap the time from one to the other,
// unclipped and in order; one that takes no time overlaps where it begins in
// it. Transparent and cancelled ones are not among them. It fails where there
// are too many ([ErrTooLarge]) or ctx ends.
func (c *Calendar) Busy(ctx context.Context, from, until time.Time) (out []Occurrence, warnings []Warning, err error) {
	for _, s := range c.series {
		if ctx.Err() != nil {
			return nil, warnings, context.Cause(ctx)
		}
		all, w := s.instances(from, until)
		warnings = append(warnings, w...)
		for _, in := range all {
			end := in.length.after(in.start)
			overlaps := in.start.at.Before(until) && (end.After(from) || end.Equal(in.start.at) && !end.Before(from))
			if in.e.transparent || in.e.cancelled || !overlaps {
				continue
			}
			if len(out) == c.limits.Occurrences {
				return nil, warnings, fmt.Errorf("%w: more than %d occurrences in the span", ErrTooLarge, c.limits.Occurrences)
			}
			out = append(out, Occurrence{
				Start: in.start.at.In(c.zone), End: end.In(c.zone), AllDay: in.e.start.kind == date && in.length.exact == 0,
				Summary: in.e.summary, UID: in.e.uid, Private: in.e.private,
			})
		}
	}
	slices.SortStableFunc(out, byTime)
	return out, warnings, nil
}
