package pidf

import (
	"strconv"
	"time"

	"github.com/beevik/etree"
)

// document writes the children of presence in the order that RFC 3863's schema
// prescribes: tuples, notes, everything else. The draft begins with the person.
func (w *writer) document(root *etree.Element, d Document) {
	plainAttr(root, "entity", d.Entity)
	w.attrs(root, d.Attrs)
	var others []item
	for _, p := range d.Persons {
		others = append(others, item{Name{NSDM, "person"}, w.person(p)})
	}
	for _, v := range d.Devices {
		others = append(others, item{Name{NSDM, "device"}, w.device(v)})
	}
	for _, x := range d.Extensions {
		others = append(others, item{x.Name(), w.extension(x)})
	}
	others = arrange(others, d.rest.order)
	if w.dialect == Draft {
		for _, it := range others {
			if it.name == (Name{NSDM, "person"}) {
				add(root, 1, it.e)
			}
		}
	}
	for _, t := range d.Tuples {
		add(root, 1, w.tuple(t))
	}
	w.notes(root, 1, NSPIDF, d.Notes)
	for _, it := range others {
		if it.e.Parent() == nil {
			add(root, 1, it.e)
		}
	}
	closeTag(root, 0)
}

// tuple writes status, extensions, contact, notes, timestamp (RFC 3863 section
// 4.4).
func (w *writer) tuple(t Tuple) *etree.Element {
	e := w.component(Name{NSPIDF, "tuple"}, t.ID, t.Attrs)
	status := w.leaf(Name{NSPIDF, "status"}, "", t.rest.attrsOf(Name{NSPIDF, "status"}, 0))
	if t.Basic != "" {
		basic := Name{NSPIDF, "basic"}
		add(status, 3, w.leaf(basic, string(t.Basic), t.rest.attrsOf(basic, 0)))
	}
	for _, x := range t.StatusExtensions {
		add(status, 3, w.extension(x))
	}
	add(e, 2, closeTag(status, 2))
	var items []item
	if t.Capabilities != nil {
		items = append(items, item{Name{NSCaps, "servcaps"}, w.capabilities(t.Capabilities)})
	}
	for i, id := range t.DeviceIDs {
		name := Name{NSDM, "deviceID"}
		items = append(items, item{name, w.leaf(name, id, t.rest.attrsOf(name, i))})
	}
	w.region(e, t.rest, append(items, w.common(t.rest, t.Class, t.UserInput, t.Source, t.Extensions)...))
	if more := t.rest.attrsOf(Name{NSPIDF, "contact"}, 0); t.Contact != "" || t.Priority != 0 || len(more) > 0 {
		contact := w.leaf(Name{NSPIDF, "contact"}, t.Contact, nil)
		plainAttr(contact, "priority", t.Priority.String())
		w.attrs(contact, more)
		add(e, 2, contact)
	}
	w.notes(e, 2, NSPIDF, t.Notes)
	w.time(e, NSPIDF, t.Timestamp, t.rest)
	return closeTag(e, 1)
}

// person writes extensions, notes, timestamp (RFC 4479 section 5).
func (w *writer) person(p Person) *etree.Element {
	e := w.component(Name{NSDM, "person"}, p.ID, p.Attrs)
	var items []item
	for _, as := range p.Activities {
		items = append(items, item{Name{NSRPID, "activities"}, w.activities(as)})
	}
	w.region(e, p.rest, append(items, w.common(p.rest, p.Class, p.UserInput, p.Source, p.Extensions)...))
	w.notes(e, 2, NSDM, p.Notes)
	w.time(e, NSDM, p.Timestamp, p.rest)
	return closeTag(e, 1)
}

// device writes extensions, deviceID, notes, timestamp (RFC 4479 section 5).
func (w *writer) device(d Device) *etree.Element {
	e := w.component(Name{NSDM, "device"}, d.ID, d.Attrs)
	w.region(e, d.rest, w.common(d.rest, d.Class, d.UserInput, d.Source, d.Extensions))
	name := Name{NSDM, "deviceID"}
	if more := d.rest.attrsOf(name, 0); d.DeviceID != "" || len(more) > 0 {
		add(e, 2, w.leaf(name, d.DeviceID, more))
	}
	w.notes(e, 2, NSDM, d.Notes)
	w.time(e, NSDM, d.Timestamp, d.rest)
	return closeTag(e, 1)
}

func (w *writer) component(name Name, id string, attrs []Attr) *etree.Element {
	e := w.element(name)
	if w.dialect == Standard {
		id = encodeID(id)
	}
	plainAttr(e, "id", id)
	w.attrs(e, attrs)
	return e
}

// region writes the part of a component that any element may stand in.
func (w *writer) region(e *etree.Element, r rest, items []item) {
	for _, it := range arrange(items, r.order) {
		add(e, 2, it.e)
	}
}

// common makes what tuples, persons and devices have alike.
func (w *writer) common(r rest, class string, input UserInput, src Source, ext []Element) []item {
	var items []item
	if class != "" {
		name := Name{NSRPID, "class"}
		items = append(items, item{name, w.leaf(name, class, r.attrsOf(name, 0))})
	}
	if input.State != "" {
		name := Name{NSRPID, "user-input"}
		items = append(items, item{name, w.leaf(name, input.State, input.Attrs)})
	}
	if !src.IsZero() {
		items = append(items, item{sourceName, w.source(src)})
	}
	for _, x := range ext {
		items = append(items, item{x.Name(), w.extension(x)})
	}
	return items
}

func (w *writer) source(s Source) *etree.Element {
	e := w.element(sourceName)
	plainAttr(e, "publication", s.Publication)
	if !s.Received.IsZero() {
		plainAttr(e, "received", formatTime(s.Received))
	}
	plainAttr(e, "kind", string(s.Kind))
	if s.Position != 0 {
		plainAttr(e, "position", strconv.Itoa(s.Position))
	}
	return e
}

func (w *writer) notes(parent *etree.Element, depth int, space string, notes []Note) {
	for _, n := range notes {
		add(parent, depth, w.note(Name{space, "note"}, n))
	}
}

func (w *writer) note(name Name, n Note) *etree.Element {
	e := w.leaf(name, n.Text, nil)
	if n.Lang != "" {
		e.Attr = append(e.Attr, etree.Attr{Space: "xml", Key: "lang", Value: n.Lang})
	}
	w.attrs(e, n.Attrs)
	return e
}

func (w *writer) time(parent *etree.Element, space string, t time.Time, r rest) {
	if !t.IsZero() {
		name := Name{space, "timestamp"}
		add(parent, 2, w.leaf(name, formatTime(t), r.attrsOf(name, 0)))
	}
}
