package client

import (
	"fmt"
	"strings"

	"presfed/agents/internal/message"
)

// Header is a field that goes into every request outside a dialog.
type Header struct{ Name, Value string }

// ours are the fields that a request cannot do with another value of, and what
// to do instead.
var ours = map[string]string{
	"Via": "it is the connection's", "CSeq": "it is counted", "Call-ID": "it is made for each request",
	"Content-Length": "it is counted", "From": "use --user", "To": "it is the target's", "Contact": "it is where the device listens; use --bind",
	"Max-Forwards": "it is 70", "Authorization": "it answers a challenge", "Proxy-Authorization": "it answers a challenge",
	"Content-Type": "use --content-type", "Event": "use --event", "Expires": "use --expires", "SIP-If-Match": "use --if-match",
}

// maxHeader bounds a field, in bytes.
const maxHeader = 4096

// ParseHeader reads "Name: value". A field that the request has already, or that
// would break it, is an error.
func ParseHeader(text string) (Header, error) {
	name, value, found := strings.Cut(text, ":")
	h := Header{message.Canonical(strings.TrimSpace(name)), strings.TrimSpace(value)}
	switch {
	case !found:
		return h, fmt.Errorf("%q is no field: want Name: value", text)
	case !message.IsToken(h.Name):
		return h, fmt.Errorf("%q is no field name", name)
	case len(text) > maxHeader:
		return h, fmt.Errorf("%s: longer than %d bytes", h.Name, maxHeader)
	case strings.ContainsFunc(h.Value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return h, fmt.Errorf("%s: control bytes cannot stand in a field", h.Name)
	case ours[h.Name] != "":
		return h, fmt.Errorf("%s cannot be given: %s", h.Name, ours[h.Name])
	}
	return h, nil
}

// IsToken says whether s can stand where a message wants a token (RFC 3261 section
// 25.1), such as an event package or an entity-tag.
func IsToken(s string) bool { return message.IsToken(s) }
