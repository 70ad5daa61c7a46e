package ical

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// length is how long something lasts: days by the calendar, and an exact time
// after them (RFC 5545 section 3.3.6). go-ical's durations do not tell them
// apart, and overflow.
type length struct {
	days  int
	exact time.Duration
}

// after is the end of what begins at s.
func (l length) after(s stamp) time.Time {
	if l.days == 0 {
		return s.at.Add(l.exact)
	}
	return s.zone.resolve(s.wall.AddDate(0, 0, l.days)).Add(l.exact)
}

// bound is no shorter than l, whatever the clocks do.
func (l length) bound() time.Duration {
	return time.Duration(l.days+1)*24*time.Hour + max(l.exact, 0)
}

// parseLength reads a DURATION that is not negative.
func parseLength(text string) (length, error) {
	wrong := fmt.Errorf("%q is no duration: want one such as PT1H30M or P2D", shorten(text))
	s, ok := strings.CutPrefix(strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(text)), "+"), "P")
	if !ok || s == "" || strings.HasSuffix(s, "T") {
		return length{}, wrong
	}
	var l length
	clock := false
	for s != "" {
		if rest, t := strings.CutPrefix(s, "T"); t && !clock {
			clock, s = true, rest
		}
		i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if i < 1 || i > 9 {
			return length{}, wrong
		}
		n, err := strconv.Atoi(s[:i])
		if err != nil {
			return length{}, wrong
		}
		unit := s[i]
		s = s[i+1:]
		switch {
		case !clock && unit == 'W':
			l.days += 7 * n
		case !clock && unit == 'D':
			l.days += n
		case clock && unit == 'H':
			l.exact += time.Duration(n) * time.Hour
		case clock && unit == 'M':
			l.exact += time.Duration(n) * time.Minute
		case clock && unit == 'S':
			l.exact += time.Duration(n) * time.Second
		default:
			return length{}, wrong
		}
		if l.days > int(maxLength/(24*time.Hour)) || l.exact > maxLength {
			return length{}, fmt.Errorf("%q is longer than a hundred years", shorten(text))
		}
	}
	return l, nil
}
