package sip

import (
	"bytes"
	"hash/maphash"
	"net/netip"
	"strconv"
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
	storage, stuck := e.pressure.level(e.clock.Now, e.cfg.Limits.Delay)
	passing, _ := e.passing.level(e.clock.Now, e.cfg.Limits.Delay)
	at := max(storage, passing)
	crowded := e.servers.count.Load() >= int64(e.cfg.Limits.Transactions)
	if at == calm && !crowded {
		return false
	}
	h, ok := skim(raw)
	if !ok || h.method == message.ACK || h.method == message.CANCEL {
		return false
	}
	src := l.source()
	if stuck && !storing(h.method) { // it is the disk, which they need not
		at = passing
	}
	switch {
	case crowded:
	case at == calm:
		return false
	case begun(h.method) && tagged(h.to):
		if at < flooded {
			return false
		}
	case len(src.Identities) > 0:
		if at < full {
			return false
		}
	}
	if key, ok := branchKey(h.method, string(h.hop.branch), string(h.hop.sentBy)); ok && !l.reliable() {
		if _, known := e.servers.get(key); known {
			return false // its answer is due anyhow
		}
	}
	if d, udp := l.(datagram); udp && !h.hop.rport { // RFC 3261 section 18.2.2
		via, err := message.ParseVia(string(h.via))
		if err != nil {
			return false
		}
		l = e.replyLink(via, d)
	}
	e.refused.Add(1)
	_, callID, _ := bytes.Cut(h.callID, []byte(":"))
	if err := l.send(h.refusal(src.Remote, e.refusalHash(string(bytes.TrimSpace(callID))), e.cfg.Limits)); err != nil {
		e.log.Info("a refusal could not be sent", "error", err)
	}
	return true
}

// storing says that a method's answer waits for the disk of whoever serves the user.
func storing(method string) bool {
	return method == message.REGISTER || method == message.PUBLISH || method == message.SUBSCRIBE
}

// pressureOf is where requests of a method are counted.
func (e *Endpoint) pressureOf(method string) *pressure {
	if storing(method) {
		return &e.pressure
	}
	return &e.passing
}

// begun says that a method with a To tag goes on with what is there; the others
// mean the same with and without.
func begun(method string) bool {
	return method != message.REGISTER && method != message.PUBLISH && method != message.MESSAGE && method != message.OPTIONS
}

const tagBase = 36

// refusalHash is what a refusal has of its own: its tag, by which the ACK is known. Its
// seed is no table's, for whoever is refused sees what it gives.
func (e *Endpoint) refusalHash(callID string) uint64 { return maphash.String(e.refusals, callID) }

// refusal is the 503. Where it comes again it has the same tag (RFC 3261 section
// 8.2.7), and says the same; else Retry-After is between once and twice the limit's,
// so that not all come back at one time.
func (h skimmed) refusal(from netip.AddrPort, hash uint64, limits Limits) []byte {
	out := make([]byte, 0, 512)
	out = append(out, "SIP/2.0 503 Service Unavailable\r\nVia: "...)
	out = h.hop.stamp(out, h.via, from)
	out = append(out, '\r', '\n')
	for _, line := range h.vias {
		out = append(append(out, line...), '\r', '\n')
	}
	out = append(append(out, h.from...), '\r', '\n')
	out = append(out, h.to...)
	if !tagged(h.to) {
		out = append(out, ";tag="...)
		out = strconv.AppendUint(out, hash, tagBase)
	}
	out = append(out, '\r', '\n')
	out = append(append(out, h.callID...), '\r', '\n')
	out = append(append(out, h.cseq...), '\r', '\n')
	least := uint64(max(1, limits.RetryAfter/time.Second))
	out = append(out, "Retry-After: "...)
	out = strconv.AppendUint(out, least+hash%(least+1), 10)
	return append(out, "\r\nContent-Length: 0\r\n\r\n"...)
}
