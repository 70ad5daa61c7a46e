// Package wire is the record of one message as it crossed a participant's
// socket.
package wire

import (
	"net/netip"
	"time"
)

// Direction says whether the participant sent or received the message.
type Direction string

// The two directions.
const (
	Out Direction = "out"
	In  Direction = "in"
)

// Protocol names what is in Raw.
type Protocol string

// The protocols recorded.
const (
	SIP  Protocol = "sip"
	MSRP Protocol = "msrp"
)

// Record is one whole message at one socket: written by the sender's tap after
// the write has returned, by the receiver's before it is parsed.
type Record struct {
	Seq         uint64         `json:"seq"`         // counts up within a participant
	Participant string         `json:"participant"` // whose socket
	Direction   Direction      `json:"direction"`
	Time        time.Time      `json:"time"`
	Protocol    Protocol       `json:"protocol"`
	Transport   string         `json:"transport"` // UDP, TCP, TLS
	Src         netip.AddrPort `json:"src"`
	Dst         netip.AddrPort `json:"dst"`
	Raw         []byte         `json:"raw"` // base64 in JSON
}

// Tap takes the records of one participant. It must not block and must not
// keep or change Raw beyond the call unless it copies it.
type Tap func(Record)
