package pidf

import (
	"bytes"
	"strconv"

	"github.com/beevik/etree"
)

// Write spells a document in a dialect, as UTF-8 with an XML declaration,
// indented. Characters that XML cannot carry become U+FFFD.
func Write(d Document, dialect Dialect) []byte {
	w := &writer{dialect: dialect, used: map[string]bool{}}
	root := etree.NewElement("presence")
	w.document(root, d)
	w.declare(root)
	b := bytes.NewBufferString(declared)
	b.Grow(2 << 10)
	root.WriteTo(b, &etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true})
	b.WriteByte('\n')
	return b.Bytes()
}

const declared = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// writer builds the etree form of one document.
type writer struct {
	dialect Dialect
	used    map[string]bool // namespaces to declare at the root
}

// prefixOf is the prefix that the writer itself gives a namespace; ok is false
// for a namespace that it does not declare.
func (w *writer) prefixOf(space string) (prefix string, ok bool) {
	switch space {
	case NSPIDF:
		return "", true
	case NSDM:
		return "dm", true
	case NSRPID:
		return "rpid", true
	case NSCaps:
		if w.dialect == Draft {
			return "sc", true
		}
		return "caps", true
	case NSSource:
		return "src", true
	}
	return "", false
}

// declare puts the declarations before the root's other attributes.
func (w *writer) declare(root *etree.Element) {
	decls := []etree.Attr{declaration("", NSPIDF)}
	for _, space := range []string{NSDM, NSRPID, NSCaps, NSSource} {
		if w.used[space] {
			prefix, _ := w.prefixOf(space)
			decls = append(decls, declaration(prefix, w.dialect.space(space)))
		}
	}
	root.Attr = append(decls, root.Attr...)
}

// element makes an element of a namespace that the writer knows.
func (w *writer) element(name Name) *etree.Element {
	e := etree.NewElement("x")
	e.Space, _ = w.prefixOf(name.Space)
	e.Tag = name.Local
	if name.Space != NSPIDF {
		w.used[name.Space] = true
	}
	return e
}

// leaf makes an element that holds text.
func (w *writer) leaf(name Name, text string, attrs []Attr) *etree.Element {
	e := w.element(name)
	w.attrs(e, attrs)
	if text != "" {
		e.CreateText(text)
	}
	return e
}

// attrs writes attributes, declaring on the spot what the root does not.
func (w *writer) attrs(e *etree.Element, attrs []Attr) {
	for _, a := range attrs {
		prefix := ""
		switch {
		case a.Name.Space == nsXML:
			prefix = "xml"
		case a.Name.Space != "":
			prefix = w.attrPrefix(e, a)
		}
		e.Attr = append(e.Attr, etree.Attr{Space: prefix, Key: a.Name.Local, Value: a.Value})
	}
}

// attrPrefix finds or declares a prefix for an attribute's namespace.
func (w *writer) attrPrefix(e *etree.Element, a Attr) string {
	if prefix, ok := w.prefixOf(a.Name.Space); ok && prefix != "" {
		w.used[a.Name.Space] = true
		return prefix
	}
	for try := 0; ; try++ {
		prefix := a.Prefix
		if prefix == "" || prefix == "xml" || reserved(prefix) || try > 0 {
			prefix = "ns" + strconv.Itoa(try)
		}
		declared := e.SelectAttr("xmlns:" + prefix)
		if declared == nil {
			e.Attr = append(e.Attr, declaration(prefix, a.Name.Space))
			return prefix
		}
		if declared.Value == a.Name.Space {
			return prefix
		}
	}
}

// reserved tells the prefixes that the root may declare.
func reserved(prefix string) bool {
	switch prefix {
	case "dm", "rpid", "caps", "sc", "src":
		return true
	}
	return false
}

// extension makes a kept element part of the document again, without the
// declarations that the root makes anyway.
func (w *writer) extension(x Element) *etree.Element {
	e := x.root.Copy()
	declared := e.Attr
	e.Attr = nil
	for _, a := range declared {
		if isDeclaration(a) {
			prefix, ok := w.prefixOf(a.Value)
			if ok && (a.Space == "" && prefix == "" || a.Space == "xmlns" && a.Key == prefix && prefix != "") {
				if prefix != "" {
					w.used[a.Value] = true
				}
				continue
			}
		}
		e.Attr = append(e.Attr, a)
	}
	if w.dialect == Draft {
		w.respell(e)
	}
	return e
}

// respell puts the dialect's namespaces into the declarations of a subtree.
func (w *writer) respell(e *etree.Element) {
	for i, a := range e.Attr {
		if isDeclaration(a) {
			e.Attr[i].Value = w.dialect.space(a.Value)
		}
	}
	for c := range e.ChildElementsSeq() {
		w.respell(c)
	}
}

// item is a child that waits for its place.
type item struct {
	name Name
	e    *etree.Element
}

// arrange puts items into the order in which children of their names were
// read; those that were not come last, in the order given.
func arrange(items []item, order []Name) []item {
	if len(order) == 0 || len(items) < 2 {
		return items
	}
	waiting := map[Name][]int{}
	for i, it := range items {
		waiting[it.name] = append(waiting[it.name], i)
	}
	out := make([]item, 0, len(items))
	placed := make([]bool, len(items))
	for _, name := range order {
		if queue := waiting[name]; len(queue) > 0 {
			out = append(out, items[queue[0]])
			placed[queue[0]] = true
			waiting[name] = queue[1:]
		}
	}
	for i, it := range items {
		if !placed[i] {
			out = append(out, it)
		}
	}
	return out
}

// add appends children on lines of their own, depth levels from the root.
func add(parent *etree.Element, depth int, children ...*etree.Element) {
	for _, c := range children {
		parent.CreateText(indent(depth))
		parent.AddChild(c)
	}
}

// close puts the end tag on a line of its own, if there are children.
func closeTag(parent *etree.Element, depth int) *etree.Element {
	if len(parent.Child) > 0 {
		parent.CreateText(indent(depth))
	}
	return parent
}

func indent(depth int) string {
	const line = "\n            "
	return line[:min(1+2*depth, len(line))]
}

// attrsOf finds the attributes remembered for a child.
func (r rest) attrsOf(name Name, n int) []Attr {
	for _, l := range r.leafs {
		if l.name == name && l.n == n {
			return l.attrs
		}
	}
	return nil
}

func plainAttr(e *etree.Element, key, value string) {
	if value != "" {
		e.Attr = append(e.Attr, etree.Attr{Key: key, Value: value})
	}
}
