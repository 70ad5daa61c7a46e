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

// checkChars refuses what is not UTF-8 and what is not a character of XML
// (XML 1.0 section 2.2), in comments and instructions too, where the decoder
// does not look.
func checkChars(data []byte) error {
	for i := 0; i < len(data); {
		if c := data[i]; c >= ' ' && c < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return &ParseError{Line: lineAt(data, i), What: "bytes that are not UTF-8", Expected: "UTF-8"}
		case !isXMLChar(r):
			return &ParseError{Line: lineAt(data, i), What: fmt.Sprintf("the character %U", r), Expected: "characters that XML allows"}
		}
		i += size
	}
	return nil
}

func lineAt(data []byte, i int) int { return 1 + bytes.Count(data[:i], []byte("\n")) }

// pseudoAttrs reads the pseudo-attributes of an XML declaration, which may be
// left out but not change places (XML 1.0 section 2.8). ok is false where inst
// is anything else.
func pseudoAttrs(inst string, names ...string) (values []string, ok bool) {
	values = make([]string, len(names))
	for i, name := range names {
		rest, found := strings.CutPrefix(strings.TrimLeftFunc(inst, isSpace), name)
		if !found {
			continue
		}
		if rest, found = strings.CutPrefix(strings.TrimLeftFunc(rest, isSpace), "="); !found {
			return nil, false
		}
		rest = strings.TrimLeftFunc(rest, isSpace)
		if rest == "" || rest[0] != '"' && rest[0] != '\'' {
			return nil, false
		}
		value, after, found := strings.Cut(rest[1:], rest[:1])
		if !found || value == "" || after != "" && !isSpace(rune(after[0])) {
			return nil, false
		}
		values[i], inst = value, after
	}
	return values, trim(inst) == ""
}

// glued tells a start tag in which something follows an attribute's value
// without white space, which encoding/xml lets pass.
func glued(tag []byte) bool {
	quote := byte(0)
	for i, c := range tag {
		switch {
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
			if next := tag[i+1]; !isSpace(rune(next)) && next != '>' && next != '/' {
				return true
			}
		}
	}
	return false
}
