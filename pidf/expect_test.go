package pidf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each thing that a document is compared by, changed alone, is the one
// difference that is named.
func TestExpectNamesWhatDiffers(t *testing.T) {
	e := expected(t, "4.2.1.1", "F10")
	e.Person.Class = ""
	for name, c := range map[string]struct {
		change func(*Document)
		want   []string
	}{
		"nothing": {func(d *Document) {}, nil},
		"order": {func(d *Document) {
			d.Tuples[0], d.Tuples[2] = d.Tuples[2], d.Tuples[0]
		}, nil},
		"ids":          {func(d *Document) { d.Tuples[0].ID = "z" }, nil},
		"host":         {func(d *Document) { d.Tuples[2].Contact = "sip:85551234@127.0.0.7;transport=tcp" }, nil},
		"scheme":       {func(d *Document) { d.Entity = "pres:alice@example.com" }, nil},
		"note spaced":  {func(d *Document) { d.Persons[0].Activities[0].Notes[0].Text = "\n I am Active " }, nil},
		"another note": {func(d *Document) { d.Persons[0].Notes = []Note{{Text: "more"}} }, nil},

		"entity":       {func(d *Document) { d.Entity = "sip:bob@example.com" }, []string{"entity: want alice, got bob"}},
		"basic":        {func(d *Document) { d.Tuples[2].Basic = Closed }, []string{"tuple fabfa341: basic: want open, got closed"}},
		"priority":     {func(d *Document) { d.Tuples[2].Priority = 0 }, []string{"tuple fabfa341: priority: want 0.8, got none"}},
		"contact":      {func(d *Document) { d.Tuples[2].Contact = "sip:1@h" }, []string{"tuple fabfa341: contact user: want 85551234, got 1"}},
		"capabilities": {func(d *Document) { d.Tuples[2].Capabilities = nil }, []string{"tuple fabfa341: capabilities: want audio, got none"}},
		"user input":   {func(d *Document) { d.Tuples[0].UserInput = UserInput{} }, []string{"tuple 0983wqh: user input: want active, got none"}},
		"missing":      {func(d *Document) { d.Tuples = d.Tuples[:2] }, []string{"tuple fabfa341: want present, got missing"}},
		"swapped for another": {func(d *Document) {
			d.Tuples[2] = Tuple{ID: "x", Basic: Open, Contact: "sip:9@h"}
		}, []string{"tuple fabfa341: want present, got missing", "tuple x: want absent, got open, sip:9@h, none"}},
		"one more":   {func(d *Document) { d.Tuples = append(d.Tuples, Tuple{ID: "x"}) }, []string{"tuple x: want absent, got none, none, none"}},
		"no person":  {func(d *Document) { d.Persons = nil }, []string{"person: want one that is available, got none"}},
		"two":        {func(d *Document) { d.Persons = append(d.Persons, d.Persons[0]) }, []string{"person: want one, got 2"}},
		"activities": {func(d *Document) { d.Persons[0].Activities[0].Items[0].Name = Away }, []string{"person: activities: want available, got away"}},
		"note": {func(d *Document) { d.Persons[0].Activities[0].Notes[0].Text = "I am" },
			[]string{`person: note: want "I am Active", got "I am"`}},
	} {
		d := expected(t, "4.2.1.1", "F10").document(t)
		c.change(&d)
		var got []string
		for _, diff := range e.Check(d) {
			got = append(got, fmt.Sprint(diff))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", name, diff)
		}
	}
}

func TestExpectContains(t *testing.T) {
	e := expected(t, "4.2.1.3", "F3")
	d := e.document(t)
	d.Tuples = append(d.Tuples, Tuple{ID: "more"})
	if diffs := e.Check(d); len(diffs) > 0 {
		t.Errorf("%v", diffs)
	}
	// Of several persons one is enough, and the nearest is told of.
	d.Persons = append([]Person{{ID: "q"}}, d.Persons...)
	if diffs := e.Check(d); len(diffs) > 0 {
		t.Errorf("%v", diffs)
	}
	d.Persons[1].Class = ""
	if diffs := e.Check(d); len(diffs) != 1 || diffs[0].String() != "person: class: want calendar, got none" {
		t.Errorf("%v", diffs)
	}
}

func TestReadExpectsRefuses(t *testing.T) {
	for in, want := range map[string]string{
		`{"documents":[{"match":"equals"}]}`:           `match "equals": expected equal or contains`,
		`[{"match":"equal","tuple":[]}]`:               `unknown field "tuple"`,
		`{"documents":[{"match":"equal","entity":1}]}`: "cannot unmarshal number",
		``: "EOF",
	} {
		if _, err := ReadExpects(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", in, err, want)
		}
	}
	list, err := ReadExpects(strings.NewReader(`[{"match":"contains","entity":"bob"}]`))
	if err != nil || len(list) != 1 || list[0].Entity != "bob" {
		t.Errorf("%v %v", list, err)
	}
}
