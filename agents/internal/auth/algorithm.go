// Package auth proves who is speaking, by SIP digest on both sides (RFC 3261
// section 22, RFC 7616, RFC 8760): a Verifier challenges and checks, a Client
// answers challenges.
package auth

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// Algorithm is a digest algorithm by its registered name (RFC 8760 section 2.1).
type Algorithm string

// The algorithms both sides know.
const (
	MD5       Algorithm = "MD5"
	SHA256    Algorithm = "SHA-256"
	SHA512256 Algorithm = "SHA-512-256"
)

// algorithms is every algorithm, strongest first.
var algorithms = []Algorithm{SHA512256, SHA256, MD5}

// ParseAlgorithms reads a list as flags give it, "SHA-256,MD5": the order is
// the order of preference (RFC 8760 section 2.3).
func ParseAlgorithms(s string) ([]Algorithm, error) {
	var out []Algorithm
	for name := range strings.SplitSeq(s, ",") {
		alg, err := parseAlgorithm(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, alg) {
			return nil, fmt.Errorf("digest algorithm %s stands twice", alg)
		}
		out = append(out, alg)
	}
	return out, nil
}

// parseAlgorithm takes names in any case of letters; none is MD5 (RFC 7616
// section 3.3).
func parseAlgorithm(name string) (Algorithm, error) {
	for _, alg := range algorithms {
		if strings.EqualFold(name, string(alg)) {
			return alg, nil
		}
	}
	return "", fmt.Errorf("unknown digest algorithm %q, want MD5, SHA-256 or SHA-512-256", name)
}

func (a Algorithm) hash() hash.Hash {
	switch a {
	case MD5:
		return md5.New()
	case SHA256:
		return sha256.New()
	case SHA512256:
		return sha512.New512_256()
	}
	return nil
}

// HA1 is what a directory keeps instead of a password: the hash of
// user:realm:password in lower-case hexadecimal (RFC 7616 section 3.4.2); ""
// for an unknown algorithm.
func HA1(alg Algorithm, user, realm, password string) string {
	h := alg.hash()
	if h == nil {
		return ""
	}
	h.Write([]byte(user + ":" + realm + ":" + password))
	return hex.EncodeToString(h.Sum(nil))
}
