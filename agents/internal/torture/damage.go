package torture

import (
	"bytes"
	"math/rand/v2"
	"slices"
)

// bits are what damage is done with.
var bits = []string{"\r\n", "\r\n\r\n", "\r\n ", "\n", "\r", "\x00", " ", "\t", ":", ";", ",", "<", ">", "\"", "\\", "=", "@", "[", "]", "%", "%00", "?", "*", "/",
	";;", ",,", "sip:", "sips:", "tel:", "[::1]", ":0", ":99999", "SIP/2.0", "sip/2.0 ", " SIP/2.0\r\n", "Via: ", "v:", "From: ", "To: <", "tag=", "branch=z9hG4bK",
	"Content-Length: 0", "l: -1", "Content-Length: 5\r\n", "CSeq: 1 INVITE", "Max-Forwards: 0", "Route: <sip:a;lr>,", "0", "4294967296", "é", "\xff", "\x7f", "INVITE ", "ACK ", "CANCEL "}

// Damaged is a message with one to four pieces put in, taken out, moved, or exchanged
// for a line of another.
func Damaged(r *rand.Rand, raw, other []byte) []byte {
	raw = bytes.Clone(raw)
	for range 1 + r.IntN(4) {
		at := r.IntN(len(raw) + 1)
		until := min(len(raw), at+r.IntN(30))
		switch r.IntN(5) {
		case 0, 1:
			raw = slices.Concat(raw[:at], []byte(bits[r.IntN(len(bits))]), raw[at:])
		case 2:
			raw = slices.Concat(raw[:at], raw[until:])
		case 3:
			to := r.IntN(len(raw) + 1)
			raw = slices.Concat(raw[:to], raw[at:until], raw[to:])
		case 4:
			lines, theirs := bytes.SplitAfter(raw, []byte("\n")), bytes.SplitAfter(other, []byte("\n"))
			lines[r.IntN(len(lines))] = theirs[r.IntN(len(theirs))]
			raw = slices.Concat(lines...)
		}
	}
	return raw
}
