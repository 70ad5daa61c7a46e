package ical

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// event is a VEVENT: a single one, a series, or the override of a part of one.
type event struct {
	line                   int
	uid, summary           string
	sequence               int
	private                bool // CLASS:PRIVATE, CONFIDENTIAL or one that is not known
	transparent, cancelled bool
	start                  stamp
	length                 length
	rules                  []rule
	dates                  []single
	excluded               []stamp
	of                     *stamp // RECURRENCE-ID: which occurrence it stands for
	future                 bool   // and for those after it
}

// single is an RDATE.
type single struct {
	start  stamp
	length *length // of a PERIOD; nil: the event's
}

// event reads a VEVENT. Without an event it could not be used; with one, what a
// warning says of its recurrence is missing from it.
func (r *reader) event(p *part) (e *event, warnings []Warning) {
	if p.broken != nil {
		return nil, []Warning{*p.broken}
	}
	props, w := p.read()
	if w != nil {
		return nil, []Warning{*w}
	}
	e = &event{
		line: p.number, uid: strings.TrimSpace(props.text("UID")), summary: props.text("SUMMARY"),
		transparent: props.word("TRANSP") == "TRANSPARENT", cancelled: props.word("STATUS") == "CANCELLED",
	}
	class := props.word("CLASS")
	e.private = class != "" && class != "PUBLIC" // section 3.8.1.3: as PRIVATE where it is not known
	e.sequence, _ = strconv.Atoi(props.word("SEQUENCE"))
	warn := func(line int, format string, args ...any) {
		warnings = append(warnings, Warning{line, e.uid, fmt.Sprintf(format, args...)})
	}
	if err := r.span(e, props); err != nil {
		warn(p.number, "left out: %v", err)
		return nil, warnings
	}
	if prop, ok := props.get("RECURRENCE-ID"); ok {
		of, err := r.stamp(prop, prop.Value)
		if err != nil {
			warn(prop.line, "left out: %v", err)
			return nil, warnings
		}
		e.of, e.future = &of, strings.EqualFold(prop.Params.Get("RANGE"), "THISANDFUTURE")
	}
	for i, prop := range props.all("RRULE") {
		if i == maxRules {
			warn(prop.line, "without this RRULE and what follows it: more than %d", maxRules)
			break
		}
		if strings.TrimSpace(prop.Value) == "" {
			continue // COMPAT: of programs that write every property
		}
		rule, err := parseRule(prop.Value)
		if err != nil {
			warn(prop.line, "only its first occurrence and its RDATEs are known: %v", err)
			continue
		}
		e.rules = append(e.rules, rule)
	}
	for _, prop := range props.all("RDATE") {
		dates, err := r.singles(prop)
		if err != nil {
			warn(prop.line, "without this RDATE: %v", err)
		}
		e.dates = append(e.dates, dates...)
	}
	for _, prop := range props.all("EXDATE") {
		dates, err := r.stamps(prop)
		if err != nil {
			warn(prop.line, "with what this EXDATE would exclude: %v", err)
		}
		e.excluded = append(e.excluded, dates...)
	}
	if prop, ok := props.get("EXRULE"); ok {
		warn(prop.line, "with what EXRULE would exclude: RFC 5545 has it no more")
	}
	return e, warnings
}

// span reads when an event begins and how long it lasts.
func (r *reader) span(e *event, props properties) error {
	begin, ok := props.get("DTSTART")
	if !ok {
		return fmt.Errorf("DTSTART is missing")
	}
	var err error
	if e.start, err = r.stamp(begin, begin.Value); err != nil {
		return err
	}
	if prop, ok := props.get("DTEND"); ok {
		end, err := r.stamp(prop, prop.Value)
		if err != nil {
			return err
		}
		e.length, err = between(e.start, end)
		if err == nil && e.start.kind == date && end.kind == date {
			e.length.days = max(e.length.days, 1) // COMPAT: DTEND on the day itself
		}
		return err
	}
	if prop, ok := props.get("DURATION"); ok {
		e.length, err = parseLength(prop.Value)
		return err
	}
	if e.start.kind == date {
		e.length.days = 1 // section 3.6.1
	}
	return nil
}

// between is the length from a start to an end.
func between(start, end stamp) (l length, err error) {
	switch {
	case end.at.Before(start.at):
		return l, fmt.Errorf("it ends before it starts")
	case end.wall.Year()-start.wall.Year() > 99:
		return l, fmt.Errorf("it lasts longer than a hundred years")
	case start.kind == date && end.kind == date:
		l.days = int(end.wall.Sub(start.wall) / (24 * time.Hour))
	default:
		l.exact = end.at.Sub(start.at)
	}
	return l, nil
}

// singles reads an RDATE: times, days, or periods (section 3.8.5.2).
func (r *reader) singles(p property) (out []single, err error) {
	for _, text := range strings.Split(p.Value, ",") {
		begin, end, period := strings.Cut(text, "/")
		start, err := r.stamp(p, begin)
		if err != nil {
			return out, err
		}
		if !period {
			out = append(out, single{start: start})
			continue
		}
		var l length
		if strings.HasPrefix(strings.TrimLeft(end, "+ "), "P") {
			l, err = parseLength(end)
		} else {
			var last stamp
			if last, err = r.stamp(p, end); err == nil {
				l, err = between(start, last)
			}
		}
		if err != nil {
			return out, err
		}
		out = append(out, single{start, &l})
	}
	return out, nil
}
