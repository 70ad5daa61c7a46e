package trace

import (
	"cmp"
	"net/netip"
	"strconv"
	"time"

	"presfed/agents/internal/wire"
	"presfed/agents/plain"
)

// The wire records that a trace is made of.
type (
	// Record is one message at one socket.
	Record = wire.Record
	// Protocol is what a message speaks.
	Protocol = wire.Protocol
)

// The protocols.
const (
	SIP  = wire.SIP
	MSRP = wire.MSRP
)

// Message is one message between two participants, as one or both of their
// sockets recorded it.
type Message struct {
	From, To  string // participants; an address where none is known to use it
	Src, Dst  netip.AddrPort
	Transport string // UDP, TCP, TLS
	Protocol  Protocol
	Time      time.Time // the earlier of both records: the sender's is written after its write
	Raw       []byte
	Sent      *Record // nil: the sender's socket did not record it, or nobody watched it
	Received  *Record // nil: likewise
	// Lost says that one of two watched sockets did not record the message.
	Lost bool

	Head
}

// Head is what can be read from a message without judging it; what is missing
// or broken is empty.
type Head struct {
	StartLine  string
	Method     string // a response's is its request's; of MSRP that may be unknown
	Status     int    // 0: a request
	Reason     string
	RequestURI string

	CallID, CSeq, Branch string // SIP; the branch is the topmost Via's
	FromURI, FromTag     string
	ToURI, ToTag         string
	Asserted             []string // P-Asserted-Identity
	Paths                []string // of MSRP sessions, from SDP

	Transaction, MessageID, ByteRange string // MSRP
	ToPath, FromPath                  []string
}

// Label is the message in a few words, as an arrow of a ladder carries it.
func (m *Message) Label() string {
	if m.Protocol == MSRP {
		if m.Status == 0 {
			return "MSRP " + m.Method
		}
		return "MSRP " + statusText(m.Status, m.Reason)
	}
	if m.Status == 0 {
		return cmp.Or(m.Method, "?")
	}
	label := statusText(m.Status, m.Reason)
	if m.Method != "" {
		label += " (" + m.Method + ")"
	}
	return label
}

func statusText(status int, reason string) string {
	s := strconv.Itoa(status)
	if status < 100 {
		s = "00"[:3-len(s)] + s // MSRP writes three digits
	}
	if reason != "" {
		s += " " + reason
	}
	return s
}

// Printable is the message as a terminal may show it: line ends and tabs stay,
// other control characters and what is no UTF-8 do not.
func (m *Message) Printable() string { return plain.Lines(string(m.Raw)) }
