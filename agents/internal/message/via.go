package message

import (
	"cmp"
	"strconv"
	"strings"
)

// Via is one hop (RFC 3261 section 20.42).
type Via struct {
	Version   string // of SIP; "" is 2.0
	Transport string // UDP, TCP, TLS
	Host      string // sent-by; an IPv6 literal keeps its brackets
	Port      int    // 0 where none is given
	Params    Params
}

// ParseVia reads one Via value. Where only its parameters are wrong it gives the rest
// beside the error.
func ParseVia(s string) (Via, error) {
	bad := func(what string) (Via, error) {
		return Via{}, &ParseError{Status: 400, Where: "Via", What: what + " in " + quoteClip(s)}
	}
	name, rest, ok := strings.Cut(s, "/")
	version, rest2, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 || !strings.EqualFold(strings.TrimSpace(name), "SIP") || !IsToken(strings.TrimSpace(version)) {
		return bad("want SIP/2.0/TRANSPORT")
	}
	rest2 = strings.TrimSpace(rest2)
	i := strings.IndexAny(rest2, " \t")
	if i <= 0 {
		return bad("no sent-by")
	}
	via := Via{Transport: strings.ToUpper(rest2[:i])}
	if version = strings.TrimSpace(version); version != "2.0" {
		via.Version = version // who speaks it hears 505, by this Via
	}
	sentBy, params := strings.TrimSpace(rest2[i:]), ""
	if semi := strings.IndexByte(sentBy, ';'); semi >= 0 {
		sentBy, params = strings.TrimSpace(sentBy[:semi]), sentBy[semi:]
	}
	host, port, ok := readSentBy(sentBy)
	if !ok || !IsToken(via.Transport) {
		return bad("bad sent-by")
	}
	via.Host, via.Port = host, port
	p, perr := ParseParams(params)
	if perr != nil {
		return via, at(perr, "Via") // who sent it can be answered
	}
	via.Params = p
	return via, nil
}

// readSentBy reads the host of a Via, which is put up with in more spellings than that of
// a URI (RFC 3261 section 25.1 has white space around the colon).
func readSentBy(s string) (host string, port int, ok bool) {
	host, port, ok = cutPort(s)
	host = strings.TrimSpace(host)
	inner, opened := strings.CutPrefix(host, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	return host, port, ok && inner != "" && opened == closed && !strings.ContainsAny(inner, "[] \t,;<>\"@")
}

// String is the field's value.
func (v Via) String() string {
	b := append(make([]byte, 0, 128), "SIP/"...)
	b = append(append(b, cmp.Or(v.Version, "2.0")...), '/')
	b = append(append(b, v.Transport...), ' ')
	b = append(b, v.SentBy()...)
	return string(v.Params.append(b))
}

// SentBy is host or host:port.
func (v Via) SentBy() string {
	if v.Port == 0 {
		return v.Host
	}
	return v.Host + ":" + strconv.Itoa(v.Port)
}

// Branch is the branch parameter; RFC 3261's begin with z9hG4bK.
func (v Via) Branch() string {
	b, _ := v.Params.Get("branch")
	return b
}

// TopVia reads the first Via of m, if Parse has not.
func TopVia(m Message) (Via, error) {
	f := find(m, "Via")
	if f == nil || f.value == "" {
		return Via{}, &ParseError{Status: 400, Where: "Via", What: "missing"}
	}
	if f.via != nil {
		return *f.via, nil
	}
	return ParseVia(f.value[:indexOutside(f.value, ',')])
}

// SetTopVia replaces the first Via of m, which has one.
func SetTopVia(m Message, via Via) {
	m.held().fields[index(m, "Via")] = &field{name: "Via", value: via.String(), via: &via}
}
