package ical

import (
	"fmt"
	"strings"
)

// Warning is something in a calendar that could not be used, or not as it is
// written. Everything else is not touched by it.
type Warning struct {
	Line int    // 0: none in particular
	UID  string // of the event; empty: none, or it has none
	What string // what is wrong, and what became of it
}

func (w Warning) String() string {
	var b strings.Builder
	if w.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", w.Line)
	}
	if w.UID != "" {
		fmt.Fprintf(&b, "event %s: ", shorten(w.UID))
	}
	return b.String() + w.What
}
