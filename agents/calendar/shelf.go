package calendar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"presfed/agents/calendar/ical"
)

// Warning is something in a calendar that could not be used as it is written, or
// a calendar among others that could not be used at all.
type Warning struct {
	Source string // of which file or URL
	ical.Warning
}

func (w Warning) String() string { return w.Source + ": " + w.Warning.String() }

// List reads sources once and gives the busy occurrences that overlap a span,
// as [ical.Calendar.Busy] does. It fails where a source cannot be had or holds no
// calendar.
func List(ctx context.Context, sources []Source, zone *time.Location, from, until time.Time) ([]ical.Occurrence, []Warning, error) {
	s := newShelf(sources, zone)
	if err := s.fetch(ctx, time.Now(), from, until, true); err != nil {
		return nil, nil, err
	}
	return s.busy(ctx, from, until)
}

// shelf is what a user's sources hold, as it was read last.
type shelf struct {
	zone    *time.Location
	places  []*place
	changed bool // since busy
}

// place is one source.
type place struct {
	Source
	due   time.Time // when it is to be looked at again
	good  time.Time // when it was read last
	texts []Text
	read  map[string]reading // by Text.Name
}

type reading struct {
	data []byte
	cal  *ical.Calendar
	err  error // of the newest data; cal is of an older one, if any
}

func newShelf(sources []Source, zone *time.Location) *shelf {
	s := &shelf{zone: zone}
	for _, source := range sources {
		s.places = append(s.places, &place{Source: source, read: map[string]reading{}})
	}
	return s
}

// keptFor is how long what a source held counts while it cannot be read.
const keptFor = 24 * time.Hour

// fetch looks at the sources that are due, or at all of them. One that fails
// keeps what it had.
func (s *shelf) fetch(ctx context.Context, now, from, until time.Time, all bool) error {
	var errs []error
	for _, p := range s.places {
		if !all && now.Before(p.due) {
			continue
		}
		texts, err := p.Fetch(ctx, from, until)
		if err == nil {
			err = s.take(p, texts)
		}
		p.due = now.Add(p.Every())
		if err == nil {
			p.good = now
			continue
		}
		errs = append(errs, err)
		if now.Sub(p.good) > keptFor && len(p.texts) > 0 {
			p.texts, s.changed = nil, true
		}
	}
	return errors.Join(errs...)
}

// take reads what is new. It fails where none of it is a calendar.
func (s *shelf) take(p *place, texts []Text) error {
	if same(p.texts, texts) && p.read != nil {
		return nil
	}
	read := map[string]reading{}
	var wrong error
	for _, t := range texts {
		r, known := p.read[t.Name]
		if !known || !bytes.Equal(r.data, t.Data) {
			cal, err := ical.Read(t.Data, ical.Options{Zone: s.zone})
			r.data, r.err = t.Data, err
			if err == nil {
				r.cal = cal
			} else {
				wrong = fmt.Errorf("%s: %w", t.Name, err)
			}
		}
		read[t.Name] = r
	}
	if wrong != nil && len(texts) == 1 {
		return wrong
	}
	p.texts, p.read, s.changed = texts, read, true
	return nil
}

// busy is what the calendars say of a span, in order of time.
func (s *shelf) busy(ctx context.Context, from, until time.Time) (all []ical.Occurrence, warnings []Warning, err error) {
	s.changed = false
	for _, p := range s.places {
		for _, t := range p.texts {
			r := p.read[t.Name]
			if r.err != nil {
				warnings = append(warnings, Warning{t.Name, ical.Warning{What: r.err.Error()}})
			}
			if r.cal == nil {
				continue
			}
			some, more, err := r.cal.Busy(ctx, from, until)
			if err != nil {
				return nil, warnings, fmt.Errorf("%s: %w", t.Name, err)
			}
			for _, w := range append(slices.Clone(r.cal.Warnings), more...) {
				warnings = append(warnings, Warning{t.Name, w})
			}
			all = append(all, some...)
		}
	}
	slices.SortStableFunc(all, func(a, b ical.Occurrence) int { return a.Start.Compare(b.Start) })
	return all, warnings, nil
}
