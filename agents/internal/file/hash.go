package file

import (
	"bytes"
	"crypto/sha1" // what RFC 5547 names
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"
)

// Hash is one of a whole file, its algorithm by its name in IANA's registry.
type Hash struct {
	Algorithm string
	Sum       []byte
}

// algorithms that are known, the strongest first.
var algorithms = []struct {
	name string
	make func() hash.Hash
}{{"sha-512", sha512.New}, {"sha-256", sha256.New}, {"sha-1", sha1.New}}

// String writes the hash as the attribute has it.
func (h Hash) String() string {
	return h.Algorithm + ":" + strings.ReplaceAll(fmt.Sprintf("% X", h.Sum), " ", ":")
}

func parseHash(s string) (Hash, error) {
	name, value, ok := strings.Cut(s, ":")
	sum, err := hex.DecodeString(strings.ReplaceAll(value, ":", ""))
	if !ok || err != nil || !isToken(name) || len(sum) == 0 || len(value) != 3*len(sum)-1 {
		return Hash{}, fmt.Errorf("file: hash %.60q", s)
	}
	name = strings.ToLower(name)
	for _, a := range algorithms {
		if a.name == name && len(sum) != a.make().Size() {
			return Hash{}, fmt.Errorf("file: %s of %d bytes", name, len(sum))
		}
	}
	return Hash{name, sum}, nil
}

// Sum reads a file to its end and gives its hashes: sha-1, which RFC 5547 wants,
// and sha-256, which can be relied on.
func Sum(r io.Reader) (hashes []Hash, size int64, err error) {
	one, two := sha1.New(), sha256.New()
	size, err = io.CopyBuffer(io.MultiWriter(one, two), r, make([]byte, 256<<10))
	if err != nil {
		return nil, 0, err
	}
	return []Hash{{"sha-1", one.Sum(nil)}, {"sha-256", two.Sum(nil)}}, size, nil
}

// Checker is the strongest hash of a description that is known, computed over
// what is written to it.
type Checker struct {
	hash.Hash
	want Hash
}

// NewChecker gives nil where there is no hash to hold anything against.
func (d *Description) NewChecker() *Checker {
	for _, a := range algorithms {
		for _, h := range d.Hashes {
			if h.Algorithm == a.name {
				return &Checker{a.make(), h}
			}
		}
	}
	return nil
}

// Matches says whether what was written is the file.
func (c *Checker) Matches() bool { return bytes.Equal(c.Sum(nil), c.want.Sum) }

// String is the hash that is asked for.
func (c *Checker) String() string { return c.want.String() }
