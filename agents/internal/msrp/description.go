package msrp

import (
	"crypto/rand"
	"encoding/binary"
	"errors"

	"github.com/pion/sdp/v3"

	"presfed/agents/internal/file"
)

// Errors of descriptions, found with errors.Is.
var (
	// ErrNotSDP: the text is no session description.
	ErrNotSDP = errors.New("msrp: not a session description")
	// ErrNotMSRP: a session description that offers no MSRP.
	ErrNotMSRP = errors.New("msrp: no m=message by TCP/MSRP or TCP/TLS/MSRP")
	// ErrNoPath: MSRP without a usable a=path.
	ErrNoPath = errors.New("msrp: no valid a=path")
	// ErrRejected: the answer refuses the session with port 0.
	ErrRejected = errors.New("msrp: session rejected with port 0")
	// ErrNoCommonType: neither side takes what the other sends; 488 in SIP
	// (RFC 4975 section 8.6).
	ErrNoCommonType = errors.New("msrp: no content type in common")
)

// Description is what an offer or answer says of one MSRP session
// (RFC 4975 section 8).
type Description struct {
	User    string // o=, the user name; "-" when empty
	ID      uint64 // o=, the session id
	Version uint64 // o=, the session version
	Host    string // c= and o=, an address or a name
	Port    uint16 // m=; connections go where Path says

	Secure             bool // TCP/TLS/MSRP
	Path               Path
	AcceptTypes        []string // in order of preference; "*" and "type/*" are allowed; none: not said
	AcceptWrappedTypes []string
	MaxSize            int64 // bytes of a whole message; 0: not said
	Setup              Setup
	File               *file.Description // what is to be transferred (RFC 5547); nil: messages
	Direction          string            // sendonly or recvonly, of a file; else empty
	Fingerprints       []string          // "sha-256 AB:CD...", RFC 8122

	// An answer has an m= line for each of the offer's, in its order (RFC 3264
	// section 6): the offer's other ones, and the place of ours among them.
	others []sdp.MediaName
	place  int
}

// newSDPID is a number for o= that no other session has.
func newSDPID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:]) >> 16
}

// Answering is the description as an answer to offer: as many media lines as
// it has, and a setup that fits. wish counts where the offer leaves the choice.
func (d Description) Answering(offer *Description, wish Setup) (Description, error) {
	switch {
	case offer.File != nil: // its type is the selector's
		d.File, d.Direction = offer.File.Answer(), "recvonly"
	case !anyCommonType(d.AcceptTypes, offer.AcceptTypes):
		return Description{}, ErrNoCommonType
	}
	d.others, d.place = offer.others, offer.place
	d.Setup = AnswerSetup(offer.Setup, wish)
	return d, nil
}
