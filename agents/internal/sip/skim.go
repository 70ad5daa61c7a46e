package sip

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"presfed/agents/internal/message"
)

// skimmed are the lines of a head that its response copies.
type skimmed struct {
	method                 string
	via                    []byte   // the value of the topmost
	hop                    hop      // what it says
	vias                   [][]byte // the lines below it
	from, to, callID, cseq []byte   // whole lines
}

// skim reads a plain request's head: no folded lines, one Via on the first of their
// lines, every other field once. The rest is for the parser.
func skim(raw []byte) (h skimmed, plain bool) {
	end := bytes.Index(raw, []byte("\r\n\r\n"))
	if end < 0 {
		return h, false
	}
	rest := raw[:end+2]
	if bytes.IndexByte(rest, 0) >= 0 || bytes.Count(rest, []byte("\r")) != bytes.Count(rest, []byte("\n")) {
		return h, false
	}
	method := rest[:max(0, bytes.IndexByte(rest, ' '))]
	if len(method) > 32 || !message.IsToken(string(method)) {
		return h, false
	}
	h.method = string(method)
	for start := true; len(rest) > 0; start = false {
		i := bytes.IndexByte(rest, '\n')
		if i < 1 || rest[i-1] != '\r' {
			return h, false
		}
		line := rest[:i-1]
		rest = rest[i+1:]
		if !start && !h.take(line) {
			return h, false
		}
	}
	if h.via == nil || h.from == nil || h.to == nil || h.callID == nil || h.cseq == nil {
		return h, false
	}
	h.hop, plain = hopOf(h.via)
	return h, plain
}

// take takes a line in if it is one that counts; false for one that is not plain.
func (h *skimmed) take(line []byte) bool {
	if len(line) == 0 || line[0] == ' ' || line[0] == '\t' {
		return false
	}
	switch line[0] | 0x20 {
	case 'v', 'f', 't', 'i', 'c':
	default:
		return true
	}
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return false
	}
	var field *[]byte
	switch name = bytes.TrimRight(name, " \t"); {
	case named(name, "via", "v"):
		if h.via != nil {
			h.vias = append(h.vias, line)
			return true
		}
		h.via = bytes.TrimSpace(value)
		return true
	case named(name, "from", "f"):
		field = &h.from
	case named(name, "to", "t"):
		field = &h.to
	case named(name, "call-id", "i"):
		field = &h.callID
	case named(name, "cseq", "cseq"):
		field = &h.cseq
	default:
		return true
	}
	first := *field == nil
	*field = line
	return first
}

func named(name []byte, long, short string) bool {
	return len(name) == len(long) && strings.EqualFold(string(name), long) || len(name) == len(short) && strings.EqualFold(string(name), short)
}

// tagged says whether a To line has a tag, which stands behind the address.
func tagged(line []byte) bool {
	for param := range bytes.SplitSeq(line[bytes.LastIndexByte(line, '>')+1:], []byte(";")) {
		name, _, _ := bytes.Cut(param, []byte("="))
		if bytes.EqualFold(bytes.TrimSpace(name), []byte("tag")) {
			return true
		}
	}
	return false
}

// hop is what a plain Via says.
type hop struct {
	sentBy, branch []byte
	rport          bool // asked for, without a value
	at             int  // where its name ends
}

// hopOf reads a Via of RFC 3261 with nothing unusual about it.
func hopOf(via []byte) (h hop, plain bool) {
	space := bytes.IndexByte(via, ' ')
	if space < 0 || len(via) < 8 || !strings.EqualFold(string(via[:8]), "SIP/2.0/") || bytes.ContainsAny(via, "\",\t") {
		return h, false
	}
	pos := space + 1
	end := bytes.IndexByte(via[pos:], ';')
	if end < 1 {
		return h, false
	}
	h.sentBy = via[pos : pos+end]
	for pos += end; pos < len(via); {
		param := via[pos+1:]
		if n := bytes.IndexByte(param, ';'); n >= 0 {
			param = param[:n]
		}
		pos += 1 + len(param)
		name, value, valued := bytes.Cut(param, []byte("="))
		switch {
		case named(name, "branch", "branch"):
			h.branch = value
		case named(name, "rport", "rport"):
			h.rport, h.at = true, pos
			plain = !valued
		case named(name, "received", "received"):
			return h, false // it is for us to say
		}
	}
	return h, (plain || !h.rport) && len(h.branch) > 0 && !bytes.ContainsAny(via[space+1:], " ")
}

// stamp writes the Via with where the request came from (RFC 3261 section 18.2.1, RFC
// 3581 section 4).
func (h hop) stamp(out, via []byte, from netip.AddrPort) []byte {
	if h.rport {
		out = append(out, via[:h.at]...)
		out = append(out, '=')
		out = strconv.AppendUint(out, uint64(from.Port()), 10)
		out = append(out, ";received="...)
		out = from.Addr().AppendTo(out)
		return append(out, via[h.at:]...)
	}
	out = append(out, via...)
	host := h.sentBy
	if i := bytes.LastIndexByte(host, ':'); i > bytes.LastIndexByte(host, ']') {
		host = host[:i]
	}
	var at [64]byte
	if ip := from.Addr().AppendTo(at[:0]); !bytes.Equal(bytes.Trim(host, "[]"), ip) {
		out = append(out, ";received="...)
		out = append(out, ip...)
	}
	return out
}
