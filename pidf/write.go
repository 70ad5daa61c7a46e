package pidf

import (
	"bytes"

	"github.com/beevik/etree"
)

// Write spells a document in a dialect, as UTF-8 with an XML declaration,
// indented. Characters that XML cannot carry become U+FFFD.
func Write(d Document, dialect Dialect) []byte {
	w := &writer{dialect: dialect, used: map[string]bool{}, tag: true}
	w.b.Grow(2 << 10)
	w.document(d)
	root := declared + "<presence" + w.declarations()
	out := make([]byte, 0, len(root)+w.b.Len()+1)
	out = append(out, root...)
	out = append(out, w.b.Bytes()...)
	return append(out, '\n')
}

const declared = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// writer writes one document behind the declarations of its root, which are known
// last.
type writer struct {
	dialect Dialect
	used    map[string]bool // namespaces to declare at the root
	b       bytes.Buffer
	tag     bool   // a start tag is open: attributes may follow
	here    []Attr // what it declares
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

// declarations are the root's.
func (w *writer) declarations() string {
	out := ` xmlns="` + NSPIDF + `"`
	for _, space := range []string{NSDM, NSRPID, NSCaps, NSSource} {
		if w.used[space] {
			prefix, _ := w.prefixOf(space)
			out += " xmlns:" + prefix + `="` + w.dialect.space(space) + `"`
		}
	}
	return out
}

// reserved tells the prefixes that the root may declare.
func reserved(prefix string) bool {
	switch prefix {
	case "dm", "rpid", "caps", "sc", "src":
		return true
	}
	return false
}

// extension writes a kept element, without the declarations that the root makes
// anyway.
func (w *writer) extension(depth int, x Element) {
	w.line(depth)
	w.kept(x.root, true)
}

func (w *writer) kept(e *etree.Element, outermost bool) {
	w.open(e.Space, e.Tag)
	for _, a := range e.Attr {
		if isDeclaration(a) {
			if outermost && w.rootDeclares(a) {
				continue
			}
			a.Value = w.dialect.space(a.Value)
		}
		w.attr(a.Space, a.Key, a.Value)
	}
	for _, c := range e.Child {
		switch c := c.(type) {
		case *etree.Element:
			w.inside()
			w.kept(c, false)
		case *etree.CharData:
			w.text(c.Data)
		}
	}
	w.shut(e.Space, e.Tag)
}

// rootDeclares says that the root makes the same declaration, and has it do so.
func (w *writer) rootDeclares(a etree.Attr) bool {
	prefix, ok := w.prefixOf(a.Value)
	if !ok || prefix == "" && a.Space != "" || prefix != "" && (a.Space != "xmlns" || a.Key != prefix) {
		return false
	}
	if prefix != "" {
		w.used[a.Value] = true
	}
	return true
}

// item is a child that waits for its place.
type item struct {
	name  Name
	write func()
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

// attrsOf finds the attributes remembered for a child.
func (r rest) attrsOf(name Name, n int) []Attr {
	for _, l := range r.leafs {
		if l.name == name && l.n == n {
			return l.attrs
		}
	}
	return nil
}
