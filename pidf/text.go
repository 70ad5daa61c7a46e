package pidf

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// isSpace is the S production of XML 1.0 section 2.3.
func isSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' }

// trim removes XML white space (and no other) from both ends.
func trim(s string) string { return strings.TrimFunc(s, isSpace) }

// plural counts things for a message.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// lineOfInvalid finds the line of the first byte that is not UTF-8.
func lineOfInvalid(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return 1 + bytes.Count(data[:i], []byte("\n"))
		}
		i += size
	}
	return 0
}

// pseudoAttr reads one pseudo-attribute of an XML declaration.
func pseudoAttr(inst, name string) string {
	for inst = trim(inst); inst != ""; {
		key, after, ok := strings.Cut(inst, "=")
		after = trim(after)
		if !ok || after == "" || (after[0] != '"' && after[0] != '\'') {
			return ""
		}
		value, left, ok := strings.Cut(after[1:], after[:1])
		if !ok {
			return ""
		}
		if trim(key) == name {
			return value
		}
		inst = trim(left)
	}
	return ""
}
