package pidf

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// A plain statement of the rules of composition over flat records, to hold
// Compose against. It shares no code with it.

// record is one element of a publication.
type record struct {
	kind     string // tuple, person, device
	pub      string
	received int
	calendar bool
	position int
	id       string
	inner    string // id of an element inside; empty for none
	says     string // contact of a tuple, URN of a device, activity of a person
	open     bool
}

// publication is one client's document and when it came.
type publication struct {
	key      string
	received int
	calendar bool
	elements []record
	note     string
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)

func receivedAt(n int) time.Time { return epoch.Add(time.Duration(n) * time.Millisecond) }

// drawPublications makes up to five publications with few distinct ids, times
// and activities, so that everything collides.
func drawPublications(t *rapid.T) []publication {
	keys := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"k1", "k2", "k3", "k4", "k5"}), 0, 5, rapid.ID[string]).Draw(t, "keys")
	var all []publication
	for _, key := range keys {
		all = append(all, drawPublication(t, key, rapid.IntRange(1, 2).Draw(t, "received")))
	}
	return all
}

// drawPublication makes one publication.
func drawPublication(t *rapid.T, key string, received int) publication {
	p := publication{
		key:      key,
		received: received,
		calendar: rapid.Bool().Draw(t, "calendar"),
		note:     rapid.SampledFrom([]string{"", "", "x", "y"}).Draw(t, "note"),
	}
	for _, kind := range []string{"tuple", "person", "device"} {
		most := map[string]int{"tuple": 3, "person": 1, "device": 1}[kind]
		ids := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "0c"}), 0, most, rapid.ID[string]).Draw(t, "ids")
		for i, id := range ids {
			r := record{kind: kind, pub: key, received: p.received, calendar: p.calendar, position: i + 1, id: id}
			r.inner = rapid.SampledFrom([]string{"", "", "a", "i"}).Draw(t, "inner")
			r.open = rapid.Bool().Draw(t, "open")
			r.says = rapid.SampledFrom([]string{"sip:x@h", "sip:y@h"}).Draw(t, "contact")
			if kind == "person" {
				r.says = rapid.SampledFrom([]string{"", "available", "away", "busy", "do-not-disturb", "unknown"}).Draw(t, "activity")
			}
			p.elements = append(p.elements, r)
		}
	}
	return p
}

// document is the publication as a client sends it.
func (p publication) document() Document {
	d := Document{Entity: "sip:alice@example.com"}
	if p.note != "" {
		d.Notes = []Note{{Text: p.note}}
	}
	for _, r := range p.elements {
		var input UserInput
		var icon []Element
		if r.inner != "" {
			icon = []Element{iconWithID(r.inner)}
			input = UserInput{State: "active", Attrs: []Attr{{Name: Name{Local: "id"}, Value: r.inner}}}
		}
		switch r.kind {
		case "tuple":
			basic := Closed
			if r.open {
				basic = Open
			}
			d.Tuples = append(d.Tuples, Tuple{ID: r.id, Basic: basic, Contact: r.says, UserInput: input, StatusExtensions: icon})
		case "person":
			person := Person{ID: r.id, UserInput: input, Extensions: icon}
			if r.says != "" {
				person.Activities = []Activities{{Items: []Activity{{Name: r.says}}, Attrs: input.Attrs}}
			}
			d.Persons = append(d.Persons, person)
		case "device":
			d.Devices = append(d.Devices, Device{ID: r.id, DeviceID: r.says, UserInput: input, Extensions: icon})
		}
	}
	return d
}

// iconWithID is an RPID element that the package keeps as it is, with an id
// that has to be alone in the document.
func iconWithID(id string) Element {
	d, err := Parse([]byte(fmt.Sprintf(`<presence xmlns=%q entity="a:b"><r:status-icon xmlns:r=%q id=%q>http://h/</r:status-icon></presence>`,
		NSPIDF, NSRPID, id)), Limits{})
	if err != nil {
		panic(err)
	}
	return d.Extensions[0]
}

func (p publication) share() Share {
	src := Source{Publication: p.key, Received: receivedAt(p.received), Kind: KindDevice}
	if p.calendar {
		src.Kind = KindCalendar
	}
	return Share{Document: Stamp(p.document(), src)}
}

// reference is what the composed document has to say, a line an element.
func reference(pubs []publication) []string {
	var all, persons []record
	notes := map[string]bool{}
	for _, p := range pubs {
		for _, r := range p.elements {
			if r.kind == "person" {
				persons = append(persons, r)
			} else {
				all = append(all, r)
			}
		}
		if p.note != "" {
			notes[p.note] = true
		}
	}
	weight := func(r record) int {
		switch {
		case r.says == "do-not-disturb":
			return 5
		case r.says == "" || r.says == "unknown":
			return 1
		case r.says == "available":
			return 2
		case r.calendar:
			return 3
		}
		return 4
	}
	// Equal weight and time is decided by content; only one thing can then
	// differ that the line below shows, so the test looks at it apart.
	quiet := false
	if len(persons) > 0 {
		best := persons[0]
		for _, r := range persons {
			quiet = quiet || r.says == "do-not-disturb"
			if weight(r) > weight(best) || weight(r) == weight(best) && r.received > best.received {
				best = r
			}
		}
		var line []string
		for _, r := range persons {
			if weight(r) == weight(best) && r.received == best.received {
				line = append(line, fmt.Sprintf("person %s %s", r.pub, r.says))
			}
		}
		slices.Sort(line)
		all = append(all, record{kind: "person", says: strings.Join(line, " or ")})
	}
	var lines []string
	for _, r := range all {
		switch r.kind {
		case "tuple":
			lines = append(lines, fmt.Sprintf("tuple %s %s %s open=%v", r.pub, r.id, r.says, r.open && !quiet))
		case "device":
			lines = append(lines, fmt.Sprintf("device %s %s %s", r.pub, r.id, r.says))
		default:
			lines = append(lines, r.says)
		}
	}
	for n := range notes {
		lines = append(lines, "note "+n)
	}
	slices.Sort(lines)
	return lines
}

// summary is the same of a composed document, its ids with the marks taken off.
func summary(d Document) []string {
	var lines []string
	plain := func(id, pub string) string {
		return strings.ReplaceAll(id, fmt.Sprintf("--%x", sha256.Sum256([]byte(pub)))[:10], "")
	}
	for _, t := range d.Tuples {
		lines = append(lines, fmt.Sprintf("tuple %s %s %s open=%v", t.Source.Publication,
			plain(t.ID, t.Source.Publication), t.Contact, t.Basic == Open))
	}
	for _, v := range d.Devices {
		lines = append(lines, fmt.Sprintf("device %s %s %s", v.Source.Publication, plain(v.ID, v.Source.Publication), v.DeviceID))
	}
	for _, p := range d.Persons {
		lines = append(lines, fmt.Sprintf("person %s %s", p.Source.Publication, strings.Join(p.ActivityNames(), " ")))
	}
	for _, n := range d.Notes {
		lines = append(lines, "note "+n.Text)
	}
	slices.Sort(lines)
	return lines
}
