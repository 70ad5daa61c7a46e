package pidf

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestBuild(t *testing.T) {
	for status, want := range map[Status]struct {
		basic      Basic
		activities []string
	}{
		StatusOpen:   {Open, []string{"available"}},
		StatusClosed: {Closed, nil},
		StatusAway:   {Open, []string{"away"}},
		StatusBusy:   {Open, []string{"busy"}},
		StatusDND:    {Closed, []string{"do-not-disturb"}},
	} {
		d := Build(Facts{Entity: alice, Status: status, Note: "n", Lang: "en", Services: []Service{
			{Contact: alice, Capabilities: []string{"message", "audio", "text/plain"}}, {Basic: Closed},
		}})
		if d.Tuples[0].Basic != want.basic || d.Tuples[1].Basic != Closed || d.Tuples[0].ID == d.Tuples[1].ID {
			t.Errorf("%s: %+v", status, d.Tuples)
		}
		p, ok := d.Person()
		if !ok || p.AllNotes()[0].Text != "n" || p.AllNotes()[0].Lang != "en" {
			t.Errorf("%s: person %+v", status, p)
		}
		if diff := cmp.Diff(want.activities, p.ActivityNames()); diff != "" {
			t.Errorf("%s: %s", status, diff)
		}
		if word, err := ParseStatus(string(status)); word != status || err != nil {
			t.Errorf("%s: %v", status, err)
		}
		if again := mustParse(t, Write(d, Standard)); !again.Equal(d) {
			t.Errorf("%s: read back it is another document", status)
		}
	}
	if _, err := ParseStatus("lunch"); err == nil {
		t.Error("lunch is a status")
	}
	if d := Build(Facts{Entity: alice, Status: StatusClosed}); len(d.Persons) != 0 {
		t.Error("a person who says nothing")
	}
}

func TestPriority(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "1": "1", "0.5": "0.5", "0.50": "0.5", "0.725": "0.725", "1.000": "1", "0.": "0", "0.001": "0.001",
	} {
		if q, err := ParsePriority(in); err != nil || q.String() != want {
			t.Errorf("%s: %s, %v", in, q, err)
		}
	}
	for _, in := range []string{"", "2", "1.001", "-0", "0.1234", "0,5", ".5", "1e0", "0.5x", "00.5", "NaN"} {
		if q, err := ParsePriority(in); err == nil {
			t.Errorf("%q is %s", in, q)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 1000).Draw(t, "thousandths")
		q, err := NewPriority(float64(n) / 1000)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParsePriority(q.String())
		if v, _ := back.Value(); err != nil || back != q || v != float64(n)/1000 {
			t.Fatalf("%d: %s, %v, %v", n, q, v, err)
		}
	})
	if _, err := NewPriority(1.01); err == nil {
		t.Error("1.01 is a priority")
	}
}
