package pidf

import (
	"fmt"
	"time"
)

// parseTime reads an xs:dateTime as RFC 3863 section 4.1.7 has it, which is RFC
// 3339; without a zone it is UTC.
func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05", s)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("time %s", quote(s))
	}
	return t, nil
}

func formatTime(t time.Time) string { return t.Format(time.RFC3339Nano) }
