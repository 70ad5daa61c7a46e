package msrp

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// URI names a session at a device (RFC 4975 sections 6 and 9). Compare with
// Equal, never with ==.
type URI struct {
	Secure    bool   // msrps: the next hop is protected by TLS
	User      string // userinfo, as written; not part of any comparison
	Host      string // name or address, as written, IPv6 without brackets
	Port      uint16 // 0: none written
	Session   string // session-id; empty: the device, no session
	Transport string // "tcp"
	Params    string // further parameters as written, with their leading ";"
}

// ParseURI reads an msrp or msrps URI.
func ParseURI(s string) (URI, error) {
	var u URI
	bad := func(why string) (URI, error) {
		return URI{}, fmt.Errorf("msrp: URI %.100q: %s", s, why)
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return bad("no scheme")
	}
	switch {
	case strings.EqualFold(scheme, "msrps"):
		u.Secure = true
	case !strings.EqualFold(scheme, "msrp"):
		return bad("scheme is neither msrp nor msrps")
	}
	rest, params, ok := strings.Cut(rest, ";")
	if !ok {
		return bad("no transport parameter")
	}
	authority, session, hasSession := strings.Cut(rest, "/")
	if hasSession && session == "" || !all(session, isSessionChar) {
		return bad("invalid session-id")
	}
	u.Session = session
	var extra string
	u.Transport, extra, ok = strings.Cut(params, ";")
	if u.Transport == "" || !all(u.Transport, isAlphanum) {
		return bad("invalid transport")
	}
	if ok {
		for p := range strings.SplitSeq(extra, ";") {
			name, value, has := strings.Cut(p, "=")
			if !isToken(name) || has && !isToken(value) {
				return bad("invalid parameter")
			}
		}
		u.Params = ";" + extra
	}
	if why := u.parseAuthority(authority); why != "" {
		return bad(why)
	}
	return u, nil
}

func (u *URI) parseAuthority(s string) (why string) {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		u.User, s = s[:i], s[i+1:]
		if u.User == "" || !all(u.User, isUserChar) {
			return "invalid userinfo"
		}
	}
	var port string
	var hasPort bool
	if strings.HasPrefix(s, "[") {
		host, after, ok := strings.Cut(s[1:], "]")
		if a, err := netip.ParseAddr(host); !ok || err != nil || !a.Is6() {
			return "invalid IPv6 address"
		}
		u.Host = host
		if after != "" {
			port, hasPort = strings.CutPrefix(after, ":")
			if !hasPort {
				return "invalid authority"
			}
		}
	} else {
		u.Host, port, hasPort = strings.Cut(s, ":")
		if u.Host == "" || !all(u.Host, isHostChar) {
			return "invalid host"
		}
		if _, err := url.PathUnescape(u.Host); err != nil {
			return "invalid percent-encoding"
		}
	}
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || !all(port, isDigit) {
			return "invalid port"
		}
		u.Port = uint16(n)
	} else if _, err := netip.ParseAddr(u.Host); err == nil {
		// RFC 4975 section 6: a numeric address must come with a port.
		return "numeric address without a port"
	}
	return ""
}

// String writes the URI.
func (u URI) String() string {
	var b strings.Builder
	b.WriteString("msrp")
	if u.Secure {
		b.WriteByte('s')
	}
	b.WriteString("://")
	if u.User != "" {
		b.WriteString(u.User + "@")
	}
	if strings.Contains(u.Host, ":") {
		b.WriteString("[" + u.Host + "]")
	} else {
		b.WriteString(u.Host)
	}
	if u.Port != 0 {
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(int(u.Port)))
	}
	if u.Session != "" {
		b.WriteString("/" + u.Session)
	}
	b.WriteString(";" + u.Transport + u.Params)
	return b.String()
}

// Equal compares by RFC 4975 section 6.1: userinfo and further parameters do
// not count, the session-id is case-sensitive, all else is not.
func (u URI) Equal(v URI) bool { return u.key() == v.key() }

// key is equal for equal URIs.
func (u URI) key() string {
	host := decodeUnreserved(u.Host)
	if a, err := netip.ParseAddr(host); err == nil {
		host = a.String()
	} else {
		host = strings.ToLower(host)
	}
	k := URI{Secure: u.Secure, Host: host, Port: u.Port, Session: u.Session, Transport: strings.ToLower(u.Transport)}
	return k.String()
}

// decodeUnreserved undoes the percent-encoding of characters that need none
// (RFC 3986 section 6.2.2.2); the others keep theirs.
func decodeUnreserved(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil && isUnreserved(byte(n)) {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
