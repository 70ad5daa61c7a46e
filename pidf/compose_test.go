package pidf

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const alice = "sip:alice@example.com"

// Whatever the publications, however they are grouped, ordered, repeated, and
// sent from server to server in between: the answer is the reference's, and
// always the same document.
func TestComposeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pubs := drawPublications(t)
		var shares []Share
		for _, p := range pubs {
			shares = append(shares, p.share())
		}
		whole := Compose(alice, shares...)
		againstReference(t, whole, pubs)
		uniqueIDs(t, whole)
		inOrder(t, whole, pubs)

		// Merge two shares at random until one is left.
		pile := slices.Clone(shares)
		if len(pile) > 0 {
			for range rapid.IntRange(0, 2).Draw(t, "repeats") {
				pile = append(pile, rapid.SampledFrom(shares).Draw(t, "repeated"))
			}
		}
		for len(pile) > 1 {
			i := rapid.IntRange(0, len(pile)-1).Draw(t, "left")
			a := pile[i]
			pile = slices.Delete(pile, i, i+1)
			j := rapid.IntRange(0, len(pile)-1).Draw(t, "right")
			merged := Compose(alice, a, pile[j])
			switch rapid.IntRange(0, 2).Draw(t, "carried") {
			case 1:
				merged = mustParseIn(t, Write(merged, Standard))
			case 2:
				merged = mustParseIn(t, Write(merged, Draft))
			}
			pile[j] = Share{Source: Source{Publication: "unused"}, Document: merged}
		}
		if again := Compose(alice, pile...); !again.Equal(whole) {
			t.Fatalf("in another order:\n%s\nthan at once:\n%s", Write(again, Standard), Write(whole, Standard))
		}
		explained, why := Explain(alice, shares...)
		if !explained.Equal(whole) {
			t.Fatal("Explain composes something else")
		}
		everyElementExplained(t, why, pubs, whole)
	})
}

// Whatever is composed of valid documents is valid, ids among the rest.
func TestComposedIsValid(t *testing.T) {
	valid := map[string][]byte{}
	generator := rapid.Custom(drawPublications)
	for i := range 300 {
		var shares []Share
		for _, p := range generator.Example(i) {
			shares = append(shares, p.share())
		}
		d := Compose(alice, shares...)
		valid[fmt.Sprint(i)] = Write(d, Standard)
		valid[fmt.Sprint(i, "watcher")] = Write(d.WithoutSources(), Standard)
	}
	validate(t, valid)
}

func mustParseIn(t *rapid.T, data []byte) Document {
	d, err := Parse(data, Limits{})
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return d
}

// againstReference compares lines; where the reference leaves content to
// decide between persons, any of them will do.
func againstReference(t *rapid.T, d Document, pubs []publication) {
	want, got := reference(pubs), summary(d)
	for i, line := range want {
		for _, alternative := range strings.Split(line, " or ") {
			if slices.Contains(got, alternative) {
				want[i] = alternative
			}
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("reference (-), Compose (+):\n%s", diff)
	}
}

// inOrder: publication after publication, in each as it was published.
func inOrder(t *rapid.T, d Document, pubs []publication) {
	pubs = slices.Clone(pubs)
	slices.SortFunc(pubs, func(a, b publication) int { return strings.Compare(a.key, b.key) })
	var want, got []string
	for _, p := range pubs {
		for _, r := range p.elements {
			if r.kind == "tuple" {
				want = append(want, p.key+" "+r.id)
			}
		}
	}
	for _, v := range d.Tuples {
		id, _, _ := strings.Cut(v.ID, "--")
		got = append(got, v.Source.Publication+" "+id)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("published (-), composed (+):\n%s", diff)
	}
}

func uniqueIDs(t *rapid.T, d Document) {
	seen := map[string]bool{}
	once := func(id string) string {
		if seen[id] {
			t.Fatalf("id %s twice:\n%s", id, Write(d, Standard))
		}
		seen[id] = true
		return id
	}
	for _, v := range d.Tuples {
		v.mapIDs(once)
	}
	for _, v := range d.Persons {
		v.mapIDs(once)
	}
	for _, v := range d.Devices {
		v.mapIDs(once)
	}
}

func everyElementExplained(t *rapid.T, why Explanation, pubs []publication, whole Document) {
	elements, kept, notes := 0, 0, 0
	for _, p := range pubs {
		elements += len(p.elements)
		if p.note != "" {
			notes++
		}
	}
	for _, d := range why.Decisions {
		if d.Kept {
			kept++
		}
		if len(d.Steps) == 0 || d.Steps[0].Because == "" {
			t.Fatalf("no reason for %+v", d)
		}
	}
	if len(why.Decisions) != elements+notes {
		t.Fatalf("%d decisions for %d elements and %d notes", len(why.Decisions), elements, notes)
	}
	if want := len(whole.Tuples) + len(whole.Persons) + len(whole.Devices) + len(whole.Notes); kept != want {
		t.Fatalf("%d kept by the explanation, %d in the document", kept, want)
	}
}

// Two contents under one key do not happen, and still the answer does not
// depend on whether tuples were closed before or after they met.
func TestClosingCommutesWithUnion(t *testing.T) {
	doc := func(contact string) Share {
		return Share{Document: Stamp(Document{Tuples: []Tuple{{ID: "t", Basic: Open, Contact: contact}}}, device("k", 1))}
	}
	a, b := doc("sip:a@h"), doc("sip:b@h")
	quiet := Share{Document: Stamp(Build(Facts{Entity: alice, Status: StatusDND}), device("q", 1))}
	want := Compose(alice, a, b, quiet)
	for _, first := range []Share{a, b} {
		if got := Compose(alice, Share{Document: Compose(alice, first, quiet)}, a, b); !got.Equal(want) {
			t.Errorf("%s\n%s", Write(got, Standard), Write(want, Standard))
		}
	}
}

// What belongs to the document as a whole is united, attributes too, even if
// two documents use one prefix for two namespaces.
func TestAttributesOfTheWhole(t *testing.T) {
	with := func(attrs ...Attr) Share { return Share{Document: Document{Attrs: attrs}} }
	one, two := Name{"urn:one", "a"}, Name{"urn:two", "a"}
	a := with(Attr{one, "x", "1"}, Attr{two, "y", "1"})
	b := with(Attr{two, "x", "2"})
	want := Compose(alice, a, b)
	if got := Compose(alice, b, a); !got.Equal(want) {
		t.Error("it depends on the order")
	}
	again := mustParse(t, Write(want, Standard))
	if !again.Equal(want) || len(again.Attrs) != 2 || again.Attrs[0].Value != "1" || again.Attrs[1].Value != "2" {
		t.Errorf("%s", Write(want, Standard))
	}
}

func device(key string, received int) Source {
	return Source{Publication: key, Received: receivedAt(received), Kind: KindDevice}
}

// A client cannot say whose its elements are or when they came.
func TestStampReplacesWhatTheClientSays(t *testing.T) {
	forged := Stamp(pc(StatusOpen, ""), device("victim", 99))
	data := strings.Replace(string(Write(forged, Standard)), "<caps:servcaps>",
		`<src:source publication="victim" position="7"/><caps:servcaps>`, 1)
	d := Stamp(mustParse(t, []byte(data)), device("mine", 1))
	if text := string(Write(d, Standard)); strings.Contains(text, "victim") || strings.Count(text, "<src:source") != 2 {
		t.Errorf("%s", text)
	}
	if text := string(Write(d.WithoutSources(), Standard)); strings.Contains(text, NSSource) {
		t.Errorf("a watcher sees sources: %s", text)
	}
}

// The stamp is the same instant after any journey.
func TestStampKeepsTheInstant(t *testing.T) {
	now := time.Now().In(time.FixedZone("far", 5*3600))
	d := Stamp(pc(StatusOpen, ""), Source{Publication: "pc", Received: now})
	again := mustParse(t, Write(d, Standard))
	if got := again.Tuples[0].Source; got != d.Tuples[0].Source || !got.Received.Equal(now) || got.Received.Location() != time.UTC {
		t.Errorf("stamped %v, read %v", d.Tuples[0].Source, got)
	}
}

// A server that knows no Source still gives time, by the timestamp, and kind,
// by the class; and both are there for it.
func TestSharesWithoutSources(t *testing.T) {
	older, newer := pc(StatusAway, "older"), pc(StatusBusy, "newer")
	older.Persons[0].Timestamp, newer.Persons[0].Timestamp = receivedAt(1), receivedAt(2)
	d := Compose(alice,
		Share{Source: Source{Publication: "a", Received: receivedAt(9)}, Document: older},
		Share{Source: Source{Publication: "b", Received: receivedAt(3)}, Document: newer})
	if !d.Persons[0].Does(Busy) {
		t.Errorf("the older person: %+v", d.Persons[0])
	}
	d = Compose(alice, Share{Source: Source{Publication: "a"}, Document: meeting()},
		Share{Source: Source{Publication: "b"}, Document: newer})
	if d.Persons[0].Class == ClassCalendar {
		t.Error("the calendar outweighs the device")
	}
	// Without any timestamp the time at which the document came counts, and
	// the class says more than the share.
	older.Persons[0].Timestamp, newer.Persons[0].Timestamp = time.Time{}, time.Time{}
	for _, last := range []Document{older, newer} {
		d = Compose(alice,
			Share{Source: Source{Publication: "a", Received: receivedAt(9)}, Document: last},
			Share{Source: Source{Publication: "b", Received: receivedAt(3)}, Document: older},
			Share{Source: Source{Publication: "c", Received: receivedAt(3)}, Document: newer})
		if got, want := d.Persons[0].ActivityNames()[0], last.Persons[0].ActivityNames()[0]; got != want {
			t.Errorf("got %s, but %s came last", got, want)
		}
	}
	d = Compose(alice,
		Share{Source: Source{Publication: "a", Received: receivedAt(9), Kind: KindDevice}, Document: meeting()},
		Share{Source: Source{Publication: "b", Received: receivedAt(3)}, Document: newer})
	if d.Persons[0].Class == ClassCalendar {
		t.Error("the calendar outweighs the device")
	}
	stamped := Stamp(Build(Facts{Entity: alice, Status: StatusBusy}), Source{Publication: "c", Received: receivedAt(1), Kind: KindCalendar})
	if p := stamped.Persons[0]; p.Class != ClassCalendar || !p.Timestamp.Equal(receivedAt(1)) {
		t.Errorf("stamped: %+v", p)
	}
}

func TestExplain(t *testing.T) {
	_, why := Explain(alice,
		Share{Document: Stamp(pc(StatusDND, ""), device("pc", 2))},
		Share{Document: Stamp(pc(StatusOpen, ""), device("laptop", 3))},
		Share{Document: Stamp(meeting(), Source{Publication: "calendar", Received: receivedAt(4)})})
	var got []string
	for _, d := range why.Decisions {
		line := fmt.Sprintf("%s %s %s kept=%v", d.Element, d.Publication, d.ID, d.Kept)
		for _, s := range d.Steps[1:] {
			line += "; " + s.Rule + ": " + s.Because
			if s.By != "" {
				line += " [" + s.By + "]"
			}
		}
		got = append(got, line)
	}
	want := []string{
		"tuple laptop 0983wqh kept=true; do-not-disturb: closed: the person is not to be disturbed [pc]",
		"tuple pc 0983wqh--d8463bd3 kept=true; ids: another element has this id",
		"person calendar person kept=false; one person: do-not-disturb outweighs calendar [pc]",
		"person laptop person kept=false; one person: do-not-disturb outweighs available [pc]",
		"person pc person kept=true; one person: chosen: do-not-disturb",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Of equal rank and time the content decides, whoever published which.
func TestContentDecidesLast(t *testing.T) {
	var chosen []string
	for _, keys := range [][2]string{{"k1", "k2"}, {"k2", "k1"}} {
		d := Compose(alice, Share{Document: Stamp(pc(StatusAway, "one"), device(keys[0], 1))},
			Share{Document: Stamp(pc(StatusAway, "two"), device(keys[1], 1))})
		chosen = append(chosen, d.Persons[0].AllNotes()[0].Text)
	}
	if chosen[0] != chosen[1] {
		t.Errorf("the publication decides: %v", chosen)
	}
}
