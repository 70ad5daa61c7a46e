package db

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"slices"
	"strings"
)

// Algorithm is a digest algorithm by the name it has in a challenge (RFC 8760).
type Algorithm string

const (
	MD5       Algorithm = "MD5"
	SHA256    Algorithm = "SHA-256"
	SHA512256 Algorithm = "SHA-512-256"
)

// Algorithms lists every algorithm, the strongest first.
func Algorithms() []Algorithm { return []Algorithm{SHA512256, SHA256, MD5} }

// HA1 is the stored form of a password: the hash of username:realm:password in
// lower-case hexadecimal (RFC 7616 section 3.4.2). Who has it can authenticate
// in that realm, so it is guarded as the password is.
func HA1(a Algorithm, username, realm, password string) string {
	in := []byte(username + ":" + realm + ":" + password)
	switch a {
	case MD5:
		sum := md5.Sum(in)
		return hex.EncodeToString(sum[:])
	case SHA256:
		sum := sha256.Sum256(in)
		return hex.EncodeToString(sum[:])
	case SHA512256:
		sum := sha512.Sum512_256(in)
		return hex.EncodeToString(sum[:])
	}
	return ""
}

// HA1s is a password's HA1 for each algorithm. The username is the user part of
// the address of record.
func HA1s(aor, realm, password string) map[Algorithm]string {
	user, _ := SplitAOR(aor)
	out := make(map[Algorithm]string, 3)
	for _, a := range Algorithms() {
		out[a] = HA1(a, user, realm, password)
	}
	return out
}

// validHA1 checks an HA1 that came from outside.
func validHA1(aor string, a Algorithm, ha1 string) error {
	if !slices.Contains(Algorithms(), a) {
		return &InvalidError{Field: "algorithm of " + aor, Value: string(a), Want: "MD5, SHA-256 or SHA-512-256"}
	}
	digits := 64
	if a == MD5 {
		digits = 32
	}
	if len(ha1) != digits || strings.Trim(ha1, "0123456789abcdef") != "" {
		// The value is a secret: it is not repeated.
		return &InvalidError{Field: string(a) + " HA1 of " + aor, Value: "...", Want: map[int]string{32: "32", 64: "64"}[digits] + " digits of lower-case hexadecimal"}
	}
	return nil
}
