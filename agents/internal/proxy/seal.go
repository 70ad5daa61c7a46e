package proxy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"io"
	"strings"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// end is one side of a dialog as our Record-Route remembers it: whose device is
// there, and the connection it came by.
type end struct {
	user userHash   // zero: no device of ours, a server
	hop  sip.Target // zero: none, or one that a former process held
}

// says that the seals of both ends hold the same.
func (e end) says(other end) bool { return e.user == other.user && e.hop.Flow == other.hop.Flow }

// userHash stands for an address of record; zero for none.
type userHash [8]byte

func hashUser(aor string) (h userHash) {
	if aor != "" {
		sum := sha256.Sum256([]byte(aor))
		copy(h[:], sum[:])
	}
	return h
}

// A seal is the user part of our Record-Route (a flow token, RFC 5626 section
// 5.2, that says more). It vouches that we were on the path of the dialog with
// that Call-ID, for which nothing need be remembered, and so holds after a
// restart. What it seals is an end, as short as can be, for a request by UDP has
// to fit: nothing for a server, the user, or the user and her connection, for
// nobody can dial a client behind a NAT. The connection is good for the process
// that wrote it only: to any other, the same number is another connection.
const (
	macSize   = 10
	userSize  = len(userHash{})
	epochSize = 4
	flowSize  = epochSize + 8 // and the transport's name after it
)

func (p *Proxy) seal(callID string, e end) string {
	b := make([]byte, macSize, macSize+userSize+flowSize+4)
	if e.user != (userHash{}) || e.hop.Flow != 0 {
		b = append(b, e.user[:]...)
	}
	if e.hop.Flow != 0 {
		b = append(b, p.epoch[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(e.hop.Flow))
		b = append(b, e.hop.Transport...)
	}
	copy(b, p.mac(callID, b[macSize:]))
	return base64.RawURLEncoding.EncodeToString(b)
}

// sealed reads the seal in one of our own URIs; ok is false where there is none,
// it is forged, or another dialog's.
func (p *Proxy) sealed(uri message.URI, callID string) (e end, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(uri.User)
	if err != nil || len(b) < macSize || !hmac.Equal(b[:macSize], p.mac(callID, b[macSize:])) {
		return end{}, false
	}
	b = b[macSize:]
	if len(b) < userSize {
		return e, true
	}
	e.user, b = userHash(b[:userSize]), b[userSize:]
	if len(b) >= flowSize && [epochSize]byte(b[:epochSize]) == p.epoch {
		e.hop.Flow = sip.Flow(binary.BigEndian.Uint64(b[epochSize:]))
		e.hop.Transport = strings.Clone(string(b[flowSize:]))
	}
	return e, true
}

func (p *Proxy) mac(callID string, b []byte) []byte {
	h, _ := p.macs.Get().(hash.Hash)
	if h == nil {
		h = hmac.New(sha256.New, p.key)
	}
	defer p.macs.Put(h)
	h.Reset()
	_, _ = io.WriteString(h, callID)
	h.Write([]byte{0}) // no Call-ID has one
	h.Write(b)
	return h.Sum(nil)[:macSize]
}
