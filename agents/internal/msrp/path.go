package msrp

import (
	"errors"
	"strings"
)

// maxPath bounds the URIs of one path; relays (RFC 4976) need a handful. maxPathBytes
// bounds what they are written with: what a peer calls its path, we write to whomever
// it names.
const (
	maxPath      = 16
	maxPathBytes = 2048
)

// Path is a list of URIs to visit, the next hop first, the endpoint last.
type Path []URI

// ParsePath reads URIs parted by spaces.
func ParsePath(s string) (Path, error) {
	var p Path
	if len(s) > maxPathBytes {
		return nil, errors.New("msrp: path too long")
	}
	for field := range strings.FieldsSeq(s) {
		if len(p) == maxPath {
			return nil, errors.New("msrp: path too long")
		}
		u, err := ParseURI(field)
		if err != nil {
			return nil, err
		}
		p = append(p, u)
	}
	if p == nil {
		return nil, errors.New("msrp: empty path")
	}
	return p, nil
}

// String writes the URIs parted by one space.
func (p Path) String() string {
	var b strings.Builder
	for i, u := range p {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(u.String())
	}
	return b.String()
}

// Hop is the first URI: where to connect. The path must not be empty.
func (p Path) Hop() URI { return p[0] }

// End is the last URI: the endpoint that the path leads to. The path must not
// be empty.
func (p Path) End() URI { return p[len(p)-1] }
