package pidf

import (
	"fmt"
	"strings"
	"time"
)

// parseTime reads an xs:dateTime as RFC 3863 section 4.1.7 has it, which is RFC
// 3339: years have four digits. Without a zone it is UTC, and 24:00:00 is the next
// day's midnight.
func parseTime(s string) (time.Time, error) {
	midnight, later := untilMidnight(s)
	t, err := time.Parse(time.RFC3339Nano, midnight)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05", midnight)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("time %s", quote(s))
	}
	return t.Add(later), nil
}

// untilMidnight spells the end of a day as its beginning, a day later.
func untilMidnight(s string) (string, time.Duration) {
	if day, zone, ok := strings.Cut(s, "T24:00:00"); ok && !strings.HasPrefix(zone, ".") {
		return day + "T00:00:00" + zone, 24 * time.Hour
	}
	return s, 0
}

func formatTime(t time.Time) string { return t.Format(time.RFC3339Nano) }
