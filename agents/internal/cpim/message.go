package cpim

import "strings"

const (
	// Type is the content type of a message.
	Type = "message/cpim"
	// Space is the namespace of the RFC's own headers: From, To, cc, DateTime,
	// Subject, NS, Require.
	Space = "urn:ietf:params:cpim-headers:"
)

// Message is a message in its envelope.
type Message struct {
	Headers []Header // in order, NS among them
	Content Content
}

// Header is one line of the envelope.
type Header struct {
	Prefix string // before the dot; empty: none
	Name   string
	Params []Param
	Value  string // as it is written
}

// Param is a parameter of a header, such as lang.
type Param struct {
	Name, Value string // Value as it is written, with the quotes of a string
}

// Text is what the header says, its escapes undone (section 2.3).
func (h Header) Text() string { return Unescape(h.Value) }

// Lang is the language of what the header says; empty: not said (section 3.3).
func (h Header) Lang() string {
	for _, p := range h.Params {
		if p.Name == "lang" {
			return p.Value
		}
	}
	return ""
}

// Content is the encapsulated MIME object.
type Content struct {
	Fields []Field // in order, Content-Type among them
	Body   []byte  // as it is transferred; Decoded undoes an encoding
}

// Field is a MIME header field, unfolded.
type Field struct{ Name, Value string }

// Get is the first field of that name, in any case; empty: there is none.
func (c Content) Get(name string) string {
	for _, f := range c.Fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Add puts a header at the end; value is as it is written: Escape and
// Address.String give such. A prefix must have been declared by an NS header.
func (m *Message) Add(prefix, name, value string) {
	m.Headers = append(m.Headers, Header{Prefix: prefix, Name: name, Value: value})
}

// Get is the first header of that name in a namespace.
func (m *Message) Get(space, name string) (h Header, ok bool) {
	for h := range m.All(space, name) {
		return h, true
	}
	return Header{}, false
}

// All are the headers of that name in a namespace, by what the NS headers before
// each of them declare (section 3.4). The names are compared as they are written.
func (m *Message) All(space, name string) func(yield func(Header) bool) {
	return func(yield func(Header) bool) {
		in := scope{"": Space}
		for _, h := range m.Headers {
			if h.Name == name && in.of(h.Prefix) == space && !yield(h) {
				return
			}
			in.learn(h)
		}
	}
}

// Required are the headers and features that a reader must know (section 3.5),
// each as its namespace followed by its name.
func (m *Message) Required() (all []string) {
	in := scope{"": Space}
	for _, h := range m.Headers {
		if h.Name == "Require" && in.of(h.Prefix) == Space {
			for _, name := range strings.Split(h.Text(), ",") {
				prefix, local, ok := strings.Cut(strings.TrimSpace(name), ".")
				if !ok {
					prefix, local = "", prefix
				}
				all = append(all, in.of(prefix)+local)
			}
		}
		in.learn(h)
	}
	return all
}

// scope is what prefixes mean at one header.
type scope map[string]string

// of is a prefix's namespace; one that was not declared is in none that anybody
// asks for.
func (s scope) of(prefix string) string {
	if space, ok := s[prefix]; ok {
		return space
	}
	return "undeclared " + prefix
}

// learn takes what an NS header declares (section 4.6).
func (s scope) learn(h Header) {
	if h.Name != "NS" || s.of(h.Prefix) != Space {
		return
	}
	if a, err := ParseAddress(h.Value); err == nil {
		s[a.Name] = a.URI
	}
}
