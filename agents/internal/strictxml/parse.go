package strictxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits of a document.
type Limits struct {
	Bytes      int // of the whole, looked at before anything is read
	Depth      int // of nested elements, the root being 1
	Elements   int
	Attributes int // of one element, declarations included
}

// Small are the limits of a status or notification.
var Small = Limits{Bytes: 16 << 10, Depth: 16, Elements: 256, Attributes: 32}

// Error says what is wrong with a document, and in which line.
type Error struct {
	Line int // from 1; 0: the document as a whole
	What string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return "XML: " + e.What
	}
	return fmt.Sprintf("XML, line %d: %s", e.Line, e.What)
}

// Parse reads a document and gives its root. Errors are *Error.
func Parse(doc []byte, limits Limits) (*Element, error) {
	switch {
	case len(doc) > limits.Bytes:
		return nil, &Error{What: fmt.Sprintf("%d bytes, at most %d are read", len(doc), limits.Bytes)}
	case !utf8.Valid(doc):
		return nil, &Error{What: "it is not UTF-8"}
	}
	doc = bytes.TrimPrefix(doc, []byte("\xef\xbb\xbf"))
	r := &reader{limits: limits, dec: xml.NewDecoder(bytes.NewReader(doc))}
	for {
		r.line, _ = r.dec.InputPos()
		begin := r.dec.InputOffset()
		tok, err := r.dec.RawToken()
		if errors.Is(err, io.EOF) {
			return r.end()
		}
		if err == nil {
			err = r.take(tok, begin)
		}
		var syntax *xml.SyntaxError
		switch {
		case errors.As(err, &syntax):
			return nil, &Error{Line: syntax.Line, What: syntax.Msg}
		case err != nil:
			return nil, &Error{Line: r.line, What: err.Error()}
		}
	}
}

type reader struct {
	limits   Limits
	dec      *xml.Decoder
	root, at *Element
	line     int
	depth    int
	elements int
}

func (r *reader) end() (*Element, error) {
	switch {
	case r.at != nil:
		return nil, &Error{Line: r.line, What: fmt.Sprintf("it ends within %.40q", r.at.Local)}
	case r.root == nil:
		return nil, &Error{Line: r.line, What: "there is no element"}
	}
	return r.root, nil
}

// take takes what stands at an offset.
func (r *reader) take(tok xml.Token, begin int64) error {
	switch tok := tok.(type) {
	case xml.StartElement:
		return r.open(tok)
	case xml.EndElement:
		if r.at == nil || r.at.raw != tok.Name {
			return fmt.Errorf("an end tag %.40q that ends nothing", tok.Name.Local)
		}
		r.at.Text, r.at.text = string(r.at.text), nil
		r.at = r.at.outer
		r.depth--
	case xml.CharData:
		if r.at != nil {
			r.at.text = append(r.at.text, tok...)
		} else if len(bytes.Trim(tok, " \t\r\n")) > 0 {
			return errors.New("text outside the root")
		}
	case xml.ProcInst:
		if strings.EqualFold(tok.Target, "xml") && begin > 0 {
			return errors.New("an XML declaration that is not at the beginning")
		}
	case xml.Directive:
		return errors.New("a document type or the like")
	}
	return nil
}

// open begins an element.
func (r *reader) open(tok xml.StartElement) error {
	e := &Element{Local: tok.Name.Local, raw: tok.Name, outer: r.at}
	r.elements++
	r.depth++
	switch {
	case r.at == nil && r.root != nil:
		return errors.New("a second root")
	case r.depth > r.limits.Depth:
		return fmt.Errorf("nested deeper than %d", r.limits.Depth)
	case r.elements > r.limits.Elements:
		return fmt.Errorf("more than %d elements", r.limits.Elements)
	case len(tok.Attr) > r.limits.Attributes:
		return fmt.Errorf("more than %d attributes", r.limits.Attributes)
	}
	if err := e.declare(tok.Attr); err != nil {
		return err
	}
	var err error
	if e.Space, err = e.resolve(tok.Name); err != nil {
		return err
	}
	if err := e.attributes(tok.Attr); err != nil {
		return err
	}
	if r.at == nil {
		r.root = e
	} else {
		r.at.Children = append(r.at.Children, e)
	}
	r.at = e
	return nil
}

func isDeclaration(a xml.Attr) bool {
	return a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns"
}

// declare takes an element's namespace declarations (Namespaces in XML 1.0
// sections 2 and 3).
func (e *Element) declare(attrs []xml.Attr) error {
	for _, a := range attrs {
		if !isDeclaration(a) {
			continue
		}
		prefix := ""
		if a.Name.Space != "" {
			prefix = a.Name.Local
		}
		_, twice := e.decls[prefix]
		switch {
		case twice:
			return fmt.Errorf("the prefix %.40q declared twice", prefix)
		case prefix == "xmlns", (prefix == "xml") != (a.Value == SpaceXML), prefix != "" && a.Value == "":
			return fmt.Errorf("the prefix %.40q declared as %.40q", prefix, a.Value)
		}
		if e.decls == nil {
			e.decls = map[string]string{}
		}
		e.decls[prefix] = a.Value
	}
	return nil
}

func (e *Element) resolve(name xml.Name) (space string, err error) {
	space, ok := e.lookup(name.Space)
	switch {
	case strings.Contains(name.Local, ":"):
		return "", fmt.Errorf("the name %.40q", name.Local)
	case !ok:
		return "", fmt.Errorf("the prefix %.40q is not declared", name.Space)
	}
	return space, nil
}

// attributes takes an element's attributes; the default namespace is not
// theirs.
func (e *Element) attributes(attrs []xml.Attr) error {
	for _, a := range attrs {
		if isDeclaration(a) {
			continue
		}
		name := xml.Name{Local: a.Name.Local}
		if space, err := e.resolve(a.Name); err != nil {
			return err
		} else if a.Name.Space != "" {
			name.Space = space
		}
		for _, other := range e.Attrs {
			if other.Name == name {
				return fmt.Errorf("the attribute %.40q twice", a.Name.Local)
			}
		}
		e.Attrs = append(e.Attrs, xml.Attr{Name: name, Value: a.Value})
	}
	return nil
}
