package pidf

import (
	"errors"
	"fmt"
	"strings"
)

// ErrTooLarge is wrapped by every ParseError about a limit: for a server, 413
// rather than 400.
var ErrTooLarge = errors.New("document over a limit")

// ParseError says where a document is refused, what stands there, and what was
// expected instead.
type ParseError struct {
	Line     int    // counted from 1; 0 where there is no line to name
	Element  string // path of the element, "presence/tuple/status"; may be empty
	What     string // what stands there
	Expected string // what should; may be empty
	Err      error  // ErrTooLarge, or nil
}

func (e *ParseError) Error() string {
	var b strings.Builder
	b.WriteString("presence document")
	if e.Line > 0 {
		fmt.Fprintf(&b, ", line %d", e.Line)
	}
	if e.Element != "" {
		fmt.Fprintf(&b, ", in %s", e.Element)
	}
	fmt.Fprintf(&b, ": %s", e.What)
	if e.Expected != "" {
		fmt.Fprintf(&b, " (expected %s)", e.Expected)
	}
	return b.String()
}

func (e *ParseError) Unwrap() error { return e.Err }

// quote shows a piece of hostile input: short, on one line.
func quote(s string) string {
	const most = 40
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}
