package ical

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// lastChange is how far the changes of a defined zone are worked out.
var lastChange = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// define makes the zone that a VTIMEZONE describes (RFC 5545 section 3.6.5).
func (r *reader) define(p *part) (*zone, error) {
	z := &zone{}
	first := time.Time{}
	for _, child := range p.children {
		if child.name != "STANDARD" && child.name != "DAYLIGHT" {
			continue
		}
		from, changes, err := child.observance()
		if err != nil {
			return nil, err
		}
		for _, c := range changes {
			if first.IsZero() || c.at.Before(first) {
				first, z.before = c.at, from
			}
		}
		z.changes = append(z.changes, changes...)
		if len(z.changes) > maxChanges {
			return nil, fmt.Errorf("line %d: VTIMEZONE has more than %d changes", p.number, maxChanges)
		}
	}
	if len(z.changes) == 0 {
		return nil, fmt.Errorf("line %d: VTIMEZONE has neither STANDARD nor DAYLIGHT", p.number)
	}
	slices.SortStableFunc(z.changes, func(a, b change) int { return a.at.Compare(b.at) })
	return z, nil
}

// observance are the onsets of a STANDARD or DAYLIGHT, which its local times
// name by the offset before them.
func (p *part) observance() (from int, changes []change, err error) {
	fail := func(err any) (int, []change, error) {
		return 0, nil, fmt.Errorf("line %d: VTIMEZONE: %v", p.number, err)
	}
	props, w := p.read()
	if w != nil {
		return fail(w.What)
	}
	if from, err = parseOffset(props.word("TZOFFSETFROM")); err != nil {
		return fail(err)
	}
	to, err := parseOffset(props.word("TZOFFSETTO"))
	if err != nil {
		return fail(err)
	}
	start, _, err := digits(props.word("DTSTART"))
	if err != nil {
		return fail(err)
	}
	local := &zone{before: from}
	onsets := []time.Time{start}
	for _, prop := range props.all("RRULE") {
		rule, err := parseRule(prop.Value)
		if err != nil {
			return fail(err)
		}
		more, err := rule.walls(stampAt(zoned, local, start), start, lastChange)
		if err != nil {
			return fail(err)
		}
		onsets = append(onsets, more...)
	}
	for _, prop := range props.all("RDATE") {
		for _, text := range strings.Split(prop.Value, ",") {
			wall, _, err := digits(text)
			if err != nil {
				return fail(err)
			}
			onsets = append(onsets, wall)
		}
	}
	for _, wall := range onsets {
		changes = append(changes, change{local.resolve(wall), to})
	}
	return from, changes, nil
}

// parseOffset reads +0100 or -053000, as seconds.
func parseOffset(text string) (int, error) {
	wrong := fmt.Errorf("%q is no offset from UTC: want one such as +0100", shorten(text))
	if len(text) != 5 && len(text) != 7 || text[0] != '+' && text[0] != '-' {
		return 0, wrong
	}
	n, err := strconv.ParseUint(text[1:], 10, 32)
	if err != nil {
		return 0, wrong
	}
	if len(text) == 5 {
		n *= 100
	}
	seconds := int(n/10000*3600 + n/100%100*60 + n%100)
	if seconds >= 24*3600 {
		return 0, wrong
	}
	if text[0] == '-' {
		seconds = -seconds
	}
	return seconds, nil
}
