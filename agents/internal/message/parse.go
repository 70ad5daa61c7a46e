package message

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Limits bound what one message may hold.
type Limits struct {
	HeaderBytes int // start line and fields together
	Headers     int // number of fields
	BodyBytes   int
}

// DefaultLimits suit presence documents and SDP.
var DefaultLimits = Limits{HeaderBytes: 16 << 10, Headers: 128, BodyBytes: 256 << 10}

// Parse reads one whole message: the fields get canonical names, folds are
// joined, list fields of Via, Route and Record-Route stand a value a line. What
// is wrong comes back as a *ParseError; for a request whose Via, From, To,
// Call-ID and CSeq could be read, the message comes back beside it, so that it
// can be answered. Its body stands in raw, which must not change afterwards.
func Parse(raw []byte, limits Limits) (Message, error) {
	head, body, ended := splitHead(raw)
	var large error
	if len(head) > limits.HeaderBytes { // what fits may be enough to answer
		head, large = Shorten(head, limits.HeaderBytes)
	}
	startLine, fields, ferr := canonicalFields(head, limits.Headers)
	if large != nil {
		ferr = large
	}
	if startLine == "" {
		return nil, ferr
	}
	msg, err := parseStart(startLine)
	if msg == nil {
		return nil, err
	}
	c := msg.held()
	c.fields = make([]*field, len(fields), len(fields)+room)
	for i := range fields {
		c.fields[i] = &fields[i]
	}
	if err != nil {
		return msg, err
	}
	if ferr != nil {
		return msg, ferr
	}
	if !ended {
		return msg, &ParseError{Status: 400, Where: "header", What: "no empty line ends it"}
	}
	if len(body) > limits.BodyBytes {
		return msg, &ParseError{Status: 413, Where: "body", What: fmt.Sprintf("%d bytes, at most %d", len(body), limits.BodyBytes)}
	}
	if err := validate(msg); err != nil {
		return msg, err
	}
	if v := Get(msg, "Content-Length"); v != "" {
		n, err := strconv.ParseUint(v, 10, 31)
		if err != nil || int(n) > len(body) {
			return msg, &ParseError{Status: 400, Where: "Content-Length", What: fmt.Sprintf("says %s, %d bytes came", quoteClip(v), len(body))}
		}
		body = body[:n:n] // RFC 3261 section 18.3: what follows in a datagram is dropped
	}
	if len(body) > 0 || Has(msg, "Content-Length") {
		SetBody(msg, "", body)
	}
	return msg, nil
}

// Shorten makes of a head that is too long what may be enough to answer it: the lines
// that fit, and one with the method alone where not even the start line does. The
// error is a *ParseError.
func Shorten(head []byte, most int) ([]byte, error) {
	why := &ParseError{Status: 513, Where: "header", What: fmt.Sprintf("more than %d bytes", most)}
	if start := bytes.IndexByte(head, '\n') + 1; start > most {
		method, _, _ := bytes.Cut(head[:start], []byte(" "))
		head = slices.Concat(method, []byte(" sip:invalid SIP/2.0\r\n"), head[start:])
		why.Status, why.Where = 414, "Request-URI"
	}
	var fits []byte
	left := false // the line before, and with it those that are folded behind it
	for line := range bytes.Lines(head) {
		if left = left && (line[0] == ' ' || line[0] == '\t') || len(fits)+len(line) > most; !left {
			fits = append(fits, line...)
		}
	}
	return fits, why
}

func parseStart(line string) (Message, error) {
	if first, rest, _ := strings.Cut(line, " "); isVersion(first) {
		code, reason, _ := strings.Cut(rest, " ")
		if bad := badByte(line, false); bad >= 0 { // a request with one is answered: its URI is wrong
			return nil, &ParseError{Status: 400, Where: "status line", What: fmt.Sprintf("byte 0x%02x", line[bad])}
		}
		n, err := strconv.ParseUint(code, 10, 16)
		if err != nil || len(code) != 3 || n < 100 || n > 699 {
			return nil, &ParseError{Status: 400, Where: "status line", What: "no status of three digits in " + quoteClip(line)}
		}
		return &Response{StatusCode: int(n), Reason: reason}, nil
	}
	method, rest, ok := strings.Cut(line, " ")
	uri, version, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 || !IsToken(method) {
		return nil, &ParseError{Status: 400, Where: "start line", What: "want METHOD URI SIP/2.0, have " + quoteClip(line)}
	}
	if !isVersion(version) {
		req := NewRequest(method, URI{Scheme: "sip", Host: "invalid"})
		if strings.HasPrefix(strings.ToUpper(version), "SIP/") && !strings.Contains(version, " ") {
			return req, &ParseError{Status: 505, Where: "start line", What: "version " + quoteClip(version)}
		}
		return req, &ParseError{Status: 400, Where: "start line", What: "want METHOD URI SIP/2.0, have " + quoteClip(line)}
	}
	u, err := ParseURI(uri)
	if err == nil && (u.Wildcard || len(u.Headers) > 0) { // RFC 3261 section 19.1.1: neither stands here
		err = &ParseError{Status: 400, What: "no target of a request: " + quoteClip(uri)}
	}
	if err != nil {
		return NewRequest(method, URI{Scheme: "sip", Host: "invalid"}), at(err, "Request-URI")
	}
	return NewRequest(method, u), nil // methods are case-sensitive (section 7.1)
}

// isVersion knows SIP-Version, which is case-insensitive (RFC 3261 section 7.1).
func isVersion(s string) bool { return strings.EqualFold(s, "SIP/2.0") }

// canonicalFields unfolds and names the fields. The start line comes back even
// where a field is wrong.
func canonicalFields(head []byte, most int) (start string, fields []field, err error) {
	text := string(head)
	start, rest, _ := strings.Cut(text, "\r\n")
	if start == "" {
		return "", nil, &ParseError{Status: 400, Where: "start line", What: "empty"}
	}
	fields = make([]field, 0, min(strings.Count(rest, "\r\n"), most)+1)
	for rest != "" {
		line, after, _ := strings.Cut(rest, "\r\n")
		rest = after
		for rest != "" && (rest[0] == ' ' || rest[0] == '\t') { // RFC 3261 section 7.3.1: a fold is one space
			more, after, _ := strings.Cut(rest, "\r\n")
			line = strings.TrimRight(line, " \t") + " " + strings.TrimLeft(more, " \t")
			rest = after
		}
		colon := strings.IndexByte(line, ':')
		if colon < 0 {
			err = errors.Join(err, &ParseError{Status: 400, Where: "header", What: "no colon in " + quoteClip(line)})
			continue
		}
		name := strings.TrimRight(line[:colon], " \t")
		usual := isCanonical(name)
		if !usual && !IsToken(name) || badByte(line, true) >= 0 {
			err = errors.Join(err, &ParseError{Status: 400, Where: "header", What: "not a field: " + quoteClip(line)})
			continue
		}
		if !usual {
			name = Canonical(name)
		}
		value := strings.TrimSpace(line[colon+1:])
		list := name == "Via" || name == "Route" || name == "Record-Route"
		if list && (value == "" || strings.IndexByte(value, ',') >= 0) {
			for _, v := range SplitList(value) {
				fields = append(fields, field{name: name, value: v})
			}
		} else {
			fields = append(fields, field{name: name, value: value})
		}
		if len(fields) > most {
			return start, fields, &ParseError{Status: 513, Where: "header", What: fmt.Sprintf("more than %d fields", most)}
		}
	}
	return start, fields, firstParseError(err)
}

func firstParseError(err error) error {
	if err == nil {
		return nil
	}
	var p *ParseError
	if errors.As(err, &p) {
		return p
	}
	return err
}

// badByte finds a control byte that may not stand there: in a field any but a line
// break may within quotes, behind a backslash (RFC 3261 section 25.1: quoted-pair).
func badByte(s string, field bool) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c > '"' && c < 0x7f && c != '\\': // most are
		case field && quoted && c == '\\' && i+1 < len(s) && s[i+1] != '\r' && s[i+1] != '\n':
			i++
		case c == '"':
			quoted = !quoted
		case c < ' ' && c != '\t' || c == 0x7f:
			return i
		}
	}
	return -1
}

// splitHead gives start line and fields, and what follows their end. A datagram that
// has none may still be answered.
func splitHead(raw []byte) (head, body []byte, ended bool) {
	for len(raw) >= 2 && raw[0] == '\r' && raw[1] == '\n' { // RFC 3261 section 7.5
		raw = raw[2:]
	}
	i := bytes.Index(raw, []byte("\r\n\r\n"))
	if i < 0 {
		return raw[:bytes.LastIndex(raw, []byte("\n"))+1], nil, false
	}
	return raw[:i+2], raw[i+4:], true
}

// validate checks what every message must have exactly once (RFC 3261 sections
// 8.1.1, 8.2): Via, From, To, Call-ID, CSeq, matching methods, and a readable
// Content-Length, Max-Forwards and Max-Breadth where they stand. It remembers what it
// has read of the addresses and the topmost Via.
func validate(m Message) error {
	once := [...]string{"From", "To", "Call-ID", "CSeq", "Max-Forwards", "Max-Breadth", "Content-Length", "Expires", "Event", "Content-Type", "Subscription-State"}
	var seen [len(once)]int
	for _, f := range m.held().fields {
		if i := slices.Index(once[:], f.name); i >= 0 {
			seen[i]++
		}
	}
	for i, n := range seen {
		switch {
		case n > 1:
			return &ParseError{Status: 400, Where: once[i], What: "more than once"}
		case n == 0 && i < 4:
			return &ParseError{Status: 400, Where: once[i], What: "missing"}
		}
	}
	if CallID(m) == "" {
		return &ParseError{Status: 400, Where: "Call-ID", What: "empty"}
	}
	cseq, err := CSeqOf(m)
	if err != nil {
		return err
	}
	req, isReq := m.(*Request)
	if isReq && cseq.Method != req.Method {
		return &ParseError{Status: 400, Where: "CSeq", What: "method " + quoteClip(cseq.Method) + " in a " + req.Method}
	}
	var read struct { // in one piece, for all three are in every message
		from, to Address
		via      Via
	}
	if read.from, err = From(m); err != nil {
		return err
	}
	if read.to, err = To(m); err != nil {
		return err
	}
	if read.via, err = TopVia(m); err != nil {
		return err
	}
	find(m, "From").address, find(m, "To").address, find(m, "Via").via = &read.from, &read.to, &read.via
	if v := Get(m, "Max-Forwards"); isReq && v != "" {
		if n, err := strconv.ParseUint(v, 10, 32); err != nil || n > 255 {
			return &ParseError{Status: 400, Where: "Max-Forwards", What: "want 0 to 255, have " + quoteClip(v)}
		}
	}
	// RFC 5393 section 5.3: digits, with no most.
	if v := Get(m, "Max-Breadth"); isReq && Has(m, "Max-Breadth") && (v == "" || strings.Trim(v, "0123456789") != "") {
		return &ParseError{Status: 400, Where: "Max-Breadth", What: "want a number, have " + quoteClip(v)}
	}
	return nil
}
