package message

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	sipgo "github.com/emiago/sipgo/sip"
)

// ParseURI reads a URI and refuses what RFC 3261 section 25 does not allow in
// one: spaces, control bytes, brackets, an empty host, a port out of range. "*"
// (Contact in REGISTER) gives one whose Wildcard is set.
func ParseURI(s string) (URI, error) {
	bad := func(what string) (URI, error) {
		return URI{}, &ParseError{Status: 400, Where: "URI", What: what + " in " + quoteClip(s)}
	}
	if s == "*" {
		return URI{Host: "*", Wildcard: true}, nil
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '<' || c == '>' || c == '"' {
			return bad("a character that must be escaped")
		}
	}
	scheme, rest, ok := strings.Cut(s, ":")
	scheme = strings.ToLower(scheme)
	switch {
	case !ok || !isScheme(scheme):
		return bad("no scheme")
	case rest == "":
		return bad("nothing behind the scheme")
	case scheme == "sip" || scheme == "sips":
		uri, wrong := readURI(rest)
		if wrong != "" {
			return bad(wrong)
		}
		uri.Scheme = scheme
		return uri, nil
	}
	var uri URI
	if err := sipgo.ParseUri("x:"+rest, &uri); err != nil { // whatever it is, it is kept
		return bad("no URI of that scheme")
	}
	uri.Scheme = scheme
	return uri, nil
}

// readURI reads what stands behind sip: or sips: (RFC 3261 section 19.1.1). What it
// takes is written as it was read; wrong says why not.
func readURI(s string) (u URI, wrong string) {
	if user, after, ok := strings.Cut(s, "@"); ok {
		u.User, u.Password, _ = strings.Cut(user, ":")
		if u.User == "" {
			return u, "an empty user"
		}
		if strings.ContainsAny(user, "[]\\") || strings.HasSuffix(user, ":") {
			return u, "no user"
		}
		s = after
	}
	s, headers, hasHeaders := strings.Cut(s, "?")
	hostport, params, hasParams := strings.Cut(s, ";")
	host, port, wrong := readHostPort(hostport)
	if wrong != "" {
		return u, wrong
	}
	u.Host, u.Port = host, port
	var ok bool
	if hasParams {
		if u.UriParams, ok = pairs(params, ";"); !ok {
			return u, "parameters that are empty, twice or too many"
		}
	}
	if hasHeaders {
		if u.Headers, ok = pairs(headers, "&"); !ok {
			return u, "header fields that are empty, twice or too many"
		}
	}
	return u, ""
}

// readHostPort: an IPv6 literal keeps its brackets, no port is 0.
func readHostPort(s string) (host string, port int, wrong string) {
	host, port, ok := cutPort(s)
	if !ok {
		return "", 0, "a port out of range"
	}
	literal, isLiteral := strings.CutPrefix(host, "[")
	literal, closed := strings.CutSuffix(literal, "]")
	switch {
	case host == "":
		return "", 0, "no host"
	// RFC 5118 section 4.10: three colons are put up with.
	case isLiteral && (!closed || len(literal) < 2 || !literals.all(literal)):
		return "", 0, "no IPv6 address between brackets"
	case !isLiteral && !names.all(host):
		return "", 0, "no host"
	}
	return host, port, ""
}

// cutPort cuts a port off, which is behind the last colon that is not within brackets;
// 0 where there is none.
func cutPort(s string) (host string, port int, ok bool) {
	end := strings.IndexByte(s, ']') + 1
	colon := strings.LastIndexByte(s[end:], ':')
	if colon < 0 {
		return s, 0, true
	}
	n, err := strconv.ParseUint(strings.TrimSpace(s[end+colon+1:]), 10, 16)
	return s[:end+colon], int(n), err == nil && n > 0
}

// AppendURI writes u, as u.String would, behind what is in b.
func AppendURI(b []byte, u URI) []byte {
	if u.Raw() != "" || u.HierarhicalSlashes || len(u.Headers) > 0 || strings.IndexByte(u.Host, ':') >= 0 {
		return append(b, u.String()...)
	}
	b = append(append(b, cmp.Or(u.Scheme, "sip")...), ':')
	if u.User != "" {
		b = append(b, u.User...)
		if u.Password != "" {
			b = append(append(b, ':'), u.Password...)
		}
		b = append(b, '@')
	}
	b = append(b, u.Host...)
	if u.Port > 0 {
		b = strconv.AppendInt(append(b, ':'), int64(u.Port), 10)
	}
	for _, kv := range u.UriParams {
		b = append(append(b, ';'), kv.K...)
		if kv.V != "" {
			b = append(append(b, '='), kv.V...)
		}
	}
	return b
}

// mostPairs is how many parameters or header fields a URI may have.
const mostPairs = 64

func pairs(s, sep string) (out sipgo.HeaderParams, ok bool) {
	for part := range strings.SplitSeq(s, sep) {
		name, value, _ := strings.Cut(part, "=")
		twice := slices.ContainsFunc(out, func(kv sipgo.HeaderKV) bool { return strings.EqualFold(kv.K, name) })
		if name == "" || twice && sep == ";" || len(out) == mostPairs {
			return nil, false
		}
		out = append(out, sipgo.HeaderKV{K: name, V: value})
	}
	return out, true
}

// isScheme is RFC 3986 section 3.1, in lower case.
func isScheme(s string) bool {
	return s != "" && s[0] >= 'a' && s[0] <= 'z' && schemes.all(s)
}

// URIParam reads a URI parameter; names compare without case, and what is escaped
// is what it stands for (RFC 3261 section 19.1.4).
func URIParam(u URI, name string) (value string, ok bool) {
	for _, kv := range u.UriParams {
		if strings.EqualFold(Unescape(kv.K), name) {
			return Unescape(kv.V), true
		}
	}
	return "", false
}

// AOR is the address of record of u: sip:user@host, host in lower case,
// without port and parameters (RFC 3261 section 10.3 step 5).
func AOR(u URI) string { return "sip:" + Unescape(u.User) + "@" + strings.ToLower(u.Host) }
