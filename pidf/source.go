package pidf

import (
	"strconv"
	"time"
)

// Kind is what sort of publisher an element comes from.
type Kind string

// The kinds that composition tells apart.
const (
	KindDevice   Kind = "device"
	KindCalendar Kind = "calendar"
)

// ClassCalendar is the rpid:class by which a person published by a calendar is
// known in any document, with or without a Source.
const ClassCalendar = "calendar"

// Source says whose a tuple, person or device is. It travels in the document,
// as an element of the namespace NSSource, so that composing what is already
// composed gives the same answer on any server.
type Source struct {
	// Publication names the publication among all of the presentity's, at any
	// server. It is shown to whoever gets the document: no entity-tag, no
	// secret.
	Publication string
	// Received is when the server that the publication was sent to received
	// it. It is stamped once and never again.
	Received time.Time
	// Kind is device unless the publisher is a calendar.
	Kind Kind
	// Position is the element's place in its publication, from 1.
	Position int
}

// IsZero tells whether nothing is said.
func (s Source) IsZero() bool {
	return s.Publication == "" && s.Received.IsZero() && s.Kind == "" && s.Position == 0
}

var sourceName = Name{NSSource, "source"}

// Stamp marks everything in a publication as src's. The server that received
// the publication does it, once, before it keeps it. What the publisher itself
// said of sources is dropped: a client cannot speak as another publication, or
// from the future. Position is counted here. A zero Kind is taken, person by
// person, from the class.
//
// For composers that know no Source, a person gets the time as its timestamp
// where it has none, and a calendar's person the class calendar.
func Stamp(d Document, src Source) Document {
	src.Received = src.Received.UTC().Round(0)
	return d.mapSources(func(of *Source, class string, position int) {
		*of = src
		of.Position = position
		if of.Kind == "" {
			of.Kind = kindOf(class)
		}
	}, func(p *Person) {
		if p.Timestamp.IsZero() {
			p.Timestamp = src.Received
		}
		if p.Class == "" && p.Source.Kind == KindCalendar {
			p.Class = ClassCalendar
		}
	})
}

// WithoutSources is the document for a watcher: what no watcher needs to know
// is taken out. It cannot be composed again without loss.
func (d Document) WithoutSources() Document {
	return d.mapSources(func(of *Source, _ string, _ int) { *of = Source{} }, func(*Person) {})
}

// mapSources changes the sources, then the persons, of a copy of d.
func (d Document) mapSources(source func(of *Source, class string, position int), person func(*Person)) Document {
	d.Tuples, d.Persons, d.Devices = clip(d.Tuples), clip(d.Persons), clip(d.Devices)
	for i := range d.Tuples {
		source(&d.Tuples[i].Source, d.Tuples[i].Class, i+1)
	}
	for i := range d.Persons {
		source(&d.Persons[i].Source, d.Persons[i].Class, i+1)
		person(&d.Persons[i])
	}
	for i := range d.Devices {
		source(&d.Devices[i].Source, d.Devices[i].Class, i+1)
	}
	return d
}

// clip copies a slice, keeping nil.
func clip[T any](s []T) []T { return append([]T(nil), s...) }

func kindOf(class string) Kind {
	if class == ClassCalendar {
		return KindCalendar
	}
	return KindDevice
}

// readSource reads the element of NSSource.
func readSource(n *node) (Source, error) {
	var s Source
	s.Publication = attr(n.attrs, "publication")
	if v := attr(n.attrs, "received"); v != "" {
		t, err := parseTime(v)
		if err != nil {
			return s, refuse(n, err.Error(), "a time of RFC 3339")
		}
		s.Received = t.UTC()
	}
	switch k := Kind(attr(n.attrs, "kind")); k {
	case "", KindDevice, KindCalendar:
		s.Kind = k
	default:
		return s, refuse(n, "kind "+quote(string(k)), "device or calendar")
	}
	if v := attr(n.attrs, "position"); v != "" {
		p, err := strconv.Atoi(v)
		if err != nil || p < 0 {
			return s, refuse(n, "position "+quote(v), "a number")
		}
		s.Position = p
	}
	return s, nil
}
