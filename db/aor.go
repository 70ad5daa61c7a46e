package db

import (
	"regexp"
	"strings"

	"presfed/routing"
)

// nameRE is what a server may be called.
var nameRE = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// ParseAOR reads an address of record as people write it: bob@example.com,
// sip:bob@example.com, or bob alone where a domain is given. The host's case is
// folded, the user part's is kept (RFC 3261 section 19.1.4).
func ParseAOR(s, domain string) (string, error) {
	bad := func() (string, error) {
		want := "user@domain"
		if domain != "" {
			want = "a user of " + domain + ", as user or user@" + domain
		}
		return "", &InvalidError{Field: "address", Value: s, Want: want}
	}
	rest := s
	if scheme, after, ok := strings.Cut(s, ":"); ok && (strings.EqualFold(scheme, "sip") || strings.EqualFold(scheme, "sips")) {
		rest = after
	}
	user, host, ok := strings.Cut(rest, "@")
	if !ok {
		host = domain
	}
	host = routing.Host(host)
	if !isUser(user) || !isHost(host) || len(rest) > 255 {
		return bad()
	}
	return user + "@" + host, nil
}

// SplitAOR takes an address of record apart.
func SplitAOR(aor string) (user, host string) {
	user, host, _ = strings.Cut(aor, "@")
	return user, host
}

// canonicalHost checks the name of a host or domain.
func canonicalHost(field, s string) (string, error) {
	h := routing.Host(s)
	if !isHost(h) || len(h) > 253 {
		return "", &InvalidError{Field: field, Value: s, Want: "a host name such as serverb.example.com"}
	}
	return h, nil
}

// isUser tells the user part of a SIP URI without a password (RFC 3261 section 25.1).
func isUser(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isAlphanumeric(c) || strings.IndexByte("-_.!~*'()&=+$,;?/", c) >= 0:
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			i += 2
		default:
			return false
		}
	}
	return s != ""
}

// isHost tells a hostname, its case folded (RFC 3261 section 25.1): labels, of which
// the last begins with a letter.
func isHost(s string) bool {
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
		last = label
	}
	return last[0] >= 'a'
}

func isLabel(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '-' && (!isAlphanumeric(c) || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return s != "" && s[0] != '-' && s[len(s)-1] != '-'
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
