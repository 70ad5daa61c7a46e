package pidf

import (
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// Element is an element that the package keeps without understanding it, with
// everything inside it and every namespace declaration that it needs. The zero
// Element is none. Comments and processing instructions are not kept.
type Element struct {
	// root is never changed once it is here, so that Elements may be shared.
	// Its declarations are complete: it can be moved anywhere.
	root *etree.Element
}

// IsZero tells whether there is no element.
func (e Element) IsZero() bool { return e.root == nil }

// Name is the element's expanded name.
func (e Element) Name() Name {
	if e.root == nil {
		return Name{}
	}
	return Name{spaceOf(e.root, e.root.Space), e.root.Tag}
}

// Text is the character data directly inside the element.
func (e Element) Text() string {
	if e.root == nil {
		return ""
	}
	var b strings.Builder
	for _, c := range e.root.Child {
		if t, ok := c.(*etree.CharData); ok {
			b.WriteString(t.Data)
		}
	}
	return b.String()
}

// Attr returns the value of an attribute, empty where there is none.
func (e Element) Attr(name Name) string {
	if e.root == nil {
		return ""
	}
	for _, a := range e.root.Attr {
		if !isDeclaration(a) && attrName(e.root, a) == name {
			return a.Value
		}
	}
	return ""
}

// Children are the elements directly inside the element, each complete by
// itself.
func (e Element) Children() []Element {
	if e.root == nil {
		return nil
	}
	var list []Element
	for _, c := range e.root.ChildElements() {
		child := c.Copy()
		for _, a := range e.root.Attr {
			if isDeclaration(a) && child.SelectAttr(a.FullKey()) == nil {
				child.Attr = append(child.Attr, a)
			}
		}
		list = append(list, Element{child})
	}
	return list
}

// XML is the element alone, with its declarations.
func (e Element) XML() string {
	if e.root == nil {
		return ""
	}
	w := &writer{}
	w.kept(e.root, false)
	return w.b.String()
}

// keep turns a node into an Element that stands alone. etree's Copy would lose
// the declarations around it.
func keep(n *node) Element {
	root := convert(n)
	var inherited []etree.Attr
	for _, p := range usedPrefixes(n) {
		if declares(n, p) {
			continue
		}
		if space, ok := n.lookup(p); ok && (space != "" || p == "") {
			inherited = append(inherited, declaration(p, space))
		}
	}
	root.Attr = append(inherited, root.Attr...)
	return Element{root}
}

// convert makes the etree form of a node: declarations, attributes, children.
func convert(n *node) *etree.Element {
	e := etree.NewElement("x")
	e.Space, e.Tag = n.prefix, n.name.Local
	for _, b := range n.decls {
		e.Attr = append(e.Attr, declaration(b.prefix, b.space))
	}
	for _, a := range n.attrs {
		e.Attr = append(e.Attr, etree.Attr{Space: a.Prefix, Key: a.Name.Local, Value: a.Value})
	}
	for _, c := range n.children {
		switch c := c.(type) {
		case *node:
			e.AddChild(convert(c))
		case string:
			e.CreateText(c)
		}
	}
	return e
}

// usedPrefixes lists, sorted, the prefixes that a subtree may depend on: those
// of its names, those that stand before a colon in its values (a qualified
// name in content cannot be told from other text, so what looks like one
// counts), and always the default.
func usedPrefixes(n *node) []string {
	used := map[string]bool{"": true}
	var walk func(*node)
	walk = func(n *node) {
		used[n.prefix] = true
		for _, a := range n.attrs {
			used[a.Prefix] = true
			prefixesIn(a.Value, used)
		}
		for _, c := range n.children {
			switch c := c.(type) {
			case *node:
				walk(c)
			case string:
				prefixesIn(c, used)
			}
		}
	}
	walk(n)
	delete(used, "xml")
	list := make([]string, 0, len(used))
	for p := range used {
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}

// prefixesIn adds every word that a colon follows.
func prefixesIn(text string, used map[string]bool) {
	for {
		i := strings.IndexByte(text, ':')
		if i < 0 {
			return
		}
		word := text[:i]
		if cut := strings.LastIndexAny(word, " \t\r\n\"'(),;/|"); cut >= 0 {
			word = word[cut+1:]
		}
		if word != "" {
			used[word] = true
		}
		text = text[i+1:]
	}
}

func declares(n *node, prefix string) bool {
	return slices.ContainsFunc(n.decls, func(b binding) bool { return b.prefix == prefix })
}

func declaration(prefix, space string) etree.Attr {
	if prefix == "" {
		return etree.Attr{Key: "xmlns", Value: space}
	}
	return etree.Attr{Space: "xmlns", Key: prefix, Value: space}
}

func isDeclaration(a etree.Attr) bool {
	return a.Space == "xmlns" || (a.Space == "" && a.Key == "xmlns")
}

// spaceOf finds what a prefix means at an element of a kept subtree.
func spaceOf(e *etree.Element, prefix string) string {
	if prefix == "xml" {
		return nsXML
	}
	for ; e != nil; e = e.Parent() {
		for _, a := range e.Attr {
			if isDeclaration(a) && (a.Space == "xmlns" && a.Key == prefix || a.Space == "" && prefix == "") {
				return a.Value
			}
		}
	}
	return ""
}

func attrName(e *etree.Element, a etree.Attr) Name {
	if a.Space == "" {
		return Name{Local: a.Key}
	}
	return Name{spaceOf(e, a.Space), a.Key}
}
