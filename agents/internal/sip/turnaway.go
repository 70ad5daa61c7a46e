package sip

import (
	"bytes"
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"presfed/agents/internal/message"
)

// turnAway refuses a request that there is no time for, before it is parsed: 503
// from the lines that a response copies (RFC 3261 section 8.2.6). False where it is
// to be taken up, or is not as plain as that.
//
// What has begun goes before what is new, and servers before clients. Responses,
// ACK and CANCEL end work and always pass, as does what came before: its answer is
// due anyhow.
func (e *Endpoint) turnAway(raw []byte, l link) bool {
	at, stuck := e.pressure.level(e.clock.Now, e.cfg.Limits.Delay)
	crowded := e.servers.count.Load() >= int64(e.cfg.Limits.Transactions)
	if at == calm && !crowded {
		return false
	}
	h, ok := skim(raw)
	if !ok || h.method == message.ACK || h.method == message.CANCEL {
		return false
	}
	src := l.source()
	switch {
	case crowded:
	case stuck && !storing(h.method): // it is the disk, which they need not
		return false
	case h.tagged && begun(h.method):
		if at < flooded {
			return false
		}
	case len(src.Identities) > 0:
		if at < full {
			return false
		}
	}
	via, err := message.ParseVia(h.via)
	if err != nil {
		return false
	}
	if key, ok := branchKey(via, h.method); ok {
		if _, known := e.servers.get(key); known {
			return false
		}
	}
	top := h.via
	if stamp(&via, src) {
		top = via.String()
	}
	e.refused.Add(1)
	if err := e.replyLink(via, l).send(h.refusal(top, maphash.Bytes(e.servers.seed, h.callID), e.cfg.Limits)); err != nil {
		e.log.Info("a refusal could not be sent", "error", err)
	}
	return true
}

// storing says that a method's answer waits for the disk of whoever serves the user.
func storing(method string) bool {
	return method == message.REGISTER || method == message.PUBLISH || method == message.SUBSCRIBE
}

// begun says that a method with a To tag goes on with what is there; the others
// mean the same with and without.
func begun(method string) bool {
	return method != message.REGISTER && method != message.PUBLISH && method != message.MESSAGE && method != message.OPTIONS
}

// refusal is the 503. Where it comes again it has the same tag (RFC 3261 section
// 8.2.7), and says the same; else Retry-After is between once and twice the limit's,
// so that not all come back at one time.
func (h skimmed) refusal(via string, hash uint64, limits Limits) []byte {
	out := make([]byte, 0, 512)
	out = append(out, "SIP/2.0 503 Service Unavailable\r\nVia: "...)
	out = append(out, via...)
	out = append(out, crlf...)
	for _, line := range append(h.vias, h.from, h.to) {
		out = append(append(out, line...), crlf...)
	}
	if !h.tagged {
		out = append(out[:len(out)-len(crlf)], ";tag="...)
		out = strconv.AppendUint(out, hash, 36)
		out = append(out, crlf...)
	}
	for _, line := range [][]byte{h.callID, h.cseq} {
		out = append(append(out, line...), crlf...)
	}
	least := uint64(max(1, limits.RetryAfter/time.Second))
	out = append(out, "Retry-After: "...)
	out = strconv.AppendUint(out, least+hash%(least+1), 10)
	return append(out, "\r\nContent-Length: 0\r\n\r\n"...)
}

// skimmed are the lines of a head that its response copies.
type skimmed struct {
	method                 string
	via                    string   // the value of the topmost
	vias                   [][]byte // the lines below it
	from, to, callID, cseq []byte   // whole lines
	tagged                 bool     // To has a tag
}

// skim reads a plain request's head: no folded lines, one Via on the first of their
// lines, every other field once. The rest is for the parser.
func skim(raw []byte) (h skimmed, plain bool) {
	line, rest, _ := bytes.Cut(raw, crlf)
	method, _, _ := bytes.Cut(line, []byte(" "))
	if len(method) > 32 || !message.IsToken(string(method)) {
		return h, false
	}
	h.method = string(method)
	for {
		line, rest, plain = bytes.Cut(rest, crlf)
		if !plain || len(line) == 0 {
			break
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || line[0] == ' ' || line[0] == '\t' || bytes.ContainsAny(line, "\x00\r\n") {
			return h, false
		}
		switch name = bytes.TrimRight(name, " \t"); {
		case named(name, "Via", "v") && h.via == "":
			h.via = string(bytes.TrimSpace(value))
		case named(name, "Via", "v"):
			h.vias = append(h.vias, line)
		case named(name, "From", "f"):
			plain = once(&h.from, line)
		case named(name, "To", "t"):
			plain = once(&h.to, line)
		case named(name, "Call-ID", "i"):
			plain = once(&h.callID, line)
		case named(name, "CSeq", "CSeq"):
			plain = once(&h.cseq, line)
		}
		if !plain {
			return h, false
		}
	}
	h.tagged = tagged(h.to)
	return h, plain && h.via != "" && !strings.ContainsAny(h.via, `,"`) && h.from != nil && h.to != nil && h.callID != nil && h.cseq != nil
}

func once(field *[]byte, line []byte) bool {
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

var crlf = []byte("\r\n")
