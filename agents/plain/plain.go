// Package plain makes what others wrote fit for a terminal and a log: what moves a
// cursor, rings, colours or turns the direction of writing is shown, not obeyed.
package plain

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Acts says that a character does something on a terminal other than being seen:
// controls, C1 as well, separators of lines, and what turns the direction of writing
// (UAX #9).
func Acts(r rune) bool {
	switch {
	case unicode.IsControl(r), r == '\u2028', r == '\u2029':
		return true
	case r == '\u061c', r == '\u200e', r == '\u200f', r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
		return true
	}
	return false
}

// Text is s as it can stand on one line: tabs stay, of anything else that acts, and
// of what is no UTF-8, a question mark.
func Text(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || Acts(r) && r != '\t' {
			return '?'
		}
		return r
	}, s)
}

// Lines is Text of several lines.
func Lines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Text(strings.TrimSuffix(line, "\r"))
	}
	return strings.Join(lines, "\n")
}

// JSON has JSON texts written to w with what acts as escapes, which mean the same.
func JSON(w io.Writer) io.Writer { return jsonWriter{w} }

type jsonWriter struct{ to io.Writer }

// Write takes whole texts: encoding/json and log/slog write each at once. Outside its
// strings, which are the only ones that can hold anything else, it is ASCII.
func (w jsonWriter) Write(b []byte) (int, error) {
	out := b
	if bytes.ContainsFunc(b, func(r rune) bool { return r != '\n' && Acts(r) }) {
		out = nil
		for _, r := range string(b) {
			if r != '\n' && Acts(r) {
				out = fmt.Appendf(out, `\u%04x`, r)
			} else {
				out = utf8.AppendRune(out, r)
			}
		}
	}
	if _, err := w.to.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}
