package pidf

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Finding is one way in which a document that Parse takes is not what the
// schemas of the RFCs ask for.
type Finding struct {
	Line     int    `json:"line,omitempty"`    // counted from 1
	Element  string `json:"element,omitempty"` // path, "presence/tuple/status"
	What     string `json:"what"`              // what stands there
	Expected string `json:"expected"`          // what should
}

func (f Finding) String() string {
	return fmt.Sprintf("line %d, in %s: %s (expected %s)", f.Line, f.Element, f.What, f.Expected)
}

// Validate holds a document against the schemas of RFC 3863, 4479, 4480, 4481,
// 4482 and 5196: elements and their order, attributes, values, ids that occur
// once. Beyond the schemas it finds elements that those namespaces do not have
// and what the call-flows draft writes where the RFCs ask for something else.
// It does not look into the elements of other namespaces, nor into URIs. The
// error is Parse's.
func Validate(data []byte, limits Limits) ([]Finding, error) {
	root, err := scan(data, limits.withDefaults())
	if err == nil {
		_, err = Parse(data, limits)
	}
	if err != nil {
		return nil, err
	}
	v := &validator{ids: map[string]int{}}
	if !bytes.Equal(repairDeclaration(data), data) {
		v.findings = append(v.findings, Finding{1, "presence", "an XML declaration without one of its question marks", `<?xml version="1.0" encoding="UTF-8"?>`})
	}
	v.lax(root)
	slices.SortStableFunc(v.findings, func(a, b Finding) int { return a.Line - b.Line })
	return v.findings, nil
}

type validator struct {
	findings []Finding
	ids      map[string]int // line of each
}

func (v *validator) find(n *node, expected, what string, args ...any) {
	v.findings = append(v.findings, Finding{n.line, n.path(), fmt.Sprintf(what, args...), expected})
}

// lax is what the schemas do where any element may stand: one that they know is
// held against its type, around others the search goes on.
func (v *validator) lax(n *node) {
	v.draft(n)
	if s, ok := globals[n.name]; ok {
		v.check(n, s)
		return
	}
	if known, ok := namespaces[n.name.Space]; ok {
		v.find(n, "an element of "+known+", or one of another namespace", "%s, which %s does not have here", n.name.Local, known)
	}
	if lang := slices.IndexFunc(n.attrs, func(a Attr) bool { return a.Name == Name{nsXML, "lang"} }); lang >= 0 {
		v.value(n, "attribute xml:lang", "language", n.attrs[lang].Value)
	}
	for c := range n.elements() {
		v.lax(c)
	}
}

// draft finds what Parse reads for the call-flows draft's sake.
func (v *validator) draft(n *node) {
	for _, b := range n.decls {
		if b.old {
			v.find(n, NSCaps+" (RFC 5196)", "the capabilities' namespace before RFC 5196, %s", nsServcaps)
		}
	}
	if n.undeclared() && !n.outer.undeclared() {
		v.find(n, "xmlns:sc on this element or around it", "the namespace prefix sc without a declaration")
	}
}

// undeclared tells an element whose prefix the draft declares elsewhere.
func (n *node) undeclared() bool {
	if n == nil || n.prefix != "sc" {
		return false
	}
	_, ok := n.declared(n.prefix)
	return !ok
}

// check holds an element against its type.
func (v *validator) check(n *node, s *shape) {
	v.attributes(n, s)
	if s.text != "" {
		text, _ := n.text()
		v.value(n, n.name.Local, s.text, text)
		for c := range n.elements() {
			v.find(c, "text only in "+n.name.Local, "the element %s", c.name.Local)
		}
		return
	}
	for _, c := range n.children {
		if text, ok := c.(string); ok && trim(text) != "" {
			v.find(n, s.expects(), "the text %s", quote(trim(text)))
		}
	}
	v.sequence(n, s)
}

func (v *validator) attributes(n *node, s *shape) {
	for _, a := range n.attrs {
		kind, ok := s.attrs[a.Name.Local]
		switch {
		case a.Name.Space == "" && ok:
			v.value(n, "attribute "+a.Name.Local, kind, a.Value)
		case (s.anyAttr || s.lang) && a.Name == Name{nsXML, "lang"}:
			v.value(n, "attribute xml:lang", "language", a.Value)
		case s.anyAttr || a.Name.Space == nsXSI:
		default:
			v.find(n, "no such attribute ("+s.source+")", "the attribute %s", rawAttr(a))
		}
	}
	for _, need := range s.needs {
		if !slices.ContainsFunc(n.attrs, func(a Attr) bool { return a.Name == Name{"", need} }) {
			v.find(n, "the attribute "+need+" ("+s.source+")", "no attribute %s", need)
		}
	}
}

// value holds a simple value against its type; an id has to be the first one.
func (v *validator) value(n *node, what, kind, value string) {
	if kind := simpleTypes[kind]; !kind.holds(trim(value)) {
		v.find(n, kind.expected, "%s %s", what, quote(trim(value)))
		return
	}
	if kind != "ID" {
		return
	}
	id := trim(value)
	if line, again := v.ids[id]; again {
		v.find(n, "an id of its own for each element", "the id %s, which line %d has as well", quote(id), line)
		return
	}
	v.ids[id] = n.line
}

// sequence holds the children against the parts of a type, in order.
func (v *validator) sequence(n *node, s *shape) {
	counts := make([]int, len(s.parts))
	at, last := 0, ""
	alone := make([]string, len(s.parts)) // what wants to be alone in its part
	for c := range n.elements() {
		i := s.partOf(n, c, at)
		if i < 0 {
			v.find(c, s.expects(), "the element %s", c.name.Local)
			v.inside(c, s)
			continue
		}
		part := s.parts[i]
		counts[i]++
		single := c.name.Space == n.name.Space && slices.Contains(part.alone, c.name.Local)
		switch {
		case i < at:
			v.find(c, s.expects(), "the element %s after %s", c.name.Local, last)
		case part.max > 0 && counts[i] > part.max:
			v.find(c, "one at most", "%s number %d", c.name.Local, counts[i])
		case counts[i] > 1 && (single || alone[i] != ""):
			v.find(c, s.expects(), "the element %s beside another", c.name.Local)
		}
		if single {
			alone[i] = c.name.Local
		}
		if i >= at {
			at, last = i, c.name.Local
		}
		v.inside(c, s)
	}
	for i, part := range s.parts {
		if counts[i] < part.min {
			v.find(n, s.expects(), "no %s", part.label(s))
		}
	}
}

// inside goes on with a child.
func (v *validator) inside(c *node, s *shape) {
	if c.name.Space != c.outer.name.Space {
		v.lax(c)
		return
	}
	if s.names(c.name.Local) {
		v.draft(c)
		v.check(c, s.typeOf(c.name.Local))
	}
}

// typeOf is the type of a child of the element's own namespace.
func (s *shape) typeOf(local string) *shape {
	if s.each != nil {
		return s.each
	}
	return typeOf(cmp.Or(s.kinds[local], s.of))
}

func rawAttr(a Attr) string {
	if a.Prefix == "" {
		return a.Name.Local
	}
	return a.Prefix + ":" + a.Name.Local
}

// partOf finds the part of the sequence that a child belongs to: the first from
// at on, else an earlier one, else -1.
func (s *shape) partOf(n, c *node, at int) int {
	found := -1
	for i, p := range s.parts {
		own := c.name.Space == n.name.Space && (slices.Contains(p.names, c.name.Local) || slices.Contains(p.alone, c.name.Local))
		foreign := p.foreign && c.name.Space != n.name.Space && c.name.Space != ""
		if own || foreign {
			if i >= at {
				return i
			}
			found = i
		}
	}
	return found
}

// names tells whether the type has a child of its own namespace so called.
func (s *shape) names(local string) bool {
	return slices.ContainsFunc(s.parts, func(p part) bool {
		return slices.Contains(p.names, local) || slices.Contains(p.alone, local)
	})
}

// expects says in words what stands in an element, in its order.
func (s *shape) expects() string {
	if len(s.parts) == 0 {
		return "nothing inside (" + s.source + ")"
	}
	var words []string
	for _, p := range s.parts {
		words = append(words, p.label(s))
	}
	return strings.Join(words, ", then ") + " (" + s.source + ")"
}

func (p part) label(s *shape) string {
	var words []string
	switch names := slices.Concat(p.alone, p.names); {
	case len(names) > 8:
		words = append(words, s.many)
	case len(names) > 0:
		words = append(words, strings.Join(names, " or "))
	}
	if p.foreign {
		words = append(words, "elements of other namespaces")
	}
	return strings.Join(words, " or ")
}
