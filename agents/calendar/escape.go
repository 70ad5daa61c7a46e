package calendar

import (
	"encoding/xml"
	"strings"
)

// escape is text for XML.
func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes all
	return b.String()
}
