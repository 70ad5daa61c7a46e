package cpim

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Escape writes text as a header's value (section 2.3.1).
func Escape(text string) string { return escape(text, "") }

// quoted writes text as a string in double quotes.
func quoted(text string) string { return `"` + escape(text, `"`) + `"` }

func escape(text, also string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\\', strings.ContainsRune(also, r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case isControl(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isControl: U+0000 to U+001f, and U+007f.
func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// Unescape undoes escapes, those that nobody had to write too. A backslash before
// anything else stands for that; one at the end for nothing.
func Unescape(value string) string {
	if !strings.Contains(value, `\`) {
		return value
	}
	var b strings.Builder
	for i := 0; i < len(value); {
		if value[i] != '\\' {
			b.WriteByte(value[i])
			i++
			continue
		}
		if i++; i == len(value) {
			break
		}
		switch value[i] {
		case 'b':
			b.WriteByte('\b')
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'u':
			if r, n := codePoint(value[i+1:]); n > 0 {
				b.WriteRune(r)
				i += n
			} else {
				b.WriteByte('u')
			}
		default:
			r, n := utf8.DecodeRuneInString(value[i:])
			b.WriteRune(r)
			i += n - 1
		}
		i++
	}
	return b.String()
}

// codePoint reads what stands behind \u, and a second one where both are halves
// of one character; n is 0 where there is none.
func codePoint(s string) (r rune, n int) {
	r, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) && len(s) >= 10 && s[4:6] == `\u` {
		if low, ok := hex4(s[6:]); ok {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				return both, 10
			}
		}
	}
	return r, 4 // half a character is written as U+FFFD
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:4], 16, 16)
	return rune(n), err == nil
}
