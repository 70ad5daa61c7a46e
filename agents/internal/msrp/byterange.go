package msrp

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Unknown stands for "*": a range end or total that is not known.
const Unknown int64 = -1

// maxOffset refuses positions no message can have before anything is
// computed with them (RFC 4975 section 14.5).
const maxOffset = math.MaxInt64 / 4

// ByteRange is the position of a chunk in its message; the first byte is 1.
type ByteRange struct {
	Start int64
	End   int64 // Unknown: "*"
	Total int64 // Unknown: "*"
}

// ParseByteRange reads a Byte-Range header's value.
func ParseByteRange(s string) (ByteRange, error) {
	bad := func() (ByteRange, error) { return ByteRange{}, fmt.Errorf("msrp: Byte-Range %.60q", s) }
	start, rest, ok1 := strings.Cut(s, "-")
	end, total, ok2 := strings.Cut(rest, "/")
	if !ok1 || !ok2 || start == "*" {
		return bad()
	}
	var r ByteRange
	for _, f := range []struct {
		to   *int64
		text string
	}{{&r.Start, start}, {&r.End, end}, {&r.Total, total}} {
		if f.text == "*" {
			*f.to = Unknown
			continue
		}
		n, err := strconv.ParseInt(f.text, 10, 64)
		if err != nil || n > maxOffset || !all(f.text, isDigit) {
			return bad()
		}
		*f.to = n
	}
	// An empty chunk ends just before its start: "1-0/0".
	if r.Start < 1 || r.End != Unknown && r.End < r.Start-1 || r.Total != Unknown && (r.End > r.Total || r.Start > r.Total+1) {
		return bad()
	}
	return r, nil
}

// String writes the header's value.
func (r ByteRange) String() string {
	star := func(n int64) string {
		if n == Unknown {
			return "*"
		}
		return strconv.FormatInt(n, 10)
	}
	return strconv.FormatInt(r.Start, 10) + "-" + star(r.End) + "/" + star(r.Total)
}
