package pidf

import (
	"strconv"
	"time"
)

// document writes what follows the root's declarations: the children of presence in
// the order that RFC 3863's schema prescribes, tuples, notes, everything else. The
// draft begins with the person.
func (w *writer) document(d Document) {
	w.plainAttr("entity", d.Entity)
	w.attrs(d.Attrs)
	person := Name{NSDM, "person"}
	var others []item
	for _, p := range d.Persons {
		others = append(others, item{person, func() { w.person(p) }})
	}
	for _, v := range d.Devices {
		others = append(others, item{Name{NSDM, "device"}, func() { w.device(v) }})
	}
	for _, x := range d.Extensions {
		others = append(others, item{x.Name(), func() { w.extension(1, x) }})
	}
	others = arrange(others, d.rest.order)
	first := func(it item) bool { return w.dialect == Draft && it.name == person }
	for _, it := range others {
		if first(it) {
			it.write()
		}
	}
	for _, t := range d.Tuples {
		w.tuple(t)
	}
	w.notes(1, NSPIDF, d.Notes)
	for _, it := range others {
		if !first(it) {
			it.write()
		}
	}
	w.end(0, Name{NSPIDF, "presence"})
}

// tuple writes status, extensions, contact, notes, timestamp (RFC 3863 section
// 4.4).
func (w *writer) tuple(t Tuple) {
	name := Name{NSPIDF, "tuple"}
	w.component(name, t.ID, t.Attrs)
	w.status(t)
	var items []item
	if t.Capabilities != nil {
		items = append(items, item{Name{NSCaps, "servcaps"}, func() { w.capabilities(t.Capabilities) }})
	}
	for i, id := range t.DeviceIDs {
		name := Name{NSDM, "deviceID"}
		items = append(items, item{name, func() { w.leaf(2, name, id, t.rest.attrsOf(name, i)) }})
	}
	w.region(t.rest, append(items, w.common(t.rest, t.Class, t.UserInput, t.Source, t.Extensions)...))
	contact := Name{NSPIDF, "contact"}
	if more := t.rest.attrsOf(contact, 0); t.Contact != "" || t.Priority != 0 || len(more) > 0 {
		w.start(2, contact)
		w.plainAttr("priority", t.Priority.String())
		w.attrs(more)
		w.text(t.Contact)
		w.close(contact)
	}
	w.notes(2, NSPIDF, t.Notes)
	w.time(NSPIDF, t.Timestamp, t.rest)
	w.end(1, name)
}

func (w *writer) status(t Tuple) {
	name, basic := Name{NSPIDF, "status"}, Name{NSPIDF, "basic"}
	w.start(2, name)
	w.attrs(t.rest.attrsOf(name, 0))
	if t.Basic != "" {
		w.leaf(3, basic, string(t.Basic), t.rest.attrsOf(basic, 0))
	}
	for _, x := range t.StatusExtensions {
		w.extension(3, x)
	}
	w.end(2, name)
}

// person writes extensions, notes, timestamp (RFC 4479 section 5).
func (w *writer) person(p Person) {
	name := Name{NSDM, "person"}
	w.component(name, p.ID, p.Attrs)
	var items []item
	for _, as := range p.Activities {
		items = append(items, item{Name{NSRPID, "activities"}, func() { w.activities(as) }})
	}
	w.region(p.rest, append(items, w.common(p.rest, p.Class, p.UserInput, p.Source, p.Extensions)...))
	w.notes(2, NSDM, p.Notes)
	w.time(NSDM, p.Timestamp, p.rest)
	w.end(1, name)
}

// device writes extensions, deviceID, notes, timestamp (RFC 4479 section 5).
func (w *writer) device(d Device) {
	name, id := Name{NSDM, "device"}, Name{NSDM, "deviceID"}
	w.component(name, d.ID, d.Attrs)
	w.region(d.rest, w.common(d.rest, d.Class, d.UserInput, d.Source, d.Extensions))
	if more := d.rest.attrsOf(id, 0); d.DeviceID != "" || len(more) > 0 {
		w.leaf(2, id, d.DeviceID, more)
	}
	w.notes(2, NSDM, d.Notes)
	w.time(NSDM, d.Timestamp, d.rest)
	w.end(1, name)
}

// component begins a tuple, person or device.
func (w *writer) component(name Name, id string, attrs []Attr) {
	w.start(1, name)
	if w.dialect == Standard {
		id = encodeID(id)
	}
	w.plainAttr("id", id)
	w.attrs(attrs)
}

// region writes the part of a component that any element may stand in.
func (w *writer) region(r rest, items []item) {
	for _, it := range arrange(items, r.order) {
		it.write()
	}
}

// common is what tuples, persons and devices have alike.
func (w *writer) common(r rest, class string, input UserInput, src Source, ext []Element) []item {
	var items []item
	if class != "" {
		name := Name{NSRPID, "class"}
		items = append(items, item{name, func() { w.leaf(2, name, class, r.attrsOf(name, 0)) }})
	}
	if input.State != "" {
		name := Name{NSRPID, "user-input"}
		items = append(items, item{name, func() { w.leaf(2, name, input.State, input.Attrs) }})
	}
	if !src.IsZero() {
		items = append(items, item{sourceName, func() { w.source(src) }})
	}
	for _, x := range ext {
		items = append(items, item{x.Name(), func() { w.extension(2, x) }})
	}
	return items
}

func (w *writer) source(s Source) {
	w.start(2, sourceName)
	w.plainAttr("publication", s.Publication)
	if !s.Received.IsZero() {
		w.plainAttr("received", formatTime(s.Received))
	}
	w.plainAttr("kind", string(s.Kind))
	if s.Position != 0 {
		w.plainAttr("position", strconv.Itoa(s.Position))
	}
	w.close(sourceName)
}

func (w *writer) notes(depth int, space string, notes []Note) {
	for _, n := range notes {
		w.note(depth, Name{space, "note"}, n)
	}
}

func (w *writer) note(depth int, name Name, n Note) {
	w.start(depth, name)
	if n.Lang != "" {
		w.attr("xml", "lang", n.Lang)
	}
	w.attrs(n.Attrs)
	w.text(n.Text)
	w.close(name)
}

func (w *writer) time(space string, t time.Time, r rest) {
	if !t.IsZero() {
		name := Name{space, "timestamp"}
		w.leaf(2, name, formatTime(t), r.attrsOf(name, 0))
	}
}
