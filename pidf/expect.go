package pidf

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Expect is what a document of a call flow has to say: its tuples by
// capabilities, basic status, priority and the user of the contact, not by id
// or order; hosts of contacts are not compared.
type Expect struct {
	Flow     string        `json:"flow,omitempty"`
	Messages []string      `json:"messages,omitempty"` // the F-numbers that carry it
	Entity   string        `json:"entity"`             // user part
	Match    Match         `json:"match"`
	Person   *ExpectPerson `json:"person"` // nil: none is required
	Tuples   []ExpectTuple `json:"tuples"`
	Remark   string        `json:"remark,omitempty"`
}

// Match is how strictly tuples are compared.
type Match string

// The two ways to compare.
const (
	MatchEqual    Match = "equal"    // these tuples and no others
	MatchContains Match = "contains" // at least these
)

// ExpectPerson is what a person has to say. Note and Class are compared where
// given, the note without the white space around it.
type ExpectPerson struct {
	Activities []string `json:"activities"`
	Note       string   `json:"note,omitempty"`
	Class      string   `json:"class,omitempty"`
}

// ExpectTuple is what a tuple has to say. UserInput is compared where given.
type ExpectTuple struct {
	ID           string   `json:"id,omitempty"` // to name it in a difference only
	Capabilities []string `json:"capabilities"`
	Basic        Basic    `json:"basic"`
	Priority     *float64 `json:"priority,omitempty"` // nil: none
	Contact      string   `json:"contact"`
	UserInput    string   `json:"user_input,omitempty"`
}

// ReadExpects reads expectations as JSON: an object whose documents are a list
// of them, or the list alone. Unknown fields are refused by name.
func ReadExpects(r io.Reader) ([]Expect, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("expected documents: %w", err)
	}
	var file struct {
		How       string   `json:"how"`
		Documents []Expect `json:"documents"`
	}
	var into any = &file
	if strings.HasPrefix(trim(string(data)), "[") {
		into = &file.Documents
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return nil, fmt.Errorf("expected documents: %w", err)
	}
	for i, e := range file.Documents {
		if e.Match != MatchEqual && e.Match != MatchContains {
			return nil, fmt.Errorf("expected document %d: match %s: expected equal or contains", i+1, quote(string(e.Match)))
		}
	}
	return file.Documents, nil
}

// Difference is one way in which a document is not as expected.
type Difference struct {
	Where string `json:"where"` // "entity", "person: note", "tuple frh78: basic"
	Want  string `json:"want"`
	Got   string `json:"got"`
}

func (d Difference) String() string {
	return fmt.Sprintf("%s: want %s, got %s", d.Where, d.Want, d.Got)
}

// Check compares a document with what is expected of it; no differences mean
// that it holds.
func (e Expect) Check(d Document) []Difference {
	var diffs []Difference
	if user := userOf(d.Entity); user != userOf(e.Entity) {
		diffs = append(diffs, Difference{"entity", userOf(e.Entity), user})
	}
	diffs = append(diffs, e.checkPerson(d.Persons)...)
	return append(diffs, e.checkTuples(d.Tuples)...)
}

func (e Expect) checkPerson(persons []Person) []Difference {
	if e.Person == nil {
		return nil
	}
	if len(persons) == 0 {
		return []Difference{{"person", "one that is " + strings.Join(e.Person.Activities, ", "), "none"}}
	}
	var nearest []Difference
	for i, p := range persons {
		diffs := e.Person.check(p)
		if i == 0 || len(diffs) < len(nearest) {
			nearest = diffs
		}
	}
	if e.Match == MatchEqual && len(persons) > 1 {
		nearest = append(nearest, Difference{"person", "one", strconv.Itoa(len(persons))})
	}
	return nearest
}

func (e ExpectPerson) check(p Person) []Difference {
	var diffs []Difference
	if want, got := joined(e.Activities), joined(p.ActivityNames()); want != got {
		diffs = append(diffs, Difference{"person: activities", want, got})
	}
	if e.Note != "" {
		notes := p.AllNotes()
		if !slices.ContainsFunc(notes, func(n Note) bool { return trim(n.Text) == trim(e.Note) }) {
			var got []string
			for _, n := range notes {
				got = append(got, strconv.Quote(trim(n.Text)))
			}
			diffs = append(diffs, Difference{"person: note", strconv.Quote(trim(e.Note)), orNone(strings.Join(got, ", "))})
		}
	}
	if e.Class != "" && p.Class != e.Class {
		diffs = append(diffs, Difference{"person: class", e.Class, orNone(p.Class)})
	}
	return diffs
}

// joined is a set in one line.
func joined(words []string) string {
	words = slices.Clone(words)
	slices.Sort(words)
	return orNone(strings.Join(slices.Compact(words), ", "))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// userOf is the user part of a SIP, SIPS or PRES URI, or a bare user.
func userOf(uri string) string {
	if scheme, rest, ok := strings.Cut(uri, ":"); ok && !strings.ContainsAny(scheme, "@.") {
		uri = rest
	}
	if user, _, ok := strings.Cut(uri, "@"); ok {
		uri = user
	}
	user, _, _ := strings.Cut(uri, ";")
	return user
}
