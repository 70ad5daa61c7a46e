package cpim

import (
	"fmt"
	"strings"
)

// Address is the value of From, To, cc, and of what other specifications write
// alike; with a prefix for a name also that of NS.
type Address struct {
	Name string // what it is called; empty: nothing
	URI  string
}

// ParseAddress reads a header's value: [ Formal-name ] "<" URI ">". A string's
// quotes and escapes are undone.
func ParseAddress(value string) (Address, error) {
	i, found := strings.LastIndexByte(value, '<'), strings.HasSuffix(value, ">")
	if i < 0 || !found {
		return Address{}, fmt.Errorf("%.80q is no address: want [name] <URI>", value)
	}
	a := Address{Name: strings.TrimSpace(value[:i]), URI: Unescape(value[i+1 : len(value)-1])}
	if scheme, rest, ok := strings.Cut(a.URI, ":"); !ok || scheme == "" || rest == "" || strings.ContainsAny(a.URI, "<>\" ") || strings.ContainsFunc(a.URI, isControl) {
		return Address{}, fmt.Errorf("%.80q is no absolute URI", a.URI)
	}
	if n := len(a.Name); n >= 2 && a.Name[0] == '"' && a.Name[n-1] == '"' {
		a.Name = a.Name[1 : n-1]
	}
	a.Name = Unescape(a.Name)
	return a, nil
}

// String writes the address as a header's value.
func (a Address) String() string {
	uri := "<" + Escape(a.URI) + ">"
	switch {
	case a.Name == "":
		return uri
	case strings.ContainsFunc(a.Name, func(r rune) bool { return r != ' ' && !isTokenRune(r) }), strings.TrimSpace(a.Name) != a.Name, strings.Contains(a.Name, "  "):
		return quoted(a.Name) + " " + uri
	}
	return a.Name + " " + uri
}
