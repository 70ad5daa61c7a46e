package flow

import (
	"bytes"
	"crypto/sha256"
	"time"

	"presfed/agents/internal/wire"
)

// Why a message is not drawn.
const (
	Setup          = "setup"          // stands before the flow
	Trying         = "trying"         // 100
	Challenged     = "challenged"     // 401 or 407, what it answers, its ACK
	Retransmission = "retransmission" // the same bytes again
	Bind           = "bind"           // a SEND without a body, and its response (RFC 4975 section 5.4)
	Keepalive      = "keepalive"      // empty lines
	Unexpected     = "unexpected"     // nothing of these
)

// undrawn finds, before anything is matched, what no flow draws. A class in the
// result is final; what is not in it may be drawn.
func undrawn(messages []*observed, begin time.Time) map[*observed]string {
	class := map[*observed]string{}
	type hop struct{ from, to, branch, method string }
	challenged := map[hop]bool{} // requests that were, and their ACKs
	bound := map[string]bool{}   // transactions of SENDs without a body
	seen := map[[sha256.Size]byte]bool{}
	for _, o := range messages {
		if o.Protocol == wire.SIP && (o.Status == 401 || o.Status == 407) {
			challenged[hop{o.To, o.From, o.Branch, o.Method}] = true
			challenged[hop{o.To, o.From, o.Branch, "ACK"}] = true
		}
	}
	for _, o := range messages {
		sum := sha256.Sum256(append([]byte(o.From+"\n"+o.To+"\n"), o.Raw...))
		again := seen[sum]
		seen[sum] = true
		switch {
		case !o.since(begin):
			class[o] = Setup
		case len(bytes.TrimSpace(o.Raw)) == 0:
			class[o] = Keepalive
		case o.Protocol == wire.MSRP && o.Status == 0 && o.Method == "SEND" && !o.hasBody():
			class[o], bound[o.Transaction] = Bind, true
		case o.Protocol == wire.MSRP && o.Status != 0 && bound[o.Transaction]:
			class[o] = Bind
		case o.Protocol == wire.MSRP:
		case again:
			class[o] = Retransmission
		case o.Status == 100:
			class[o] = Trying
		case o.Status == 401 || o.Status == 407:
			class[o] = Challenged
		case o.Status == 0 && challenged[hop{o.From, o.To, o.Branch, o.Method}]:
			class[o] = Challenged
		}
	}
	return class
}
