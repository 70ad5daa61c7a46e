package pidf

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Priority is the priority of a contact, 0 to 1 in thousandths (RFC 3863
// section 4.1.5, qvalue). The zero value means that none is given.
type Priority uint16 // thousandths + 1

// NewPriority makes a priority from a number between 0 and 1, rounded to
// thousandths.
func NewPriority(q float64) (Priority, error) {
	if !(q >= 0 && q <= 1) {
		return 0, fmt.Errorf("priority %v: expected 0 to 1", q)
	}
	return Priority(math.Round(q*1000)) + 1, nil
}

// ParsePriority reads a qvalue: 0 to 1 with at most three decimals.
func ParsePriority(s string) (Priority, error) {
	whole, decimals, _ := strings.Cut(s, ".")
	bad := (whole != "0" && whole != "1") || len(decimals) > 3
	n := 0
	for i := range 3 {
		n *= 10
		if i < len(decimals) {
			c := decimals[i]
			bad = bad || c < '0' || c > '9'
			n += int(c - '0')
		}
	}
	if whole == "1" {
		bad = bad || n != 0
		n = 1000
	}
	if bad {
		return 0, fmt.Errorf("priority %s: expected 0 to 1 with at most three decimals", quote(s))
	}
	return Priority(n) + 1, nil
}

// Value returns the number, and whether there is one.
func (p Priority) Value() (float64, bool) {
	if p == 0 {
		return 0, false
	}
	return float64(p-1) / 1000, true
}

// String writes the qvalue as short as it goes; empty where none is given.
func (p Priority) String() string {
	v, ok := p.Value()
	if !ok {
		return ""
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
