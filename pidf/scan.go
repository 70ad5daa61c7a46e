package pidf

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// node is one element as it was read: names resolved, line known. It lives for
// the length of one Parse.
type node struct {
	name     Name
	prefix   string
	attrs    []Attr
	decls    []binding // namespace declarations made here
	outer    *node
	children []any // *node or string, in order
	line     int
}

// binding is one namespace declaration; an empty prefix is the default one.
type binding struct {
	prefix, space string
	old           bool // space was spelled as before RFC 5196
}

// lookup finds the namespace that a prefix has at a node.
func (n *node) lookup(prefix string) (string, bool) {
	if b, ok := n.declared(prefix); ok {
		return b.space, true
	}
	switch prefix {
	case "":
		return "", true
	case "xml":
		return nsXML, true
	case "sc":
		// The draft (see Draft) declares sc in the first tuple and uses it in
		// the second as well.
		return NSCaps, true
	}
	return "", false
}

// declared finds the declaration of a prefix at a node or around it.
func (n *node) declared(prefix string) (binding, bool) {
	for ; n != nil; n = n.outer {
		for _, b := range n.decls {
			if b.prefix == prefix {
				return b, true
			}
		}
	}
	return binding{}, false
}

// path names the node by the local names from the root down.
func (n *node) path() string {
	if n == nil {
		return ""
	}
	if n.outer == nil {
		return n.name.Local
	}
	return n.outer.path() + "/" + n.name.Local
}

// scanner reads one document in one pass and refuses at the first thing that
// may not be there. The checks stand here, and not in etree's reader, because
// that one gives no line and accepts several roots, unknown prefixes and
// document types.
type scanner struct {
	data     []byte
	dec      *xml.Decoder
	limits   Limits
	elements int
	depth    int
	line     int    // of the token at hand
	text     []byte // of the element that is open, up to its next child
}

func scan(data []byte, limits Limits) (*node, error) {
	if len(data) > limits.Bytes {
		return nil, &ParseError{What: plural(len(data), "byte"), Expected: "at most " + plural(limits.Bytes, "byte"), Err: ErrTooLarge}
	}
	if err := checkChars(data); err != nil {
		return nil, err
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	data = repairDeclaration(data)
	s := &scanner{data: data, dec: xml.NewDecoder(bytes.NewReader(data)), limits: limits}
	// The only encoding is UTF-8, checked by declaration().
	s.dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	return s.document()
}

// document reads everything: one root, and around it nothing but white space,
// comments and processing instructions.
func (s *scanner) document() (*node, error) {
	var root, at *node
	first := true // nothing but white space so far
	for {
		s.line, _ = s.dec.InputPos()
		from := s.dec.InputOffset()
		tok, err := s.dec.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, s.syntax(at, err)
		}
		text, isText := tok.(xml.CharData)
		blank := isText && !bytes.ContainsFunc(text, func(r rune) bool { return !isSpace(r) })
		switch tok := tok.(type) {
		case xml.StartElement:
			if at == nil && root != nil {
				return nil, s.fail(nil, "a second root element "+quote(tok.Name.Local), "the end of the document")
			}
			n, err := s.start(at, tok)
			if err != nil {
				return nil, err
			}
			if glued(s.data[from:s.dec.InputOffset()]) {
				return nil, s.fail(n, "attributes without white space between them", "white space")
			}
			if at == nil {
				root = n
			} else {
				s.endText(at)
				at.children = append(at.children, n)
			}
			at = n
		case xml.EndElement:
			if at == nil || tok.Name.Space != at.prefix || tok.Name.Local != at.name.Local {
				return nil, s.fail(at, "an end tag "+quote(rawName(tok.Name)), "the end of the element that is open")
			}
			s.endText(at)
			at = at.outer
			s.depth--
		case xml.CharData:
			switch {
			case at != nil:
				s.text = append(s.text, tok...)
			case !blank:
				start := bytes.IndexFunc(tok, func(r rune) bool { return !isSpace(r) })
				s.line += bytes.Count(tok[:start], []byte("\n"))
				return nil, s.fail(nil, "text outside the root element: "+quote(trim(string(tok))), "")
			}
		case xml.ProcInst:
			after := s.data[from+int64(len("<?"+tok.Target)):]
			if !isSpace(rune(after[0])) && !bytes.HasPrefix(after, []byte("?>")) || strings.Contains(tok.Target, ":") {
				return nil, s.fail(at, "the processing instruction "+quote(tok.Target), "a name, then white space")
			}
			if strings.EqualFold(tok.Target, "xml") {
				if !first {
					return nil, s.fail(at, "an XML declaration", "one at the start of the document only")
				}
				if err := s.declaration(string(tok.Inst)); err != nil {
					return nil, err
				}
			}
		case xml.Directive:
			return nil, s.fail(at, "a document type or other directive", "none: presence documents have no DTD")
		}
		first = first && blank
	}
	if at != nil {
		return nil, s.fail(at, "the document ends", "the end tag of "+at.name.Local)
	}
	if root == nil {
		return nil, s.fail(nil, "no element at all", "presence")
	}
	return root, nil
}

// start makes the node of a start tag: counts, declarations, names.
func (s *scanner) start(outer *node, tok xml.StartElement) (*node, error) {
	s.elements++
	s.depth++
	n := &node{outer: outer, line: s.line, prefix: tok.Name.Space, name: Name{Local: tok.Name.Local}}
	switch {
	case s.depth > s.limits.Depth:
		return nil, s.tooMany(outer, "elements nested deeper than "+plural(s.limits.Depth, "level"))
	case s.elements > s.limits.Elements:
		return nil, s.tooMany(outer, "more than "+plural(s.limits.Elements, "element"))
	case len(tok.Attr) > s.limits.Attributes:
		return nil, s.tooMany(n, "more than "+plural(s.limits.Attributes, "attribute"))
	}
	for _, a := range tok.Attr {
		if a.Name.Space != "xmlns" && rawName(a.Name) != "xmlns" {
			continue
		}
		b := binding{a.Name.Local, normalSpace(a.Value), a.Value == nsServcaps}
		if a.Name.Space == "" {
			b.prefix = ""
		}
		if b.prefix != "" && strings.IndexByte("-.0123456789", b.prefix[0]) >= 0 {
			return nil, s.fail(n, "the namespace prefix "+quote(b.prefix), "a name")
		}
		if err := s.declare(n, b); err != nil {
			return nil, err
		}
	}
	var err error
	if most := len(tok.Attr) - len(n.decls); most > 0 {
		n.attrs = make([]Attr, 0, most)
	}
	if n.name.Space, err = s.resolve(n, tok.Name, true); err != nil {
		return nil, err
	}
	for _, a := range tok.Attr {
		if a.Name.Space == "xmlns" || rawName(a.Name) == "xmlns" {
			continue
		}
		space, err := s.resolve(n, a.Name, false)
		if err != nil {
			return nil, err
		}
		name := Name{space, a.Name.Local}
		for _, seen := range n.attrs {
			if seen.Name == name {
				return nil, s.fail(n, "attribute "+quote(rawName(a.Name))+" twice", "each attribute once")
			}
		}
		n.attrs = append(n.attrs, Attr{Name: name, Prefix: a.Name.Space, Value: a.Value})
	}
	return n, nil
}

// declare adds a namespace declaration to n (Namespaces in XML sections 2, 3).
func (s *scanner) declare(n *node, b binding) error {
	for _, d := range n.decls {
		if d.prefix == b.prefix {
			return s.fail(n, "the namespace prefix "+quote(b.prefix)+" declared twice", "each once")
		}
	}
	switch {
	case b.prefix == "xmlns", b.space == nsXMLNS, (b.prefix == "xml") != (b.space == nsXML):
		return s.fail(n, "a declaration of the reserved prefix or namespace "+quote(b.prefix), "")
	case b.prefix != "" && b.space == "":
		return s.fail(n, "the namespace prefix "+quote(b.prefix)+" declared as nothing", "a namespace name")
	}
	n.decls = append(n.decls, b)
	return nil
}

// resolve gives a raw name its namespace. Attributes do not take the default
// namespace.
func (s *scanner) resolve(n *node, raw xml.Name, element bool) (string, error) {
	if strings.Contains(raw.Local, ":") || raw.Space == "xmlns" || strings.IndexByte("-.0123456789", raw.Local[0]) >= 0 {
		return "", s.fail(n, "the name "+quote(rawName(raw)), "a name, or two with a colon between them")
	}
	if raw.Space == "" && !element {
		return "", nil
	}
	space, ok := n.lookup(raw.Space)
	if !ok {
		return "", s.fail(n, "the namespace prefix "+quote(raw.Space)+" without a declaration", "xmlns:"+raw.Space+" on this element or around it")
	}
	return space, nil
}

// declaration checks the XML declaration: version, encoding, standalone.
func (s *scanner) declaration(inst string) error {
	values, ok := pseudoAttrs(inst, "version", "encoding", "standalone")
	switch {
	case !ok || values[0] == "":
		return s.fail(nil, "the XML declaration "+quote(inst), `version="1.0" encoding="UTF-8"`)
	case values[0] != "1.0":
		return s.fail(nil, "XML version "+quote(values[0]), "1.0")
	case strings.EqualFold(values[1], "US-ASCII") && !bytes.ContainsFunc(s.data, func(r rune) bool { return r > 0x7f }):
		// UTF-8 as well
	case values[1] != "" && !strings.EqualFold(values[1], "UTF-8"):
		return s.fail(nil, "encoding "+quote(values[1]), "UTF-8")
	}
	return nil
}

func (s *scanner) fail(at *node, what, expected string) *ParseError {
	return &ParseError{Line: s.line, Element: at.path(), What: what, Expected: expected}
}

func (s *scanner) tooMany(at *node, what string) *ParseError {
	e := s.fail(at, what, "")
	e.Err = ErrTooLarge
	return e
}

// syntax turns the decoder's error into ours.
func (s *scanner) syntax(at *node, err error) *ParseError {
	e := s.fail(at, err.Error(), "well-formed XML")
	if syn, ok := errors.AsType[*xml.SyntaxError](err); ok {
		e.Line, e.What = syn.Line, syn.Msg
	}
	return e
}

// endText gives an element the text up to here: what only comments or CDATA
// boundaries divide is one.
func (s *scanner) endText(n *node) {
	if len(s.text) > 0 {
		n.children = append(n.children, string(s.text))
		s.text = s.text[:0]
	}
}

func rawName(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}
