package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sync/atomic"
	"time"
)

// A nonce carries when it was made, a serial number, and a seal over both, the
// algorithm and the realm: nothing is kept for one that nobody answers.
const (
	nonceFields = 16 // milliseconds since the mint began, serial: 8 bytes each
	nonceSeal   = 16
)

type nonce struct {
	made   time.Time
	serial uint64
}

// mint makes and reads nonces. Its key lives as long as the process: a nonce
// from before a restart counts as stale.
type mint struct {
	key    [32]byte
	realm  string
	began  time.Time // what nonces count from: the clock may be set meanwhile
	serial atomic.Uint64
}

func (m *mint) make(alg Algorithm, now time.Time) string {
	b := make([]byte, nonceFields, nonceFields+nonceSeal)
	binary.BigEndian.PutUint64(b, uint64(now.Sub(m.began).Milliseconds()))
	binary.BigEndian.PutUint64(b[8:], m.serial.Add(1))
	return base64.RawURLEncoding.EncodeToString(append(b, m.seal(b, alg)...))
}

// read gives back what make put in; ok is false where the nonce is not ours or
// was made for another algorithm.
func (m *mint) read(s string, alg Algorithm) (n nonce, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != nonceFields+nonceSeal {
		return nonce{}, false
	}
	if !hmac.Equal(b[nonceFields:], m.seal(b[:nonceFields], alg)) {
		return nonce{}, false
	}
	return nonce{
		made:   m.began.Add(time.Duration(binary.BigEndian.Uint64(b)) * time.Millisecond),
		serial: binary.BigEndian.Uint64(b[8:]),
	}, true
}

func (m *mint) seal(fields []byte, alg Algorithm) []byte {
	h := hmac.New(sha256.New, m.key[:])
	h.Write(fields)
	h.Write([]byte(alg))
	h.Write([]byte{0})
	h.Write([]byte(m.realm))
	return h.Sum(nil)[:nonceSeal]
}
