package pidf

import "slices"

// Activities is one activities element (RFC 4480 section 3.2): what the person
// is doing. A person has several where they hold at different times.
type Activities struct {
	Notes []Note
	Items []Activity
	Attrs []Attr // from, until, id and others
}

// Activity is one thing a person is doing. Name is an element name of RFC
// 4480, or one of the call-flows draft's Available and DoNotDisturb; "other"
// has its Text; an element of another namespace stands in Foreign, without a
// Name.
type Activity struct {
	Name    string
	Text    string
	Attrs   []Attr
	Foreign Element
}

// Activities with a meaning for composition. Available and DoNotDisturb are
// the call-flows draft's; RFC 4480 has no elements for them, so the Standard
// dialect spells them with "other".
const (
	Available    = "available"
	Away         = "away"
	Busy         = "busy"
	DoNotDisturb = "do-not-disturb"
	OnThePhone   = "on-the-phone"
	Other        = "other"
	Unknown      = "unknown"
)

// rpidActivities are the activity elements of RFC 4480 section 3.2 and the
// call-flows draft's two.
func isActivity(local string) bool {
	switch local {
	case "appointment", Away, "breakfast", Busy, "dinner", "holiday", "in-transit",
		"looking-for-work", "meal", "meeting", OnThePhone, "performance",
		"permanent-absence", "playing", "presentation", "shopping", "sleeping",
		"spectator", "steering", "travel", "tv", "vacation", "working", "worship",
		Other, Unknown, Available, DoNotDisturb:
		return true
	}
	return false
}

// Does tells whether the person is engaged in the named activity.
func (p Person) Does(name string) bool {
	for _, as := range p.Activities {
		for _, a := range as.Items {
			if a.Name == name {
				return true
			}
		}
	}
	return false
}

// ActivityNames lists the person's activities in order; "other" by its text, a
// foreign one by its local name.
func (p Person) ActivityNames() []string {
	var names []string
	for _, as := range p.Activities {
		for _, a := range as.Items {
			names = append(names, a.Label())
		}
	}
	return names
}

// Label is the activity in one word or phrase.
func (a Activity) Label() string {
	switch {
	case !a.Foreign.IsZero():
		return a.Foreign.Name().Local
	case a.Name == Other && trim(a.Text) != "":
		return trim(a.Text)
	}
	return a.Name
}

// AllNotes lists the notes of a person, those of its activities after its own.
func (p Person) AllNotes() []Note {
	notes := slices.Clone(p.Notes)
	for _, as := range p.Activities {
		notes = append(notes, as.Notes...)
	}
	return notes
}
