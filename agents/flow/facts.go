package flow

import (
	"net/netip"
	"slices"
	"strings"

	"presfed/agents/internal/message"
	"presfed/agents/internal/wire"
	"presfed/agents/trace"
)

// Facts are what a judge has to know of the bed.
type Facts struct {
	Domain       string
	Participants []Participant
	// Allows names, by user, those whom the user's policy lets in.
	Allows map[string][]string
}

// Participant is one who speaks. What stands in for it on the link counts among
// its addresses.
type Participant struct {
	Name      string           `json:"name"`
	Addresses []netip.AddrPort `json:"addresses"`
	Hosts     []string         `json:"-"` // of a server: its host name, and other names of it
}

func (f *Facts) participant(name string) Participant {
	i := slices.IndexFunc(f.Participants, func(p Participant) bool { return p.Name == name })
	if i < 0 {
		return Participant{Name: name}
	}
	return f.Participants[i]
}

// host is a participant's address as a URI has it; the domain where none is
// known.
func (f *Facts) host(name string) string {
	if p := f.participant(name); len(p.Addresses) > 0 {
		return p.Addresses[0].Addr().String()
	}
	return f.Domain
}

// isHost tells whether host names a server: by name, or by address.
func (f *Facts) isHost(server, host string) bool {
	named := slices.ContainsFunc(f.participant(server).Hosts, func(h string) bool { return strings.EqualFold(h, host) })
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return named || err == nil && f.isAddr(server, addr)
}

func (f *Facts) isAddr(participant string, addr netip.Addr) bool {
	return slices.ContainsFunc(f.participant(participant).Addresses, func(a netip.AddrPort) bool { return a.Addr().Unmap() == addr.Unmap() })
}

// at is who uses an address; "" where nobody is known to.
func (f *Facts) at(addr netip.AddrPort) string {
	for _, p := range f.Participants {
		if slices.Contains(p.Addresses, addr) {
			return p.Name
		}
	}
	return ""
}

// evidence is what checks look at.
type evidence struct {
	facts *Facts
	seen  map[string]*observed // by F-number
}

// observed is one message, as each end recorded it.
type observed struct {
	trace.Message
	sides []side // as sent, and as received if that is something else
}

// side is a message as one socket recorded it.
type side struct {
	message message.Message // nil if it cannot be read, or is MSRP
	broken  string          // why
	raw     []byte
}

func read(protocol wire.Protocol, raw []byte) side {
	if protocol == wire.MSRP {
		return side{broken: "MSRP", raw: raw}
	}
	m, err := message.Parse(raw, message.DefaultLimits)
	if m == nil && err != nil {
		return side{broken: err.Error(), raw: raw}
	}
	return side{message: m, raw: raw}
}

// last is the message as it arrived.
func (o *observed) last() *side { return &o.sides[len(o.sides)-1] }

func (s *side) requestURI() message.URI {
	if req, ok := s.message.(*message.Request); ok {
		return req.Recipient
	}
	return message.URI{}
}

// contact is the Contact of a message as it arrived; "" where there is none.
func (e *evidence) contact(f string) string {
	o := e.seen[f]
	if o == nil {
		return ""
	}
	a, err := message.ParseAddress(o.last().get("Contact"))
	if err != nil {
		return ""
	}
	return a.URI.String()
}

func (e *evidence) isUser(uri message.URI, user string) bool {
	return uri.User == user && strings.EqualFold(uri.Host, e.facts.Domain)
}
