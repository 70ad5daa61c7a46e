package db

import (
	"regexp"
	"strings"

	"presfed/routing"
)

var (
	// RFC 3261 section 25.1: user, and the hostname of hostport.
	userRE = regexp.MustCompile(`^([A-Za-z0-9\-_.!~*'()&=+$,;?/]|%[0-9A-Fa-f]{2})+$`)
	hostRE = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z]([a-z0-9-]*[a-z0-9])?$`)
	nameRE = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
)

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
	if !userRE.MatchString(user) || !hostRE.MatchString(host) || len(rest) > 255 {
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
	if !hostRE.MatchString(h) || len(h) > 253 {
		return "", &InvalidError{Field: field, Value: s, Want: "a host name such as serverb.example.com"}
	}
	return h, nil
}
