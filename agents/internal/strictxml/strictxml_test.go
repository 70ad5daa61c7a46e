package strictxml_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"presfed/agents/internal/bounded"
	"presfed/agents/internal/strictxml"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParse(t *testing.T) {
	const doc = "\xef\xbb\xbf" + `<?xml version="1.0" encoding="UTF-8"?><!-- c --><a xmlns="urn:a" xmlns:b="urn:b" b:x="1" x="2">
  <b:c> one<!-- between -->&amp;two </b:c><c xml:lang="de">three</c><d xmlns=""><e/></d></a>
`
	root, err := strictxml.Parse([]byte(doc), strictxml.Small)
	if err != nil {
		t.Fatal(err)
	}
	if !root.Is("urn:a", "a") || len(root.Attrs) != 2 || root.Attrs[0].Name != (xml.Name{Space: "urn:b", Local: "x"}) || root.Attrs[1].Name != (xml.Name{Local: "x"}) {
		t.Errorf("root %+v", root)
	}
	if len(root.Children) != 3 || !root.Children[0].Is("urn:b", "c") || root.Children[0].Token() != "one&two" || !root.Children[2].Children[0].Is("", "e") {
		t.Errorf("children %+v", root.Children)
	}
	if own := root.All("c"); len(own) != 1 || own[0].Text != "three" {
		t.Errorf("own %+v", own)
	}
}

// What a hostile peer sends is refused with a reason, quickly.
func TestRefused(t *testing.T) {
	deep := strings.Repeat("<a>", 10_000) + strings.Repeat("</a>", 10_000)
	wide := "<a>" + strings.Repeat("<b/>", 1000) + "</a>"
	var many strings.Builder
	for i := range 100 {
		many.WriteString(" a" + strings.Repeat("x", i) + `=""`)
	}
	for name, doc := range map[string]string{
		"empty":                 "",
		"entities":              `<!DOCTYPE a [<!ENTITY b "&c;&c;"><!ENTITY c "ha">]><a>&b;</a>`,
		"external reference":    `<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>`,
		"undefined entity":      `<a>&b;</a>`,
		"depth":                 deep,
		"elements":              wide,
		"attributes":            "<a" + many.String() + "/>",
		"10 MB":                 "<a>" + strings.Repeat("x", 10<<20) + "</a>",
		"same attribute":        `<a x="1" x="2"/>`,
		"same attribute by two": `<a xmlns:p="urn:x" xmlns:q="urn:x" p:x="1" q:x="2"/>`,
		"second root":           `<a/><b/>`,
		"text behind":           `<a/>x`,
		"text before":           `x<a/>`,
		"undeclared prefix":     `<p:a/>`,
		"undeclared attribute":  `<a p:x=""/>`,
		"prefix twice":          `<a xmlns:p="urn:x" xmlns:p="urn:y"/>`,
		"reserved prefix":       `<a xmlns:xml="urn:x"/>`,
		"prefix of nothing":     `<a xmlns:p=""/>`,
		"encoding":              `<?xml version="1.0" encoding="ISO-8859-1"?><a/>`,
		"UTF-16":                "\xff\xfe<\x00a\x00/\x00>\x00",
		"not UTF-8":             "<a>\xff</a>",
		"control byte":          "<a>\x00</a>",
		"version":               `<?xml version="1.1"?><a/>`,
		"late declaration":      ` <?xml version="1.0"?><a/>`,
		"not closed":            `<a><b></a>`,
		"ends early":            `<a><b></b>`,
		"stray end":             `<a/></a>`,
		"two colons":            `<a:b:c xmlns:a="urn:x"/>`,
	} {
		began := time.Now()
		_, err := strictxml.Parse([]byte(doc), strictxml.Small)
		var said *strictxml.Error
		if !errors.As(err, &said) || said.What == "" || len(said.Error()) > 200 {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s: refused after %s", name, took)
		}
	}
}

// Text in many pieces costs no more than it is long.
func TestPiecesOfText(t *testing.T) {
	doc := []byte("<a>" + strings.Repeat("a<!---->", 30_000) + "</a>")
	bounded.Read(t, len(doc), func() {
		if root, err := strictxml.Parse(doc, strictxml.Limits{Bytes: 1 << 20, Depth: 2, Elements: 2, Attributes: 1}); err != nil || len(root.Text) != 30_000 {
			t.Error(err)
		}
	})
}

// FuzzParse: what is taken, the standard decoder reads to its end, with as many
// elements.
func FuzzParse(f *testing.F) {
	for _, doc := range []string{`<a xmlns="urn:a"><b>x</b></a>`, `<p:a xmlns:p="urn:a" p:x="1"/>`, `<a>&#65;<![CDATA[<]]></a>`, `<!DOCTYPE a><a/>`} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		root, err := strictxml.Parse(doc, strictxml.Small)
		if err != nil {
			return
		}
		var count func(e *strictxml.Element) int
		count = func(e *strictxml.Element) int {
			n := 1
			for _, c := range e.Children {
				n += count(c)
			}
			return n
		}
		dec := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(string(doc), "\xef\xbb\xbf")))
		n := 0
		for {
			tok, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("taken, and is not well-formed: %v", err)
			}
			if _, is := tok.(xml.StartElement); is {
				n++
			}
		}
		if n != count(root) {
			t.Errorf("%d elements, want %d", count(root), n)
		}
	})
}

// Each limit is one by itself: what keeps to it is read, and one more is refused.
func TestEachLimit(t *testing.T) {
	limits := strictxml.Limits{Bytes: 1000, Depth: 3, Elements: 6, Attributes: 2}
	for doc, want := range map[string]bool{
		"<a><a><a/></a></a>": true, "<a><a><a><a/></a></a></a>": false,
		"<a><b/><b/><b/><b/><b/></a>": true, "<a><b/><b/><b/><b/><b/><b/></a>": false,
		"<a b='' c=''/>": true, "<a b='' c='' d=''/>": false,
		"<a>" + strings.Repeat(" ", 993) + "</a>": true, "<a>" + strings.Repeat(" ", 994) + "</a>": false,
	} {
		if _, err := strictxml.Parse([]byte(doc), limits); (err == nil) != want {
			t.Errorf("%.40s: %v", doc, err)
		}
	}
}
