package pidf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Status is how a person sums up her presence, in the word that a command
// takes.
type Status string

// The statuses.
const (
	StatusOpen   Status = "open"   // services open, person available
	StatusClosed Status = "closed" // services closed, nothing said of the person but a note
	StatusAway   Status = "away"   // services open, person away
	StatusBusy   Status = "busy"   // services open, person busy
	StatusDND    Status = "dnd"    // services closed, person not to be disturbed
)

// ParseStatus reads a status word.
func ParseStatus(word string) (Status, error) {
	switch s := Status(strings.ToLower(word)); s {
	case StatusOpen, StatusClosed, StatusAway, StatusBusy, StatusDND:
		return s, nil
	}
	return "", fmt.Errorf("status %s: expected open, closed, away, busy or dnd", quote(word))
}

// Facts are what a simple publication says.
type Facts struct {
	Entity   string // URI of the presentity
	Status   Status
	Note     string // of the person; may be empty
	Lang     string // of the note; may be empty
	Class    string // rpid:class of the person; ClassCalendar for a calendar
	NoPerson bool   // services only
	PersonID string // default "person"
	Services []Service
}

// Service is one tuple of a simple publication.
type Service struct {
	ID           string
	Contact      string
	Priority     Priority
	Capabilities []string // features and media types: "audio", "text", "text/plain"
	UserInput    string   // "active", "idle", or empty
	Basic        Basic    // empty: as the status has it
}

// Build makes the document of a simple publication.
func Build(f Facts) Document {
	d := Document{Entity: f.Entity}
	basic := Open
	if f.Status == StatusClosed || f.Status == StatusDND {
		basic = Closed
	}
	for i, s := range f.Services {
		d.Tuples = append(d.Tuples, Tuple{
			ID:           cmp.Or(s.ID, fmt.Sprintf("t%d", i+1)),
			Basic:        cmp.Or(s.Basic, basic),
			Capabilities: NewCapabilities(s.Capabilities...),
			UserInput:    UserInput{State: s.UserInput},
			Contact:      s.Contact,
			Priority:     s.Priority,
		})
	}
	if p, ok := f.person(); ok {
		d.Persons = []Person{p}
	}
	return d
}

// person has its note inside the activities, as the draft does; without an
// activity it is the person's own.
func (f Facts) person() (Person, bool) {
	p := Person{ID: cmp.Or(f.PersonID, "person"), Class: f.Class}
	var notes []Note
	if f.Note != "" {
		notes = []Note{{Text: f.Note, Lang: f.Lang}}
	}
	activity := map[Status]string{StatusOpen: Available, StatusAway: Away, StatusBusy: Busy, StatusDND: DoNotDisturb}[f.Status]
	if activity == "" {
		p.Notes = notes
		return p, !f.NoPerson && len(notes) > 0
	}
	p.Activities = []Activities{{Notes: notes, Items: []Activity{{Name: activity}}}}
	return p, !f.NoPerson
}

// NewCapabilities makes capabilities from the names of features and from media
// types; nil from nothing. A name that RFC 5196 does not have as a feature is
// a type.
func NewCapabilities(labels ...string) *Capabilities {
	if len(labels) == 0 {
		return nil
	}
	c := &Capabilities{}
	for _, l := range labels {
		if isFeature(l) {
			c.Features = append(c.Features, Feature{l, true})
		} else {
			c.Types = append(c.Types, l)
		}
	}
	slices.SortStableFunc(c.Features, func(a, b Feature) int { return cmp.Compare(a.Name, b.Name) })
	return c
}
