package pidf

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"github.com/beevik/etree"
)

// The canonical form of a value: bytes that are equal exactly where the values
// say the same, whatever prefixes they were read with. Every string has its
// length before it, every list its count, so that no two values share a form.

type canon struct{ b []byte }

func canonicalDocument(d Document) []byte {
	c := &canon{}
	c.str(d.Entity)
	each(c, d.Tuples, func(t Tuple) { c.str(t.ID); c.source(t.Source); c.tuple(t) })
	each(c, d.Persons, func(p Person) { c.str(p.ID); c.source(p.Source); c.person(p) })
	each(c, d.Devices, func(v Device) { c.str(v.ID); c.source(v.Source); c.device(v) })
	each(c, d.Notes, c.note)
	each(c, d.Extensions, c.element)
	c.attrs(d.Attrs)
	c.rest(d.rest)
	return c.b
}

// tuple is everything but id and source.
func (c *canon) tuple(t Tuple) {
	c.str(string(t.Basic))
	each(c, t.StatusExtensions, c.element)
	if t.Capabilities == nil {
		c.num(0)
	} else {
		c.num(1)
		c.capabilities(*t.Capabilities)
	}
	each(c, t.DeviceIDs, c.str)
	c.str(t.Contact)
	c.num(int(t.Priority))
	c.common(t.Class, t.UserInput, t.Notes, t.Timestamp, t.Extensions, t.Attrs, t.rest)
}

// person is everything but id and source.
func (c *canon) person(p Person) {
	each(c, p.Activities, func(as Activities) {
		each(c, as.Notes, c.note)
		each(c, as.Items, func(a Activity) {
			c.str(a.Name)
			c.str(a.Text)
			c.attrs(a.Attrs)
			c.element(a.Foreign)
		})
		c.attrs(as.Attrs)
	})
	c.common(p.Class, p.UserInput, p.Notes, p.Timestamp, p.Extensions, p.Attrs, p.rest)
}

// device is everything but id and source.
func (c *canon) device(d Device) {
	c.str(d.DeviceID)
	c.common(d.Class, d.UserInput, d.Notes, d.Timestamp, d.Extensions, d.Attrs, d.rest)
}

func (c *canon) capabilities(caps Capabilities) {
	each(c, caps.Features, func(f Feature) {
		c.str(f.Name)
		c.num(map[bool]int{true: 1}[f.Supported])
	})
	each(c, caps.Types, c.str)
	each(c, caps.Descriptions, c.note)
	each(c, caps.Extensions, c.element)
	c.attrs(caps.Attrs)
	c.rest(caps.rest)
}

func (c *canon) common(class string, input UserInput, notes []Note, at time.Time, ext []Element, attrs []Attr, r rest) {
	c.str(class)
	c.str(input.State)
	c.attrs(input.Attrs)
	each(c, notes, c.note)
	c.time(at)
	each(c, ext, c.element)
	c.attrs(attrs)
	c.rest(r)
}

func (c *canon) note(n Note) {
	c.str(n.Text)
	c.str(n.Lang)
	c.attrs(n.Attrs)
}

func (c *canon) source(s Source) {
	c.str(s.Publication)
	c.time(s.Received)
	c.str(string(s.Kind))
	c.num(s.Position)
}

// rest counts for the attributes in it; the order is a hint.
func (c *canon) rest(r rest) {
	leafs := slices.Clone(r.leafs)
	slices.SortStableFunc(leafs, func(a, b leafAttr) int {
		return cmp.Or(compareNames(a.name, b.name), cmp.Compare(a.n, b.n))
	})
	each(c, leafs, func(l leafAttr) {
		c.name(l.name)
		c.num(l.n)
		c.attrs(l.attrs)
	})
}

func (c *canon) attrs(attrs []Attr) {
	sorted := attrs
	if len(attrs) > 1 {
		sorted = slices.Clone(attrs)
		slices.SortFunc(sorted, func(a, b Attr) int { return compareNames(a.Name, b.Name) })
	}
	each(c, sorted, func(a Attr) {
		c.name(a.Name)
		c.str(a.Value)
	})
}

func (c *canon) element(x Element) {
	if x.IsZero() {
		c.num(0)
		return
	}
	c.num(1)
	c.node(x.root)
}

func (c *canon) node(e *etree.Element) {
	c.name(Name{spaceOf(e, e.Space), e.Tag})
	var attrs []Attr
	for _, a := range e.Attr {
		if !isDeclaration(a) {
			attrs = append(attrs, Attr{Name: attrName(e, a), Value: a.Value})
		}
	}
	c.attrs(attrs)
	for _, child := range e.Child {
		switch child := child.(type) {
		case *etree.Element:
			c.num(2)
			c.node(child)
		case *etree.CharData:
			c.num(3)
			c.str(child.Data)
		}
	}
	c.num(0)
}

func (c *canon) time(t time.Time) {
	if t.IsZero() {
		c.num(0)
		return
	}
	c.str(t.UTC().Format(time.RFC3339Nano))
}

func (c *canon) name(n Name) {
	c.str(n.Space)
	c.str(n.Local)
}

func (c *canon) num(n int) { c.b = binary.AppendUvarint(c.b, uint64(n)) }

func (c *canon) str(s string) {
	c.num(len(s))
	c.b = append(c.b, s...)
}

func each[T any](c *canon, list []T, f func(T)) {
	c.num(len(list))
	for _, v := range list {
		f(v)
	}
}

func compareNames(a, b Name) int {
	return cmp.Or(cmp.Compare(a.Space, b.Space), cmp.Compare(a.Local, b.Local))
}
