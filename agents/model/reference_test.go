package model

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// The reference: what a watcher must see, computed from the raw publications by
// the rules of the draft, with nothing of the code under test.

// document is what is read of a presence document.
type document struct {
	Tuples []struct {
		ID      string `xml:"id,attr"`
		Basic   string `xml:"status>basic"`
		Contact string `xml:"contact"`
	} `xml:"urn:ietf:params:xml:ns:pidf tuple"`
	Persons []person `xml:"urn:ietf:params:xml:ns:pidf:data-model person"`
}

type person struct {
	ID         string `xml:"id,attr"`
	Class      string `xml:"urn:ietf:params:xml:ns:pidf:rpid class"`
	Activities []struct {
		Items []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	} `xml:"urn:ietf:params:xml:ns:pidf:rpid activities"`
	Notes []string `xml:"urn:ietf:params:xml:ns:pidf:data-model note"`
}

// names are a person's activities in order; an "other" by its text. RFC 4480 has
// no do-not-disturb, so that it may come as a busy and an other.
func (p person) names() (out []string) {
	for _, as := range p.Activities {
		for _, item := range as.Items {
			name := item.XMLName.Local
			if name == "other" {
				name = strings.TrimSpace(item.Text)
			}
			out = append(out, name)
		}
	}
	slices.Sort(out)
	if slices.Contains(out, "do-not-disturb") {
		out = slices.DeleteFunc(out, func(name string) bool { return name == "busy" })
	}
	return out
}

func (p person) quiet() bool { return slices.Contains(p.names(), "do-not-disturb") }

// weight is the draft's order: do-not-disturb, what a device says, the calendar,
// available, idle or nothing.
func (p person) weight() int {
	names := slices.DeleteFunc(p.names(), func(name string) bool { return name == "unknown" })
	switch calendar := p.Class == "calendar"; {
	case p.quiet():
		return 4
	case len(names) == 0:
		return 0
	case slices.Equal(names, []string{"available"}):
		return 1
	case calendar:
		return 2
	}
	return 3
}

// publication is one that stands at a server.
type publication struct {
	server int
	stamp  int // grows with each body that was acknowledged
	raw    string
	token  string // marks what this body shows
}

// sees says what a server that composes has to go by.
type sees struct {
	reach  func(server int) bool // of which it knows the share
	mirror func(server int) bool // whose own share is closed by a do-not-disturb elsewhere
}

// compose is the view of a user: the tuples of all, and the weightiest person.
func compose(aor string, all []publication, s sees) view {
	var tuples []string
	var best person
	weight, stamp := -1, 0
	for _, p := range all {
		if !s.reach(p.server) {
			continue
		}
		d, err := read(p.raw)
		if err != nil {
			panic(err) // we wrote it
		}
		for _, t := range d.Tuples {
			if s.mirror(p.server) {
				t.Basic = "closed"
			}
			tuples = append(tuples, t.Contact+" "+t.Basic)
		}
		for _, person := range d.Persons {
			if w := person.weight(); cmp.Or(cmp.Compare(w, weight), cmp.Compare(p.stamp, stamp)) > 0 {
				best, weight, stamp = person, w, p.stamp
			}
		}
	}
	v := view{state: active}
	switch {
	case len(tuples) == 0 && weight < 0: // somebody who is not there
		return view{state: active, shows: aor + " closed"}
	case weight == 4:
		for i, t := range tuples {
			contact, _, _ := strings.Cut(t, " ")
			tuples[i] = contact + " closed"
		}
	}
	v.shows = canonical(tuples, best, weight >= 0)
	return v
}

// quietAt says whether a server's own share tells of a do-not-disturb that a
// device published there.
func quietAt(all []publication, server int) bool {
	var best person
	weight, stamp := -1, 0
	for _, p := range all {
		if p.server != server {
			continue
		}
		d, _ := read(p.raw)
		for _, person := range d.Persons {
			if w := person.weight(); cmp.Or(cmp.Compare(w, weight), cmp.Compare(p.stamp, stamp)) > 0 {
				best, weight, stamp = person, w, p.stamp
			}
		}
	}
	return weight == 4 && best.Class != "calendar"
}

// canonical is the text of a view.
func canonical(tuples []string, p person, any bool) string {
	slices.Sort(tuples)
	out := strings.Join(tuples, "\n")
	if any {
		out += fmt.Sprintf("\nperson %s %q %q", p.Class, p.names(), p.Notes)
	}
	return strings.TrimSpace(out)
}

func read(raw string) (d document, err error) {
	err = xml.Unmarshal([]byte(raw), &d)
	return d, err
}

// The states of a subscription.
const (
	active     = "active"
	pending    = "pending"
	terminated = "terminated"
)

// view is what one watcher sees.
type view struct {
	state string
	shows string // "": no body
}

func (v view) String() string {
	return v.state + ":\n  " + strings.ReplaceAll(v.shows, "\n", "\n  ")
}

// viewOf reads what a watcher was told. An error is a document that should not
// be: not well-formed, more than one person, an id or a contact twice.
func viewOf(state, body string) (view, error) {
	v := view{state: state}
	if body == "" {
		return v, nil
	}
	d, err := read(body)
	if err != nil {
		return v, err
	}
	var tuples, ids, contacts []string
	for _, t := range d.Tuples {
		tuples = append(tuples, t.Contact+" "+t.Basic)
		ids, contacts = append(ids, t.ID), append(contacts, t.Contact)
	}
	if len(d.Persons) > 1 {
		return v, fmt.Errorf("%d persons", len(d.Persons))
	}
	var p person
	if len(d.Persons) == 1 {
		p = d.Persons[0]
		ids = append(ids, p.ID)
	}
	v.shows = canonical(tuples, p, len(d.Persons) == 1)
	for _, list := range [][]string{ids, contacts} {
		slices.Sort(list)
		if len(slices.Compact(slices.Clone(list))) != len(list) {
			return v, fmt.Errorf("something twice: %q", list)
		}
	}
	return v, nil
}
