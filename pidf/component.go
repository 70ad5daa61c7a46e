package pidf

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// component is what composition needs to know of a Tuple, Person or Device.
type component[T any] interface {
	facts() facts
	marked(Source) T                 // with another source
	mapIDs(func(id string) string) T // with other ids, its own first
	appendTo(c *canon)               // its content, without id, source and basic status
	closed() bool                    // a tuple whose basic status is closed
}

type facts struct {
	kind  string // "tuple", "person", "device"
	id    string
	class string
	at    time.Time // its own timestamp
	src   Source
}

func (t Tuple) facts() facts  { return facts{"tuple", t.ID, t.Class, t.Timestamp, t.Source} }
func (p Person) facts() facts { return facts{"person", p.ID, p.Class, p.Timestamp, p.Source} }
func (d Device) facts() facts { return facts{"device", d.ID, d.Class, d.Timestamp, d.Source} }

func (t Tuple) marked(s Source) Tuple   { t.Source = s; return t }
func (p Person) marked(s Source) Person { p.Source = s; return p }
func (d Device) marked(s Source) Device { d.Source = s; return d }

func (t Tuple) closed() bool { return t.Basic == Closed }
func (Person) closed() bool  { return false }
func (Device) closed() bool  { return false }

func (t Tuple) appendTo(c *canon)  { t.Basic = ""; c.tuple(t) }
func (p Person) appendTo(c *canon) { c.person(p) }
func (d Device) appendTo(c *canon) { c.device(d) }

func (t Tuple) mapIDs(f func(string) string) Tuple {
	t.ID = f(t.ID)
	t.UserInput.Attrs = mapIDAttr(t.UserInput.Attrs, f)
	t.StatusExtensions = mapIDElements(t.StatusExtensions, f)
	t.Extensions = mapIDElements(t.Extensions, f)
	return t
}

func (p Person) mapIDs(f func(string) string) Person {
	p.ID = f(p.ID)
	for i, as := range p.Activities {
		if mapped := mapIDAttr(as.Attrs, f); attr(mapped, "id") != attr(as.Attrs, "id") {
			p.Activities = clip(p.Activities)
			p.Activities[i].Attrs = mapped
		}
	}
	p.UserInput.Attrs = mapIDAttr(p.UserInput.Attrs, f)
	p.Extensions = mapIDElements(p.Extensions, f)
	return p
}

func (d Device) mapIDs(f func(string) string) Device {
	d.ID = f(d.ID)
	d.UserInput.Attrs = mapIDAttr(d.UserInput.Attrs, f)
	d.Extensions = mapIDElements(d.Extensions, f)
	return d
}

// mapIDAttr changes the attribute id of an RPID element, which is an xs:ID and
// has to be alone in the whole document (RFC 4480 section 4).
func mapIDAttr(attrs []Attr, f func(string) string) []Attr {
	for i, a := range attrs {
		if a.Name == (Name{"", "id"}) {
			if id := f(a.Value); id != a.Value {
				attrs = slices.Clone(attrs)
				attrs[i].Value = id
			}
		}
	}
	return attrs
}

// mapIDElements does the same to RPID elements that are kept as they are.
func mapIDElements(list []Element, f func(string) string) []Element {
	for i, x := range list {
		a := x.root.SelectAttr("id")
		if a == nil || x.Name().Space != NSRPID {
			continue
		}
		if id := f(a.Value); id != a.Value {
			root := x.root.Copy()
			root.SelectAttr("id").Value = id
			list = slices.Clone(list)
			list[i] = Element{root}
		}
	}
	return list
}

// Ids that collide are told apart by a mark of their publication. The mark can
// be recognised by whoever knows the publication, and taken off again: so the
// ids of a composed document depend on what is in it, and not on the order in
// which it was composed.

// idMark is the suffix for the ids of a publication.
func idMark(publication string) string {
	sum := sha256.Sum256([]byte(publication))
	return "--" + hex.EncodeToString(sum[:4])
}

// plainID takes a publication's marks off.
func plainID(id, publication string) string {
	if !strings.Contains(id, "--") {
		return id
	}
	mark := idMark(publication)
	for len(id) > len(mark) && strings.HasSuffix(id, mark) {
		id = id[:len(id)-len(mark)]
	}
	return id
}
