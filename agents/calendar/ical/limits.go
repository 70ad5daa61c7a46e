package ical

import (
	"errors"
	"time"
)

// Limits bound what a calendar may cost. A zero field means its default.
type Limits struct {
	Bytes       int // of the calendar; default 16 MiB
	Events      int // default 50,000
	Occurrences int // in one answer; default 100,000
}

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		field *int
		value int
	}{{&l.Bytes, 16 << 20}, {&l.Events, 50_000}, {&l.Occurrences, 100_000}} {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
	return l
}

const (
	maxDepth   = 8                          // of components
	maxHead    = 2 << 10                    // bytes of a property's name and parameters
	maxLine    = 1 << 20                    // bytes of a property
	maxLength  = 100 * 366 * 24 * time.Hour // of one occurrence
	maxSteps   = 5_000_000                  // of one rule within a day or shorter
	maxResults = 1_000_000                  // of one rule, those before the span counted
	maxSpan    = 200_000                    // of one rule within the span
	maxRules   = 8                          // of one event
	maxFutures = 64                         // of one series
	maxStep    = 100_000_000                // INTERVAL
	maxChanges = 2_000                      // of a zone that a calendar defines
)

var (
	// ErrNotCalendar: the bytes are something else.
	ErrNotCalendar = errors.New("not a calendar")
	// ErrTooLarge: over one of Limits.
	ErrTooLarge = errors.New("over a limit")
)
