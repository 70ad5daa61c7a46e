package message

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ParseError says where a message is wrong, what is wrong, and the status that
// answers it.
type ParseError struct {
	Status int    // the response that tells the peer: 400, 413, 505 ...
	Where  string // the field, or "start line", "body"
	What   string
}

func (e *ParseError) Error() string { return e.Where + ": " + e.What }

// at names the field in which a shared reader found its error.
func at(err error, field string) error {
	if err == nil {
		return nil
	}
	var p *ParseError
	if errors.As(err, &p) {
		return &ParseError{Status: p.Status, Where: field, What: p.What}
	}
	return err
}

// IsToken says whether s is a token, as field names are (RFC 3261 section 25.1).
func IsToken(s string) bool { return s != "" && tokens.all(s) }

// set is a set of bytes.
type set [256]bool

func setOf(bytes string) *set {
	var s set
	for i := range len(bytes) {
		s[bytes[i]] = true
	}
	return &s
}

// all says that s has nothing but bytes of the set.
func (b *set) all(s string) bool {
	for i := range len(s) {
		if !b[s[i]] {
			return false
		}
	}
	return true
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

var (
	tokens   = setOf(lower + upper + digits + "-.!%*_+`'~")
	schemes  = setOf(lower + digits + "+-.") // RFC 3986 section 3.1, in lower case
	names    = setOf(lower + upper + digits + "-._")
	literals = setOf(digits + "abcdefABCDEF:.") // IPv6
)

func isQuoted(s string) bool {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return false
	}
	for i := 1; i < len(s)-1; i++ {
		switch s[i] {
		case '\\':
			i++
			if i == len(s)-1 {
				return false
			}
		case '"':
			return false
		}
	}
	return true
}

func indexOutsideQuotes(s string, want byte) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == want && !quoted:
			return i
		}
	}
	return -1
}

// Quote is s as a quoted-string (RFC 3261 section 25.1). A line break, which none
// can hold, becomes a space.
func Quote(s string) string {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\r' || c == '\n':
			b = append(b, ' ')
			continue
		case c == '\\' || c == '"' || c < ' ' && c != '\t' || c == 0x7f:
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return string(append(b, '"'))
}

// isDisplay knows what may stand before the angle bracket of an address: a
// quoted-string, or tokens.
func isDisplay(s string) bool {
	if s == "" || isQuoted(s) {
		return true
	}
	for word := range strings.FieldsSeq(s) {
		if !IsToken(word) {
			return false
		}
	}
	return true
}

// Unquote is a quoted-string's content; anything else is itself.
func Unquote(s string) string {
	if !isQuoted(s) {
		return s
	}
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Unescape undoes %HH in a user part; what is no escape stays.
func Unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:77] + "..."
	}
	return s
}

func quoteClip(s string) string { return fmt.Sprintf("%q", clip(s)) }
