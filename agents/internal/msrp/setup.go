package msrp

import "strings"

// Setup is the a=setup attribute (RFC 4145, as RFC 6135 section 4.2 uses it);
// empty: none was written.
type Setup string

// The values of Setup.
const (
	SetupActive  Setup = "active"
	SetupPassive Setup = "passive"
	SetupActpass Setup = "actpass"
)

// parseSetup reads the attribute. RFC 6135 section 4.2.1: holdconn, and here
// what nobody has heard of, counts as no attribute.
func parseSetup(s string) Setup {
	switch v := Setup(strings.ToLower(strings.TrimSpace(s))); v {
	case SetupActive, SetupPassive, SetupActpass:
		return v
	}
	return ""
}

// Role says what an end does to get its connection.
type Role int

const (
	// Passive waits for the peer's connection and its first request.
	Passive Role = iota
	// Active connects and sends a bodiless SEND at once, so that the peer
	// learns whose connection it is (RFC 4975 section 5.4).
	Active
	// ActiveSpeaks connects; the caller has a message to Send at once, which
	// does what the bodiless SEND would.
	ActiveSpeaks
)

// RoleOfOfferer is what the offerer does, by both sides' attributes. Without
// them it connects (RFC 4975 section 8.5).
func RoleOfOfferer(offer, answer Setup) Role {
	if answer == SetupActive && offer != SetupActive {
		return Passive
	}
	return Active
}

// RoleOfAnswerer is what the answerer does.
func RoleOfAnswerer(offer, answer Setup) Role {
	if RoleOfOfferer(offer, answer) == Active {
		return Passive
	}
	return Active
}

// AnswerSetup is the attribute for an answer. wish counts where the offer
// leaves the choice; RFC 6135 section 4.2.2 prefers passive for an end that
// can be reached.
func AnswerSetup(offer, wish Setup) Setup {
	switch {
	case offer == SetupPassive, offer == SetupActpass && wish == SetupActive:
		return SetupActive
	}
	return SetupPassive
}
