package ical

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// rule is a recurrence rule (RFC 5545 section 3.3.10). rrule-go works it out on
// the digits of the clock, in UTC; what is a zone's is ours: when a clock shows
// them, and whether that is before UNTIL.
type rule struct {
	option    rrule.ROption
	until     time.Time // digits; zero: none
	untilKind kind
}

// units are the frequencies that last the same always.
var units = map[rrule.Frequency]time.Duration{
	rrule.WEEKLY: 7 * 24 * time.Hour, rrule.DAILY: 24 * time.Hour,
	rrule.HOURLY: time.Hour, rrule.MINUTELY: time.Minute, rrule.SECONDLY: time.Second,
}

// parseRule reads a rule and refuses what can never occur, where rrule-go would
// look for it without end.
func parseRule(text string) (r rule, err error) {
	wrong := func(format string, args ...any) (rule, error) {
		return rule{}, fmt.Errorf("RRULE %q: %s", shorten(text), fmt.Sprintf(format, args...))
	}
	var parts []string
	seen := map[string]bool{}
	for _, part := range strings.Split(strings.ToUpper(strings.Trim(strings.TrimSpace(text), ";")), ";") {
		name, value, _ := strings.Cut(part, "=")
		switch {
		case seen[name]:
			return wrong("%s stands in it twice", shorten(name))
		case name == "UNTIL":
			if r.until, r.untilKind, err = digits(value); err != nil {
				return wrong("UNTIL: %v", err)
			}
		case name == "DTSTART":
			return wrong("DTSTART is no part of a rule")
		case name == "COUNT" && strings.TrimLeft(value, "+0") == "":
			return wrong("COUNT=%s: want 1 or more", value)
		case name == "INTERVAL" && strings.TrimLeft(value, "+0") == "":
			return wrong("INTERVAL=%s: want 1 or more", value)
		case part == "RSCALE=GREGORIAN", part == "SKIP=OMIT": // RFC 7529: what is so anyway
		default:
			parts = append(parts, part)
		}
		seen[name] = true
	}
	if !seen["FREQ"] {
		return wrong("FREQ is missing: want one of YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY")
	}
	option, err := rrule.StrToROption(strings.Join(parts, ";"))
	if err != nil {
		return wrong("%v", err)
	}
	if option.Count < 0 || option.Interval < 0 || option.Interval > maxStep {
		return wrong("COUNT and INTERVAL are counts")
	}
	option.Interval = max(option.Interval, 1)
	// What stands in a list twice, rrule-go counts twice.
	for _, list := range []*[]int{
		&option.Bymonth, &option.Bymonthday, &option.Byyearday, &option.Byweekno, &option.Byhour, &option.Byminute, &option.Bysecond, &option.Bysetpos,
	} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	r.option = *option
	if _, err := rrule.NewRRule(r.option); err != nil { // bounds of the BY parts
		return wrong("%v", err)
	}
	if r.option.Freq >= rrule.HOURLY && len(r.option.Bysetpos) > 0 {
		return wrong("BYSETPOS within a day is not supported")
	}
	return r, nil
}

// walls are the times of the rule from the one time to the other, both
// included, as a clock in start's zone shows them.
func (r rule) walls(start stamp, from, to time.Time) (out []time.Time, err error) {
	option := r.option
	option.Dtstart, option.Count = start.wall, 0
	step := units[option.Freq] * time.Duration(option.Interval)
	if ahead := from.Sub(start.wall); r.option.Count == 0 && step > 0 && ahead > 2*step {
		// Nothing before needs counting. One step is left: BYSETPOS in a week that
		// has begun is another matter.
		option.Dtstart = start.wall.Add((ahead/step - 1) * step)
	}
	to = r.notAfter(start, to)
	if to.Before(option.Dtstart) {
		return nil, nil
	}
	if option.Freq >= rrule.HOURLY {
		if err := reachable(option, to); err != nil {
			return nil, err
		}
	}
	// The Gregorian calendar is the same again after 400 years, and rrule-go gives
	// up on a rule that never occurs only with the year 9999: the nearer the sooner.
	era := (9999 - to.Year()) / 400 * 400
	option.Dtstart, option.Until = option.Dtstart.AddDate(era, 0, 0), to.AddDate(era, 0, 0)
	built, err := rrule.NewRRule(option)
	if err != nil {
		return nil, err
	}
	next := built.Iterator()
	for n := 1; n <= maxResults; n++ {
		wall, ok := next()
		if !ok {
			return out, nil
		}
		wall = wall.AddDate(-era, 0, 0)
		if n == 1 && !wall.Equal(start.wall) {
			n++ // DTSTART was the first
		}
		if r.option.Count > 0 && n > r.option.Count {
			return out, nil
		}
		if !wall.Before(from) && r.includes(stampAt(start.kind, start.zone, wall)) {
			if len(out) == maxSpan {
				break
			}
			out = append(out, wall)
		}
	}
	return nil, fmt.Errorf("RRULE: more than %d occurrences up to %s", maxResults, to.Format("2006-01-02"))
}

// notAfter is where the search ends: with to, or a day after UNTIL, on whose
// own day the zone decides.
func (r rule) notAfter(start stamp, to time.Time) time.Time {
	if end := r.until.Add(48 * time.Hour); !r.until.IsZero() && end.Before(to) {
		return end
	}
	return to
}

// includes says whether a time is not after UNTIL. A day bounds days and, though
// RFC 5545 wants the type of DTSTART, the times of that day. UTC is compared as
// UTC where DTSTART has a zone; other local times as the digits that they are.
func (r rule) includes(s stamp) bool {
	switch {
	case r.until.IsZero():
		return true
	case s.kind == date || r.untilKind == date:
		return !s.day().After(r.until.Truncate(24 * time.Hour))
	case r.untilKind == utc && s.kind != floating:
		return !s.at.After(r.until)
	}
	return !s.wall.After(r.until)
}

// reachable refuses a rule within the day that never hits its BY parts, or is
// dense for so long that walking it would take too long.
func reachable(o rrule.ROption, to time.Time) error {
	unit := units[o.Freq]
	step := unit * time.Duration(o.Interval)
	if to.Sub(o.Dtstart)/step > maxSteps {
		return fmt.Errorf("RRULE: too dense: more than %d steps up to %s", maxSteps, to.Format("2006-01-02"))
	}
	in := func(list []int, n int) bool { return len(list) == 0 || slices.Contains(list, n) }
	const day = 24 * time.Hour
	at := o.Dtstart.Sub(o.Dtstart.Truncate(day))
	for range day / unit { // the times of day come again after that many steps at most
		h, m, s := int(at.Hours()), int(at.Minutes())%60, int(at.Seconds())%60
		if in(o.Byhour, h) && (o.Freq < rrule.MINUTELY || in(o.Byminute, m)) && (o.Freq < rrule.SECONDLY || in(o.Bysecond, s)) {
			return occursOn(o, to)
		}
		at = (at + step) % day
	}
	return fmt.Errorf("RRULE: it never occurs: no step of INTERVAL comes to BYHOUR, BYMINUTE, BYSECOND")
}

// occursOn refuses a rule within the day that has no day to be on.
func occursOn(o rrule.ROption, to time.Time) error {
	days := o
	days.Freq, days.Interval, days.Byhour, days.Byminute, days.Bysecond = rrule.DAILY, 1, nil, nil, nil
	days.Dtstart = o.Dtstart.Truncate(24 * time.Hour)
	era := (9999 - to.Year()) / 400 * 400
	days.Dtstart, days.Until = days.Dtstart.AddDate(era, 0, 0), to.AddDate(era, 0, 0)
	built, err := rrule.NewRRule(days)
	if err != nil {
		return err
	}
	if _, ok := built.Iterator()(); !ok {
		return errNoDay
	}
	return nil
}

var errNoDay = fmt.Errorf("RRULE: no day is in the span")
