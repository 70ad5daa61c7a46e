package pidf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is not understood, wherever it may stand, is said again: unknown
// elements and attributes, their namespaces, their order.
func TestNothingIsLost(t *testing.T) {
	doc := head + `<tuple id="t" xmlns:x="urn:x" x:a="1" b="2">
<status x:c="3"><basic x:d="4">open</basic><x:one/><two xmlns="urn:two"><three/></two></status>
<x:before/>
<rpid:class x:e="5">work</rpid:class>
<x:between>  text  <x:in xmlns:x="urn:other" x:y="6">mixed</x:in> tail </x:between>
<c:servcaps x:f="7"><c:audio x:g="8">true</c:audio><c:methods><c:supported><c:MESSAGE/></c:supported></c:methods><c:type x:h="9">text/plain</c:type><x:cap/></c:servcaps>
<rpid:user-input id="u" x:i="10">idle</rpid:user-input>
<dm:deviceID x:j="11">urn:d</dm:deviceID>
<none xmlns="">nowhere</none>
<rpid:mood><rpid:happy/></rpid:mood>
<contact priority="0.5" x:k="12">sip:a@b</contact>
<note xml:lang="en" x:l="13">one</note>
<note xml:lang="fr">deux</note>
<timestamp x:m="14">2026-01-02T03:04:05Z</timestamp>
</tuple>
<note>about all</note>
<x:first xmlns:x="urn:x" xmlns:q="urn:q" xmlns:r="urn:r" type="q:name">1 r:content</x:first>
<dm:device id="d"><x:thing xmlns:x="urn:x"/><dm:deviceID>urn:d</dm:deviceID></dm:device>
<dm:person id="p" xmlns:y="urn:y" y:a="1">
<y:unknown/>
<rpid:activities from="2026-01-01T00:00:00Z" y:b="2"><rpid:note>n</rpid:note><rpid:away y:c="3"/><y:fishing/><rpid:other xml:lang="en">more</rpid:other></rpid:activities>
<rpid:activities until="2026-01-01T00:00:00Z"><rpid:busy/></rpid:activities>
<rpid:class>home</rpid:class>
<rpid:class>second</rpid:class>
<dm:note y:d="4">n</dm:note>
<dm:timestamp>2026-01-02T03:04:05Z</dm:timestamp>
</dm:person>
<last xmlns="urn:last" xmlns:z="urn:z" z:a="1"/>` + tail
	d := mustParse(t, []byte(doc))
	want, err := saidBy([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	written := Write(d, Standard)
	got, err := saidBy(written)
	if err != nil {
		t.Fatalf("%v\n%s", err, written)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("said before (-) and after (+):\n%s\n%s", diff, written)
	}
	for _, dialect := range []Dialect{Standard, Draft} {
		if again := mustParse(t, Write(d, dialect)); !again.Equal(d) {
			t.Errorf("%v: read again it is another document:\n%s", dialect, Write(d, dialect))
		}
	}
	// The draft's dialect has the draft's namespace throughout.
	if text := string(Write(d, Draft)); strings.Contains(text, NSCaps) || !strings.Contains(text, nsServcaps) {
		t.Errorf("a document in two dialects:\n%s", text)
	}
	// Attributes count where documents are compared.
	for _, attribute := range []string{`x:d="4"`, `x:g="8"`, `x:k="12"`, `y:c="3"`, `x:i="10"`, `b="2"`} {
		if mustParse(t, []byte(strings.Replace(doc, attribute, "", 1))).Equal(d) {
			t.Errorf("without %s it is the same document", attribute)
		}
	}
	// Nor by composition, through which every declaration moves.
	composed := Write(Compose("sip:a@b", Share{Source: device("k", 1), Document: d}).WithoutSources(), Standard)
	if got, err = saidBy(composed); err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for _, line := range want {
		missing[line] = true
	}
	for _, line := range got {
		delete(missing, line)
	}
	if len(missing) > 0 {
		t.Errorf("lost by composition: %v\n%s", missing, composed)
	}
}

// A prefix that only content uses is declared wherever the element goes.
func TestPrefixesInContent(t *testing.T) {
	doc := strings.Replace(head, "entity", `xmlns:q="urn:q" xmlns:r="urn:r" xmlns:unused="urn:u" entity`, 1) +
		`<x type="q:name"><y>1 r:content</y></x>` + tail
	for _, d := range []Document{
		mustParse(t, []byte(doc)),
		Compose("sip:a@b", Share{Document: mustParse(t, []byte(doc))}),
		mustParse(t, Write(mustParse(t, []byte(doc)), Draft)),
	} {
		written := string(Write(d, Standard))
		for _, want := range []string{`xmlns:q="urn:q"`, `xmlns:r="urn:r"`} {
			if strings.Count(written, want) != 1 {
				t.Errorf("%s is not there once:\n%s", want, written)
			}
		}
		if strings.Contains(written, "unused") {
			t.Errorf("a declaration that nothing needs:\n%s", written)
		}
	}
}

// Prefixes that mean one thing where an element came from and another where it
// goes.
func TestForeignPrefixes(t *testing.T) {
	doc := `<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:mine" xmlns:rpid="urn:yours" entity="sip:a@b">` +
		`<dm:x rpid:y="1"><rpid:z dm:v="2"/></dm:x>` +
		`<person xmlns="urn:ietf:params:xml:ns:pidf:data-model" id="p" dm:w="3"><activities xmlns="urn:ietf:params:xml:ns:pidf:rpid"><away/></activities></person>` +
		`</presence>`
	d := mustParse(t, []byte(doc))
	want, _ := saidBy([]byte(doc))
	for _, v := range []Document{d, Compose("sip:a@b", Share{Document: d}).WithoutSources()} {
		got, err := saidBy(Write(v, Standard))
		if err != nil {
			t.Fatal(err)
		}
		wanted := map[string]bool{}
		for _, line := range want {
			wanted[line] = true
		}
		for _, line := range got {
			if !wanted[line] {
				t.Errorf("said only after: %s\n%s", line, Write(v, Standard))
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d elements before, %d after", len(want), len(got))
		}
	}
}

// What a client wrote by hand cannot break the document.
func TestUnprintable(t *testing.T) {
	d := Build(Facts{Entity: "sip:\"<&'>@b\x00", Status: StatusAway, Note: "a\x01<b>\r\n]]>\xff", Services: []Service{{ID: "1 2:3", Contact: "sip:a@b?x=1&y=\"2\""}}})
	for _, dialect := range []Dialect{Standard, Draft} {
		again := mustParse(t, Write(d, dialect))
		if again.Tuples[0].ID != "1 2:3" || again.Tuples[0].Contact != d.Tuples[0].Contact {
			t.Errorf("%v: %+v", dialect, again.Tuples[0])
		}
		if note := again.Persons[0].AllNotes()[0].Text; note != "a\uFFFD<b>\r\n]]>\uFFFD" {
			t.Errorf("%v: note %q", dialect, note)
		}
	}
	validate(t, map[string][]byte{"ids": Write(d, Standard)})
}

func TestIDs(t *testing.T) {
	for id, want := range map[string]string{
		"frh78": "frh78", "0983wqh": "_0983wqh", "-a": "_-a", "a b": "a_x0020_b", "é": "é",
		"_x": "_x", "a_x0041_": "a_x0041_", "1 2:3": "_1_x0020_2_x003A_3", "": "_", "_": "_", "😀": "_x1F600_",
	} {
		got := encodeID(id)
		if got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
		if back := decodeID(got); back != id && id != "" {
			t.Errorf("%q: back from %q comes %q", id, got, back)
		}
		if again := encodeID(decodeID(got)); again != got {
			t.Errorf("%q: valid spelling %q becomes %q", id, got, again)
		}
	}
}
