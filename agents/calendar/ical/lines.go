package ical

import (
	"bytes"
	"fmt"
	"strings"
)

// line is a content line, unfolded (RFC 5545 section 3.1), with the number of
// the physical line that it begins on.
type line struct {
	number int
	text   string
}

// lines yields the content lines of data; empty ones are left out.
func lines(data []byte) (out []line) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var parts []string // of the last one, while it goes on
	flush := func() {
		if len(parts) > 1 {
			out[len(out)-1].text = strings.Join(parts, "")
		}
		parts = parts[:0]
	}
	number := 0
	for raw := range bytes.Lines(data) {
		number++
		text := strings.TrimRight(string(raw), "\r\n")
		if len(out) > 0 && text != "" && (text[0] == ' ' || text[0] == '\t') {
			parts = append(parts, text[1:])
			continue
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		flush()
		out = append(out, line{number, text})
		parts = append(parts, text)
	}
	flush()
	return out
}

// part is a component as it stands in the calendar, not yet read.
type part struct {
	name     string // VEVENT
	number   int    // line of its BEGIN
	lines    []line // its properties
	children []*part
	broken   *Warning // it does not end as it should
}

// cut takes a calendar apart, into the parts of its VCALENDARs. What does not
// nest is a part that is broken; the others are as they would be without it.
func cut(all []line) (calendars []*part, err error) {
	var open []*part
	for _, l := range all {
		name, value, _ := strings.Cut(l.text, ":")
		value = strings.ToUpper(strings.TrimSpace(value))
		switch strings.ToUpper(name) {
		case "BEGIN":
			p := &part{name: value, number: l.number}
			switch {
			case len(open) == 0 && value != "VCALENDAR":
				return nil, fmt.Errorf("line %d: %w: %q, want BEGIN:VCALENDAR", l.number, ErrNotCalendar, shorten(l.text))
			case len(open) == 0:
				calendars = append(calendars, p)
			case len(open) == maxDepth:
				return nil, fmt.Errorf("line %d: %w: components are nested deeper than %d", l.number, ErrTooLarge, maxDepth)
			default:
				open[len(open)-1].children = append(open[len(open)-1].children, p)
			}
			open = append(open, p)
		case "END":
			open = closed(open, l, value)
		default:
			if len(open) == 0 {
				return nil, fmt.Errorf("line %d: %w: %q, want BEGIN:VCALENDAR", l.number, ErrNotCalendar, shorten(l.text))
			}
			top := open[len(open)-1]
			top.lines = append(top.lines, l)
		}
	}
	if len(calendars) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrNotCalendar)
	}
	for _, p := range open {
		p.broken = &Warning{Line: p.number, What: fmt.Sprintf("%s does not end: is the calendar cut short?", p.name)}
	}
	return calendars, nil
}

// closed closes what an END names, and breaks what stands open within it.
func closed(open []*part, l line, name string) []*part {
	for i := len(open) - 1; i >= 0; i-- {
		if open[i].name == name {
			return open[:i]
		}
		open[i].broken = &Warning{Line: l.number, What: fmt.Sprintf("END:%s where END:%s is due, of line %d", shorten(name), shorten(open[i].name), open[i].number)}
	}
	return open
}

// shorten keeps a stranger's text short and off the terminal's controls.
func shorten(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "..."
	}
	return s
}
