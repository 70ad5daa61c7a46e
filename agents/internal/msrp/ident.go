package msrp

import (
	"bytes"
	"crypto/rand"
)

// newIdent is an identifier of 80 random bits: RFC 4975 asks for 64 in a
// transaction identifier (section 7.1) and 80 in a session-id (section 14.1).
func newIdent() string { return rand.Text()[:16] }

// newTransaction draws identifiers until one would not end body early: the
// end-line must not occur in the body (RFC 4975 section 7.1).
func newTransaction(body []byte, draw func() string) string {
	for {
		id := draw()
		if !bytes.Contains(body, []byte(endMark+id)) {
			return id
		}
	}
}
