package pidf

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Ids of tuples, persons and devices are of type xs:ID, which does not begin
// with a digit and holds no space or colon. The draft's 0983wqh does begin
// with one, and so do those of many devices. A Document has them as people
// write them; the Standard dialect spells them so that they are valid, and
// Parse reads either spelling: "_" before a start that is not allowed, and
// "_x0020_" for another character that is not.

// encodeID gives an id its valid spelling.
func encodeID(id string) string {
	if id == "" {
		return "_"
	}
	var b strings.Builder
	for i, r := range id {
		switch {
		case !nameChar(r):
			fmt.Fprintf(&b, "_x%04X_", r)
		case i == 0 && !nameStart(r):
			b.WriteByte('_')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// decodeID takes the valid spelling back. What encodeID would not have written
// stays as it is.
func decodeID(id string) string {
	if r, _ := utf8.DecodeRuneInString(strings.TrimPrefix(id, "_")); strings.HasPrefix(id, "_") && nameChar(r) && !nameStart(r) {
		id = id[1:]
	}
	if !strings.Contains(id, "_x") {
		return id
	}
	var b strings.Builder
	for i := 0; i < len(id); {
		if r, size := escape(id[i:]); size > 0 {
			b.WriteRune(r)
			i += size
			continue
		}
		b.WriteByte(id[i])
		i++
	}
	return b.String()
}

// escape reads one "_x0020_" at the start of s.
func escape(s string) (rune, int) {
	rest, ok := strings.CutPrefix(s, "_x")
	if !ok {
		return 0, 0
	}
	hex, _, ok := strings.Cut(rest, "_")
	if !ok || len(hex) < 4 || len(hex) > 6 {
		return 0, 0
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil || n > utf8.MaxRune || !isXMLChar(rune(n)) || nameChar(rune(n)) || fmt.Sprintf("%04X", n) != hex {
		return 0, 0
	}
	return rune(n), len("_x") + len(hex) + len("_")
}

// nameStart tells what an NCName may begin with (Namespaces in XML section 3):
// of the letters those that every edition of XML 1.0 and so every validator
// accepts.
func nameStart(r rune) bool {
	for _, span := range [...][2]rune{
		{'a', 'z'}, {'A', 'Z'}, {'_', '_'},
		{0xC0, 0xD6}, {0xD8, 0xF6}, {0xF8, 0x131}, // Latin
		{0x3A3, 0x3CE}, {0x410, 0x44F}, {0x5D0, 0x5EA}, // Greek, Cyrillic, Hebrew
		{0x3041, 0x3094}, {0x30A1, 0x30FA}, {0x4E00, 0x9FA5}, {0xAC00, 0xD7A3}, // Kana, Han, Hangul
	} {
		if r >= span[0] && r <= span[1] {
			return true
		}
	}
	return false
}

// nameChar tells what an NCName may contain.
func nameChar(r rune) bool {
	return nameStart(r) || r == '-' || r == '.' || r >= '0' && r <= '9'
}

// isXMLChar is the Char production of XML 1.0 section 2.2.
func isXMLChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}
