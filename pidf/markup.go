package pidf

import (
	"strconv"
	"unicode/utf8"
)

// start begins an element of a namespace that the writer knows, on a line of its own,
// depth levels from the root. Its attributes follow, then what is in it, then end or
// close.
func (w *writer) start(depth int, name Name) {
	w.line(depth)
	prefix, _ := w.prefixOf(name.Space)
	w.open(prefix, name.Local)
	if name.Space != NSPIDF {
		w.used[name.Space] = true
	}
}

func (w *writer) open(prefix, local string) {
	w.b.WriteByte('<')
	w.qualified(prefix, local)
	w.tag, w.here = true, w.here[:0]
}

// line begins a line inside the element that is open.
func (w *writer) line(depth int) {
	w.inside()
	w.b.WriteString(indent(depth))
}

// inside ends the start tag.
func (w *writer) inside() {
	if w.tag {
		w.b.WriteByte('>')
		w.tag = false
	}
}

// end closes an element that holds others: on a line of its own, if it does.
func (w *writer) end(depth int, name Name) {
	if !w.tag {
		w.line(depth)
	}
	w.close(name)
}

// close ends an element; one with nothing in it is a single tag.
func (w *writer) close(name Name) {
	prefix, _ := w.prefixOf(name.Space)
	w.shut(prefix, name.Local)
}

func (w *writer) shut(prefix, local string) {
	if w.tag {
		w.b.WriteString("/>")
		w.tag = false
		return
	}
	w.b.WriteString("</")
	w.qualified(prefix, local)
	w.b.WriteByte('>')
}

func (w *writer) qualified(prefix, local string) {
	if prefix != "" {
		w.b.WriteString(prefix)
		w.b.WriteByte(':')
	}
	w.b.WriteString(local)
}

// leaf writes an element that holds text.
func (w *writer) leaf(depth int, name Name, text string, attrs []Attr) {
	w.start(depth, name)
	w.attrs(attrs)
	w.text(text)
	w.close(name)
}

func (w *writer) text(s string) {
	if s != "" {
		w.inside()
		w.escape(s, false)
	}
}

// attrs writes attributes, declaring on the spot what the root does not.
func (w *writer) attrs(attrs []Attr) {
	for _, a := range attrs {
		prefix := ""
		switch {
		case a.Name.Space == nsXML:
			prefix = "xml"
		case a.Name.Space != "":
			prefix = w.attrPrefix(a)
		}
		w.attr(prefix, a.Name.Local, a.Value)
	}
}

// attrPrefix finds or declares a prefix for an attribute's namespace.
func (w *writer) attrPrefix(a Attr) string {
	if prefix, ok := w.prefixOf(a.Name.Space); ok && prefix != "" {
		w.used[a.Name.Space] = true
		return prefix
	}
	for try := 0; ; try++ {
		prefix := a.Prefix
		if prefix == "" || prefix == "xml" || reserved(prefix) || try > 0 {
			prefix = "ns" + strconv.Itoa(try)
		}
		space := attr(w.here, prefix)
		if space == "" {
			w.attr("xmlns", prefix, a.Name.Space)
			w.here = append(w.here, Attr{Name: Name{Local: prefix}, Value: a.Name.Space})
		}
		if space == "" || space == a.Name.Space {
			return prefix
		}
	}
}

// plainAttr writes an attribute without a namespace, unless it says nothing.
func (w *writer) plainAttr(key, value string) {
	if value != "" {
		w.attr("", key, value)
	}
}

func (w *writer) attr(prefix, key, value string) {
	w.b.WriteByte(' ')
	w.qualified(prefix, key)
	w.b.WriteString(`="`)
	w.escape(value, true)
	w.b.WriteByte('"')
}

// escape writes text, or an attribute's value, so that it is read as it is (Canonical
// XML section 2.3).
func (w *writer) escape(s string, attr bool) {
	from := 0
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		if as := escaped(r, attr); as != "" || r == utf8.RuneError && size == 1 {
			w.b.WriteString(s[from:i])
			if as == "" {
				as = "\uFFFD"
			}
			w.b.WriteString(as)
			from = i + size
		}
		i += size
	}
	w.b.WriteString(s[from:])
}

// escaped is what stands for a character; "" where it stands for itself.
func escaped(r rune, attr bool) string {
	switch {
	case r == '&':
		return "&amp;"
	case r == '<':
		return "&lt;"
	case r == '\r':
		return "&#xD;"
	case r == '>' && !attr:
		return "&gt;"
	case r == '"' && attr:
		return "&quot;"
	case r == '\t' && attr:
		return "&#x9;"
	case r == '\n' && attr:
		return "&#xA;"
	case !isXMLChar(r):
		return "\uFFFD"
	}
	return ""
}

func indent(depth int) string {
	const line = "\n            "
	return line[:min(1+2*depth, len(line))]
}
