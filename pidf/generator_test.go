package pidf

import (
	"fmt"
	"html"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/beevik/etree"
)

// generator makes documents by the schemas alone: what they allow it writes, by a
// throw of the dice, and it knows nothing else of presence.
type generator struct {
	*rand.Rand
	defs map[string]*etree.Element // "kind {namespace}name", such as element, complexType
	from map[*etree.Element]string // the namespace of each definition's schema
	b    strings.Builder
	ids  int
}

// spaces are those of the documents made, and stranger is nobody's namespace.
var spaces = map[string]string{NSPIDF: "p", NSDM: "dm", NSRPID: "r", NSCaps: "c",
	"urn:ietf:params:xml:ns:pidf:timed-status": "ts", "urn:ietf:params:xml:ns:pidf:cipid": "ci", stranger: "x"}

const stranger = "urn:presfed:test:stranger"

func newGenerator(t *testing.T, seed uint64) *generator {
	t.Helper()
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1)), defs: map[string]*etree.Element{}, from: map[*etree.Element]string{}}
	for _, name := range []string{"pidf", "data-model", "rpid", "timed-status", "cipid", "caps"} {
		g.load(t, name+".xsd", "")
	}
	return g
}

func (g *generator) load(t *testing.T, file, space string) {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromFile(filepath.Join("testdata", "xsd", file)); err != nil {
		t.Fatal(err)
	}
	space = doc.Root().SelectAttrValue("targetNamespace", space) // an included schema takes its includer's
	for _, def := range doc.Root().ChildElements() {
		if def.Tag == "include" {
			g.load(t, def.SelectAttrValue("schemaLocation", ""), space)
		} else if name := def.SelectAttrValue("name", ""); name != "" {
			g.defs[def.Tag+" {"+space+"}"+name] = def
			g.from[def] = space
		}
	}
}

// find is the definition that a qualified name in a schema means.
func (g *generator) find(kind, name, space string) (*etree.Element, string) {
	prefix, local, ok := strings.Cut(name, ":")
	if !ok {
		local = prefix
	} else if named := map[string]string{"pidf": NSPIDF, "dm": NSDM, "ts": "urn:ietf:params:xml:ns:pidf:timed-status"}[prefix]; named != "" {
		space = named
	}
	return g.defs[kind+" {"+space+"}"+local], space
}

// document is a whole one.
func (g *generator) document() string {
	g.b.Reset()
	g.ids = 0
	if g.IntN(2) == 0 {
		g.b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	}
	root, _ := g.find("element", "presence", NSPIDF)
	g.element(root, NSPIDF, 0)
	g.noise()
	return g.b.String()
}

// noise is what may stand anywhere between elements.
func (g *generator) noise() {
	g.b.WriteString([]string{"", "", "", "\n", "<!-- a < b -->", "<?do it?>"}[g.IntN(6)])
}

func (g *generator) element(e *etree.Element, space string, depth int) {
	if ref := e.SelectAttrValue("ref", ""); ref != "" {
		e, space = g.find("element", ref, space)
	}
	tag := spaces[space] + ":" + e.SelectAttrValue("name", "")
	g.b.WriteString("<" + tag)
	if depth == 0 {
		for space, prefix := range spaces {
			fmt.Fprintf(&g.b, " xmlns:%s=%q", prefix, space)
		}
	}
	if kind := e.SelectAttrValue("type", ""); strings.HasPrefix(kind, "xs:") {
		g.b.WriteString(">" + html.EscapeString(g.builtin(kind)))
	} else if def, in := g.find("simpleType", kind, space); def != nil {
		g.b.WriteString(">" + html.EscapeString(g.simple(def, in)))
	} else if def, in := g.find("complexType", kind, space); def != nil {
		g.complex(def, in, depth)
	} else if def := e.SelectElement("complexType"); def != nil {
		g.complex(def, space, depth)
	} else {
		g.b.WriteString(">" + html.EscapeString(g.simple(e.SelectElement("simpleType"), space)))
	}
	g.b.WriteString("</" + tag + ">")
}

// complex writes attributes, the end of the start tag, and the content.
func (g *generator) complex(def *etree.Element, space string, depth int) {
	if content := def.SelectElement("simpleContent"); content != nil {
		extension := content.ChildElements()[0]
		g.attributes(extension, space)
		g.b.WriteByte('>')
		base := extension.SelectAttrValue("base", "")
		if named, in := g.find("simpleType", base, space); named != nil {
			g.b.WriteString(html.EscapeString(g.simple(named, in)))
		} else {
			g.b.WriteString(html.EscapeString(g.builtin(base)))
		}
		return
	}
	g.attributes(def, space)
	g.b.WriteByte('>')
	for _, part := range def.ChildElements() {
		if part.Tag != "attribute" && part.Tag != "attributeGroup" && part.Tag != "anyAttribute" && part.Tag != "annotation" {
			g.part(part, space, depth+1)
		}
	}
}

func (g *generator) attributes(def *etree.Element, space string) {
	for _, a := range def.ChildElements() {
		switch {
		case a.Tag == "attributeGroup":
			group, in := g.find("attributeGroup", a.SelectAttrValue("ref", ""), space)
			g.attributes(group, in)
		case a.Tag == "anyAttribute" && g.IntN(4) == 0:
			g.b.WriteString(` x:any="` + html.EscapeString(g.builtin("xs:token")) + `"`)
		case a.Tag != "attribute" || a.SelectAttrValue("use", "") != "required" && g.IntN(2) == 0:
		case a.SelectAttrValue("ref", "") == "xml:lang":
			g.b.WriteString(` xml:lang="` + g.builtin("xs:language") + `"`)
		default:
			value := ""
			if kind := a.SelectAttrValue("type", ""); strings.HasPrefix(kind, "xs:") {
				value = g.builtin(kind)
			} else if named, in := g.find("simpleType", kind, space); named != nil {
				value = g.simple(named, in)
			} else {
				value = g.simple(a.SelectElement("simpleType"), space)
			}
			name := a.SelectAttrValue("name", "")
			if name == "entity" && value == "" { // RFC 3863 section 4.1.1 asks for more than the schema
				value = "pres:a@example.com"
			}
			g.b.WriteString(" " + name + `="` + html.EscapeString(value) + `"`)
		}
	}
}

// part writes a particle as often as it may stand.
func (g *generator) part(e *etree.Element, space string, depth int) {
	least, _ := strconv.Atoi(e.SelectAttrValue("minOccurs", "1"))
	most := least
	if max := e.SelectAttrValue("maxOccurs", "1"); max == "unbounded" {
		most = least + 2
	} else if n, _ := strconv.Atoi(max); n > most {
		most = n
	}
	if depth > 5 {
		most = least
	}
	for range least + g.IntN(most-least+1) {
		g.noise()
		switch e.Tag {
		case "element":
			g.element(e, space, depth)
		case "any":
			g.any(space, depth)
		case "sequence":
			for _, c := range e.ChildElements() {
				g.part(c, space, depth)
			}
		case "choice":
			all := e.ChildElements()
			g.part(all[g.IntN(len(all))], space, depth)
		}
	}
}

// any is an element of another namespace than this one: one that the schemas know,
// or a stranger.
func (g *generator) any(space string, depth int) {
	var known []string
	for key := range g.defs {
		if strings.HasPrefix(key, "element ") && !strings.Contains(key, "{"+space+"}") && !strings.HasSuffix(key, "}presence") {
			known = append(known, key)
		}
	}
	slices.Sort(known)
	if depth > 5 || g.IntN(3) == 0 {
		g.b.WriteString(`<x:thing n="1">` + html.EscapeString(g.builtin("xs:string")) + `<x:in/></x:thing>`)
		return
	}
	def := g.defs[known[g.IntN(len(known))]]
	g.element(def, g.from[def], depth)
}

func (g *generator) simple(def *etree.Element, space string) string {
	r := def.SelectElement("restriction")
	if all := r.SelectElements("enumeration"); len(all) > 0 {
		return all[g.IntN(len(all))].SelectAttrValue("value", "")
	}
	if r.SelectElement("pattern") != nil { // the one there is: a qvalue
		return g.one("0", "0.", "0.5", "0.123", "1", "1.0", "1.000")
	}
	return g.builtin(r.SelectAttrValue("base", ""))
}

func (g *generator) one(values ...string) string { return values[g.IntN(len(values))] }

// builtin is a value of a type of XML Schema itself.
func (g *generator) builtin(kind string) string {
	blank := g.one("", "", " ", "\n ") // collapsed in all but strings
	switch kind {
	case "xs:ID":
		g.ids++
		return fmt.Sprintf("%s%d", g.one("i", "_", "é.", "a-"), g.ids)
	case "xs:anyURI":
		return g.one("sip:bob@example.com", "im:bob@example.com", "mailto:a%20b@example.com", "urn:uuid:1", "http://[::1]/a?b=c&d#e", "tel:+1-2", "x", "")
	case "xs:dateTime":
		return g.one("2026-11-25T15:30:00Z", "2026-11-25T15:30:00.123456789+05:30", "2024-02-29T24:00:00Z", "2026-11-25T15:30:00",
			"0001-01-01T00:00:00-14:00") // RFC 3339 has no other years, xmllint takes no blanks around these
	case "xs:integer":
		return blank + g.one("-60", "+120", "007", "0", "99999999999999999999") + blank
	case "xs:positiveInteger":
		return blank + g.one("1", "+600", "0010") + blank
	case "xs:boolean":
		return blank + g.one("true", "false", "1", "0") + blank
	case "xs:language":
		return g.one("en", "de-AT", "x-klingon")
	case "xs:token":
		return blank + g.one("work", "two words", "a<b>&\"'") + blank
	case "xs:string":
		return g.one("", "Grüße, 世界 😀", "a < b && c > \"d\" ]]", " white \t space\n", "\u0085\u2028", "sip:x")
	}
	panic("no values for " + kind)
}

// What the schemas allow is never refused, written in either of the ways it can be:
// of documents made by the schemas alone, which xmllint finds valid, Parse takes all,
// and Validate finds nothing.
func TestWhatIsValidIsTaken(t *testing.T) {
	g := newGenerator(t, 1)
	docs := map[string][]byte{}
	for i := range 400 {
		doc := g.document()
		if len(doc) > DefaultLimits().Bytes {
			continue
		}
		docs[fmt.Sprint(i)] = []byte(doc)
		if _, err := Parse([]byte(doc), Limits{}); err != nil {
			t.Errorf("refused: %v\n%s", err, doc)
		} else if found, err := Validate([]byte(doc), Limits{}); err != nil || len(found) > 0 {
			t.Errorf("not valid: %v %v\n%s", found, err, doc)
		}
		if t.Failed() && i > 40 {
			break
		}
	}
	validate(t, docs)
}
