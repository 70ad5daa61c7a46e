package pidf

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	head = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"` + "\n" +
		`  xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" xmlns:c="urn:ietf:params:xml:ns:pidf:caps" entity="sip:a@b">` + "\n"
	tail  = "\n</presence>\n"
	tuple = `<tuple id="t"><status><basic>open</basic></status></tuple>`
)

// Each refusal says on which line, in which element, and what stands there.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name, doc string
		line      int
		element   string
		what      string
	}{
		{"nothing", "", 1, "", "no element at all"},
		{"only text", "hello", 1, "", `text outside the root element: "hello"`},
		{"other root", `<presence xmlns="urn:x" entity="sip:a@b"/>`, 1, "presence", `root element "presence" of namespace "urn:x"`},
		{"no namespace", `<presence entity="sip:a@b"/>`, 1, "presence", `of namespace ""`},
		{"other name", `<tuple xmlns="urn:ietf:params:xml:ns:pidf"/>`, 1, "tuple", `root element "tuple"`},
		{"two roots", head + tail + head + tail, 6, "", `an XML declaration`},
		{"two roots bare", `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="a:b"/>` + "\n<x/>", 2, "", `a second root element "x"`},
		{"trailing bytes", head + tail + "junk", 6, "", `text outside the root element`},
		{"trailing NUL", head + tail + "\x00", 6, "", "the character U+0000"},
		{"control in a comment", head + "<!--\x01-->" + tail, 4, "", "the character U+0001"},
		{"not UTF-8", head + "\n\xff" + tail, 5, "", "not UTF-8"},
		{"latin-1", strings.Replace(head, "UTF-8", "ISO-8859-1", 1) + tail, 1, "", `encoding "ISO-8859-1"`},
		{"ASCII with more", strings.Replace(head, "UTF-8", "US-ASCII", 1) + "<note>é</note>" + tail, 1, "", `encoding "US-ASCII"`},
		{"XML 1.1", strings.Replace(head, `"1.0"`, `"1.1"`, 1) + tail, 1, "", `version "1.1"`},
		{"no version", strings.Replace(head, `version="1.0" `, "", 1) + tail, 1, "", "the XML declaration"},
		{"declaration in disorder", strings.Replace(head, `version="1.0" encoding="UTF-8"`, `encoding="UTF-8" version="1.0"`, 1) + tail, 1, "", "the XML declaration"},
		{"declaration unquoted", strings.Replace(head, `"UTF-8"`, `UTF-8`, 1) + tail, 1, "", "the XML declaration"},
		{"processing glued", head + `<?x=y?>` + tail, 4, "presence", `the processing instruction "x"`},
		{"processing glued again", head + `<?x?y?>` + tail, 4, "presence", `the processing instruction "x"`},
		{"attributes glued", head + `<tuple id="t"xml:lang="de"/>` + tail, 4, "presence/tuple", "without white space"},
		{"name with a digit", head + `<rpid:1/>` + tail, 4, "presence/1", `the name "rpid:1"`},
		{"late declaration", head + `<?xml version="1.0"?>` + tail, 4, "presence", "an XML declaration"},
		{"DTD", `<!DOCTYPE presence [<!ENTITY a "b">]>` + head + tail, 1, "", "a document type"},
		{"DTD inside", head + `<!ELEMENT x>` + tail, 4, "presence", "a document type"},
		{"entity", head + `<note>&lol;</note>` + tail, 4, "presence/note", "invalid character entity &lol;"},
		{"cut off", head + tuple, 4, "presence", "the document ends"},
		{"cut off in a tag", head + `<tuple id="t`, 4, "presence", "unexpected EOF"},
		{"crossed tags", head + `<tuple id="t"><status></tuple></status>` + tail, 4, "presence/tuple/status", `an end tag "tuple"`},
		{"other prefix at the end", `<p:presence xmlns:p="urn:ietf:params:xml:ns:pidf" xmlns:q="urn:ietf:params:xml:ns:pidf" entity="a:b"></q:presence>`, 1, "presence", `an end tag "q:presence"`},
		{"end tag too many", head + tail + "</presence>", 6, "", `an end tag "presence"`},
		{"attribute twice", head + `<tuple id="t" id="u"/>` + tail, 4, "presence/tuple", `attribute "id" twice`},
		{"attribute twice by namespace", head + `<tuple xmlns:a="urn:a" xmlns:b="urn:a" a:x="" b:x="" id="t"/>` + tail, 4, "presence/tuple", `attribute "b:x" twice`},
		{"declared twice", head + `<x xmlns:a="urn:a" xmlns:a="urn:b"/>` + tail, 4, "presence/x", `"a" declared twice`},
		{"undeclared", head + `<y:x/>` + tail, 4, "presence/x", `the namespace prefix "y" without a declaration`},
		{"undeclared attribute", head + `<note y:x=""/>` + tail, 4, "presence/note", `the namespace prefix "y" without a declaration`},
		{"declared as nothing", head + `<x xmlns:a=""/>` + tail, 4, "presence/x", `"a" declared as nothing`},
		{"xml bound elsewhere", head + `<x xmlns:xml="urn:a"/>` + tail, 4, "presence/x", "reserved prefix"},
		{"xmlns declared", head + `<x xmlns:xmlns="urn:a"/>` + tail, 4, "presence/x", "reserved prefix"},
		{"xmlns used", head + `<xmlns:x/>` + tail, 4, "presence/x", `the name "xmlns:x"`},
		{"two colons", head + `<a:b:c/>` + tail, 4, "presence", "expected element name"},
		{"no entity", `<presence xmlns="urn:ietf:params:xml:ns:pidf"/>`, 1, "presence", "no entity"},
		{"no id", head + `<tuple><status/></tuple>` + tail, 4, "presence/tuple", "no id"},
		{"id twice", head + tuple + "\n" + tuple + tail, 5, "presence/tuple", `the id "t" a second time`},
		{"no status", head + `<tuple id="t"/>` + tail, 4, "presence/tuple", "a tuple without status"},
		{"two statuses", head + `<tuple id="t"><status/><status/></tuple>` + tail, 4, "presence/tuple/status", "a second status"},
		{"two basics", head + `<tuple id="t"><status><basic>open</basic><basic>open</basic></status></tuple>` + tail, 4, "presence/tuple/status/basic", "a second basic"},
		{"basic away", head + `<tuple id="t"><status>` + "\n" + `<basic>away</basic></status></tuple>` + tail, 5, "presence/tuple/status/basic", `"away"`},
		{"element in basic", head + `<tuple id="t"><status><basic><b/></basic></status></tuple>` + tail, 4, "presence/tuple/status/basic/b", "an element"},
		{"text in a tuple", head + `<tuple id="t">hello<status/></tuple>` + tail, 4, "presence/tuple", `text between the elements: "hello"`},
		{"priority", head + `<tuple id="t"><status/><contact priority="1.5">sip:a@b</contact></tuple>` + tail, 4, "presence/tuple/contact", `priority "1.5"`},
		{"timestamp", head + `<tuple id="t"><status/><timestamp>yesterday</timestamp></tuple>` + tail, 4, "presence/tuple/timestamp", `time "yesterday"`},
		{"user input", head + `<tuple id="t"><status/><rpid:user-input>often</rpid:user-input></tuple>` + tail, 4, "presence/tuple/user-input", `"often"`},
		{"capability", head + `<tuple id="t"><status/><c:servcaps><c:audio>perhaps</c:audio></c:servcaps></tuple>` + tail, 4, "presence/tuple/servcaps/audio", `"perhaps"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.doc), Limits{})
			e, ok := errors.AsType[*ParseError](err)
			if !ok {
				t.Fatalf("got %v, want a refusal", err)
			}
			if e.Line != c.line || e.Element != c.element || !strings.Contains(e.What, c.what) {
				t.Errorf("got line %d, %q, %q\nwant line %d, %q, %q", e.Line, e.Element, e.What, c.line, c.element, c.what)
			}
			if errors.Is(err, ErrTooLarge) {
				t.Error("it counts as too large")
			}
		})
	}
}

func TestLimits(t *testing.T) {
	small := Limits{Bytes: 1000, Depth: 4, Elements: 6, Attributes: 5}
	nested := head + strings.Repeat("<x>", 3) + strings.Repeat("</x>", 3) + tail
	many := head + strings.Repeat("<x/>", 5) + tail
	for name, c := range map[string]struct {
		within, over, what string
	}{
		"bytes":      {head + strings.Repeat(" ", 1000-len(head+tail)) + tail, head + strings.Repeat(" ", 1001-len(head+tail)) + tail, "1001 bytes"},
		"depth":      {nested, strings.ReplaceAll(strings.Replace(nested, "<x>", "<x><x>", 1), "</x></x></x>", "</x></x></x></x>"), "nested deeper than 4 levels"},
		"elements":   {many, strings.Replace(many, "<x/>", "<x/><x/>", 1), "more than 6 elements"},
		"attributes": {head + tail, strings.Replace(head, "entity", `x="" entity`, 1) + tail, "more than 5 attributes"},
	} {
		if _, err := Parse([]byte(c.within), small); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_, err := Parse([]byte(c.over), small)
		if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), c.what) {
			t.Errorf("%s: got %v, want %s", name, err, c.what)
		}
	}
}

func TestErrorText(t *testing.T) {
	_, err := Parse([]byte(head+`<tuple id="t"><status><basic>away</basic></status></tuple>`+tail), Limits{})
	want := `presence document, line 4, in presence/tuple/status/basic: "away" (expected open or closed)`
	if fmt.Sprint(err) != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// Spellings that are accepted beside the usual one.
func TestAccepted(t *testing.T) {
	want := mustParse(t, []byte(head+tuple+tail))
	for name, doc := range map[string]string{
		"byte order mark":     "\xef\xbb\xbf" + head + tuple + tail,
		"white space before":  "\r\n" + head + tuple + tail,
		"comment after":       head + tuple + tail + "<!-- end -->\n",
		"processing":          head + "<?x y?>" + tuple + tail,
		"ASCII":               strings.Replace(head, "UTF-8", "us-ascii", 1) + tuple + tail,
		"no declaration":      head[strings.Index(head, "\n")+1:] + tuple + tail,
		"single quotes":       strings.Replace(head, `"1.0" encoding="UTF-8"`, `'1.0' encoding='utf-8' standalone='yes'`, 1) + tuple + tail,
		"CDATA and comment":   head + `<tuple id="t"><status><basic>o<!-- - -->p<![CDATA[e]]>n</basic></status></tuple>` + tail,
		"character reference": head + `<tuple id="t"><status><basic>&#x6F;pen</basic></status></tuple>` + tail,
		"another prefix":      `<p:presence xmlns:p="urn:ietf:params:xml:ns:pidf" entity="sip:a@b"><p:tuple id="t"><p:status><p:basic> open </p:basic></p:status></p:tuple></p:presence>`,
	} {
		d, err := Parse([]byte(doc), Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !d.Equal(want) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestModel(t *testing.T) {
	d := mustParse(t, []byte(head+`
<tuple id="t" xmlns:x="urn:x" x:more="1">
  <status><basic>closed</basic><x:loc>home</x:loc></status>
  <dm:deviceID>urn:device:1</dm:deviceID>
  <dm:deviceID>urn:device:2</dm:deviceID>
  <rpid:class>work</rpid:class>
  <rpid:user-input idle-threshold="600">idle</rpid:user-input>
  <c:servcaps><c:audio>1</c:audio><c:video>false</c:video><c:message>true</c:message><c:type>text/plain</c:type></c:servcaps>
  <contact priority="0.25"> sip:a@b </contact>
  <note xml:lang="de">Hallo</note>
  <note>Hello</note>
  <timestamp>2026-01-02T03:04:05.5+01:00</timestamp>
</tuple>
<dm:person id="p"><rpid:activities><rpid:note>hm</rpid:note><rpid:away/><rpid:other>gardening</rpid:other></rpid:activities><dm:note>n</dm:note></dm:person>
<dm:device id="d"><dm:deviceID>urn:device:1</dm:deviceID></dm:device>`+tail))
	tup := d.Tuples[0]
	if q, ok := tup.Priority.Value(); q != 0.25 || !ok || tup.Basic != Closed || tup.Contact != "sip:a@b" || tup.Class != "work" {
		t.Errorf("tuple: %+v", tup)
	}
	if diff := cmp.Diff([]string{"urn:device:1", "urn:device:2"}, tup.DeviceIDs); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"audio", "message", "text/plain"}, tup.Capabilities.Labels()); diff != "" {
		t.Error(diff)
	}
	if tup.UserInput.State != "idle" || attr(tup.UserInput.Attrs, "idle-threshold") != "600" {
		t.Errorf("user input: %+v", tup.UserInput)
	}
	if diff := cmp.Diff([]Note{{Text: "Hallo", Lang: "de"}, {Text: "Hello"}}, tup.Notes); diff != "" {
		t.Error(diff)
	}
	if want := time.Date(2026, 1, 2, 2, 4, 5, 5e8, time.UTC); !tup.Timestamp.Equal(want) {
		t.Errorf("timestamp %v", tup.Timestamp)
	}
	if x := tup.StatusExtensions[0]; x.Name() != (Name{"urn:x", "loc"}) || x.Text() != "home" {
		t.Errorf("status extension: %s", x.XML())
	}
	p, _ := d.Person()
	if diff := cmp.Diff([]string{"away", "gardening"}, p.ActivityNames()); diff != "" {
		t.Error(diff)
	}
	if notes := p.AllNotes(); len(notes) != 2 || notes[0].Text != "n" || notes[1].Text != "hm" {
		t.Errorf("notes: %+v", notes)
	}
	if d.Devices[0].DeviceID != "urn:device:1" {
		t.Errorf("device: %+v", d.Devices[0])
	}
}
