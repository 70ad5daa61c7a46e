package pidf

import (
	"regexp"
	"strings"
	"time"
)

// simpleType is a simple type of the schemas: what a value has to be, and
// whether one is. White space around it is taken off before.
type simpleType struct {
	expected string
	holds    func(string) bool
}

var simpleTypes = map[string]simpleType{
	"string":          {"", func(string) bool { return true }},
	"anyURI":          {"a URI", isURI},
	"language":        {"a language such as en", func(s string) bool { return s == "" || language.MatchString(s) }},
	"ID":              {"a letter or _, then letters, digits, - . _ (xs:ID)", isNCName},
	"dateTime":        {"a time such as 2026-01-02T03:04:05Z", isDateTime},
	"boolean":         {"true or false", func(s string) bool { _, ok := parseBool(s); return ok }},
	"basic":           {"open or closed", func(s string) bool { return s == string(Open) || s == string(Closed) }},
	"activeIdle":      {"active or idle", func(s string) bool { return s == "active" || s == "idle" }},
	"qvalue":          {"0 to 1 with at most three decimals", func(s string) bool { _, err := ParsePriority(s); return err == nil }},
	"integer":         {"a whole number", wholeNumber.MatchString},
	"positiveInteger": {"a whole number above 0", positive.MatchString},
}

var (
	language    = regexp.MustCompile(`^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*$`)
	scheme      = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*$`)
	wholeNumber = regexp.MustCompile(`^[+-]?[0-9]+$`)
	positive    = regexp.MustCompile(`^\+?0*[1-9][0-9]*$`)
	dateTime    = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))?$`)
)

// isDateTime is xs:dateTime without years before 0 or after 9999.
func isDateTime(s string) bool {
	s, _ = untilMidnight(s)
	m := dateTime.FindStringSubmatch(s)
	if m == nil {
		return false
	}
	_, err := time.Parse("2006-01-02T15:04:05", m[1])
	return err == nil
}

// isURI tells what may be an absolute or a relative URI by its scheme; of what
// follows the schemas want next to nothing.
func isURI(s string) bool {
	before, _, colon := strings.Cut(s, ":")
	return !colon || strings.ContainsAny(before, "/?#") || scheme.MatchString(before)
}

// isNCName is the NCName of Namespaces in XML section 3, as far as every
// validator agrees on it.
func isNCName(s string) bool {
	for i, r := range s {
		if !nameChar(r) || i == 0 && !nameStart(r) {
			return false
		}
	}
	return s != ""
}
