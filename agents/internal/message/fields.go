package message

import (
	"slices"
	"strconv"
	"strings"
)

// compact maps the compact forms of RFC 3261 section 7.3.3 and of the
// extensions in use to the names in full.
var compact = map[string]string{
	"a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "e": "Content-Encoding",
	"f": "From", "i": "Call-ID", "k": "Supported", "l": "Content-Length", "m": "Contact",
	"o": "Event", "r": "Refer-To", "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via",
	"x": "Session-Expires", "y": "Identity", "d": "Request-Disposition", "j": "Reject-Contact",
}

// spelled is how names are written whose canonical form is not First-Letters.
var spelled = map[string]string{
	"call-id": "Call-ID", "cseq": "CSeq", "www-authenticate": "WWW-Authenticate",
	"sip-etag": "SIP-ETag", "sip-if-match": "SIP-If-Match", "rseq": "RSeq", "rack": "RAck",
	"mime-version": "MIME-Version", "content-id": "Content-ID", "remote-party-id": "Remote-Party-ID",
}

// Canonical is the one spelling of a field name: long form, usual capitals.
func Canonical(name string) string {
	if isCanonical(name) {
		return name
	}
	lower := strings.ToLower(name)
	if long, ok := compact[lower]; ok {
		return long
	}
	if s, ok := spelled[lower]; ok {
		return s
	}
	b := []byte(lower)
	for i := range b {
		if (i == 0 || b[i-1] == '-') && b[i] >= 'a' && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

// isCanonical knows the names that nearly every message has without a look-up.
func isCanonical(name string) bool {
	switch name {
	case "Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Contact", "Content-Length", "Content-Type",
		"Route", "Record-Route", "Event", "Expires", "Subscription-State", "Supported", "Allow",
		"P-Asserted-Identity", "SIP-ETag", "SIP-If-Match", "User-Agent", "Accept", "Authorization":
		return true
	}
	return false
}

// Get is the first value of the field, or "". A parsed message has canonical
// names only; name must be canonical.
func Get(m Message, name string) string {
	if f := find(m, name); f != nil {
		return f.value
	}
	return ""
}

// Has says whether the field is there at all.
func Has(m Message, name string) bool { return find(m, name) != nil }

// Count is how many fields of that name there are.
func Count(m Message, name string) (n int) {
	for _, f := range m.held().fields {
		if f.name == name {
			n++
		}
	}
	return n
}

// Raw is every field of that name, a line each, in order.
func Raw(m Message, name string) []string {
	var out []string
	for _, f := range m.held().fields {
		if f.name == name {
			out = append(out, f.value)
		}
	}
	return out
}

// Values is every value of a list field, over all its lines, split at commas
// that stand outside quotes and angle brackets, trimmed, empty ones left out.
func Values(m Message, name string) []string {
	var out []string
	for _, f := range m.held().fields {
		if f.name == name {
			out = appendList(out, f.value)
		}
	}
	return out
}

// HasToken says whether a list of tokens (Supported, Require, Allow ...) holds
// token, in any case of letters.
func HasToken(m Message, name, token string) bool {
	return slices.ContainsFunc(Values(m, name), func(v string) bool { return strings.EqualFold(v, token) })
}

// Set makes value the only one of the field, in the first one's place.
func Set(m Message, name, value string) {
	i := index(m, name)
	if i < 0 {
		Add(m, name, value)
		return
	}
	m.held().fields[i] = &field{name: name, value: value}
	removeFrom(m, name, i+1)
}

// Add appends a field.
func Add(m Message, name, value string) {
	c := m.held()
	c.fields = append(c.fields, &field{name: name, value: value})
}

// Prepend puts fields first, in the order given.
func Prepend(m Message, name string, values ...string) { insert(m, 0, name, values...) }

// Lead puts fields before all others but Via, in the order given.
func Lead(m Message, name string, values ...string) {
	list, at := m.held().fields, 0
	for at < len(list) && list[at].name == "Via" {
		at++
	}
	insert(m, at, name, values...)
}

// SetFirst gives the first field of that name, which there is, another value.
func SetFirst(m Message, name, value string) {
	m.held().fields[index(m, name)] = &field{name: name, value: value}
}

// Remove takes every field of that name out.
func Remove(m Message, name string) { removeFrom(m, name, 0) }

// removeFrom takes out the fields of that name at or after the index.
func removeFrom(m Message, name string, from int) {
	c := m.held()
	kept := slices.DeleteFunc(c.fields[from:], func(f *field) bool { return f.name == name })
	c.fields = c.fields[:from+len(kept)]
}

// RemoveFirst takes the first field of that name out.
func RemoveFirst(m Message, name string) {
	if i := index(m, name); i >= 0 {
		c := m.held()
		c.fields = slices.Delete(c.fields, i, i+1)
	}
}

// Seconds reads a field of delta-seconds; ok is false where it is missing or
// malformed.
func Seconds(m Message, name string) (seconds uint32, ok bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(Get(m, name)), 10, 32)
	return uint32(n), err == nil
}

// SplitList splits at commas outside quotes and angle brackets.
func SplitList(s string) []string { return appendList(nil, s) }

func appendList(out []string, s string) []string {
	for s != "" {
		end := len(s)
		if strings.IndexByte(s, ',') >= 0 {
			end = indexOutside(s, ',')
		}
		if v := strings.TrimSpace(s[:end]); v != "" {
			out = append(out, v)
		}
		s = s[min(end+1, len(s)):]
	}
	return out
}

// indexOutside is where the first separator stands outside quotes and angle
// brackets; the length of s where none does.
func indexOutside(s string, sep byte) int {
	quoted, bracket := false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			bracket = true
		case c == '>':
			bracket = false
		case c == sep && !bracket:
			return i
		}
	}
	return len(s)
}
