package eventlist

import (
	"fmt"
	"strings"

	"presfed/agents/internal/event"
	"presfed/agents/internal/rlmi"
)

// What a body needs beside the URIs of the resources and their states, in bytes.
const (
	perBody     = 2 << 10
	perResource = 128
	perPart     = 512
)

// row is what a resource takes in the first part, at most.
func row(uri string) int {
	special := 0
	for _, c := range `"'&<>` {
		special += strings.Count(uri, string(c))
	}
	return perResource + len(uri) + 5*special
}

// fitting is how many members a list has that is not too long.
func (x *Lists) fitting(uris []string) int {
	room := x.cfg.Room / 2
	for i, uri := range uris {
		if room -= row(uri); room < 0 || i == x.cfg.Most {
			return i
		}
	}
	return len(uris)
}

// largest is how large a member's state can be to be told of.
func (x *Lists) largest(uri string) int { return x.cfg.Room - perBody - perPart - row(uri) }

// body is one NOTIFY: the whole list, or those of whom there is news. States for
// which there is no room go into the next one; a whole list has their rows
// nevertheless, without a state, as if that were still on its way (RFC 4662
// section 4.5).
func (x *Lists) body(s *event.Subscription, full bool, version uint64) (event.Body, error) {
	l := x.known(s.Resource())
	if l == nil { // it could not be read yet, which does not mean that nobody is on it
		return event.Body{}, nil
	}
	members := l.order
	t, ok := s.Data.(*told)
	if !ok {
		t = &told{full: true}
		s.Data = t
	}
	doc := rlmi.List{URI: s.Resource(), Version: uint32(version), Full: full || t.full}
	if doc.Full {
		t.begin(members)
	}
	room := x.cfg.Room - perBody
	for _, m := range members {
		if doc.Full {
			room -= row(m.uri)
		}
	}
	for _, m := range members {
		if !t.changed[m.uri] {
			continue
		}
		need := 0
		if m.state != nil && len(m.state.Body) > 0 {
			need = perPart + len(m.state.Body)
		}
		if !doc.Full {
			need += row(m.uri)
		}
		r := rlmi.Resource{URI: m.uri}
		if need <= room {
			room -= need
			delete(t.changed, m.uri)
			if m.state != nil {
				r.Instances = []rlmi.Instance{*m.state}
			}
		} else if !doc.Full {
			continue
		}
		doc.Resources = append(doc.Resources, r)
	}
	contentType, bytes, err := doc.Write(fmt.Sprintf("%d.%s@%s", version, s.ID(), x.cfg.Host))
	return event.Body{Bytes: bytes, Type: contentType, More: len(t.changed) > 0}, err
}

// begin has everything told anew.
func (t *told) begin(members []*member) {
	t.full, t.changed = false, make(map[string]bool, len(members))
	for _, m := range members {
		t.changed[m.uri] = true
	}
}
