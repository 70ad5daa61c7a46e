package routing

import (
	"net/netip"
	"strconv"
	"strings"
)

// Host is the one spelling of a URI's host: lower case, no brackets, no final
// dot, IP literals as netip prints them (RFC 3261 section 19.1.4 compares hosts
// without case).
func Host(s string) string {
	if n := len(s); n > 1 && s[0] == '[' && s[n-1] == ']' {
		s = s[1 : n-1]
	}
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	if !maybeIP(s) {
		return s
	}
	if ip, err := netip.ParseAddr(s); err == nil && !ip.Is4() { // IPv4 has one spelling
		return ip.Unmap().String()
	}
	return s
}

// maybeIP spares names the cost of an address that does not parse.
func maybeIP(s string) bool {
	return s != "" && (strings.IndexByte(s, ':') >= 0 || s[len(s)-1] >= '0' && s[len(s)-1] <= '9')
}

// SplitHostPort takes "host", "host:port", "[v6]", "[v6]:port" or a bare IPv6
// address apart; the port is 0 where none stands. ok is false for a port that
// is none.
func SplitHostPort(s string) (host string, port int, ok bool) {
	i := strings.LastIndexByte(s, ':')
	bare := i >= 0 && s[0] != '[' && strings.IndexByte(s, ':') != i
	if i < 0 || bare || strings.HasSuffix(s, "]") {
		return Host(s), 0, s != ""
	}
	p, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil || p == 0 || i == 0 {
		return "", 0, false
	}
	return Host(s[:i]), int(p), true
}
