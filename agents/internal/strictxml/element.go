package strictxml

import (
	"encoding/xml"
	"strings"
)

// Element is one element, its names resolved.
type Element struct {
	Space, Local string     // namespace and local name
	Attrs        []xml.Attr // without namespace declarations
	Text         string     // what stands in it directly, joined
	Children     []*Element // in order

	text  []byte // of Text, while the element is open
	outer *Element
	raw   xml.Name          // as its tags spell it
	decls map[string]string // prefixes declared here; "" is the default one
}

// Is says whether the element has a name of a namespace.
func (e *Element) Is(space, local string) bool { return e.Space == space && e.Local == local }

// All are the children of the element's own namespace and that name.
func (e *Element) All(local string) (all []*Element) {
	for _, c := range e.Children {
		if c.Is(e.Space, local) {
			all = append(all, c)
		}
	}
	return all
}

// Token is the element's text without white space around it.
func (e *Element) Token() string { return strings.Trim(e.Text, " \t\r\n") }

// Attr is an attribute's value as it stands; the space of most is "".
func (e *Element) Attr(space, local string) (value string, ok bool) {
	for _, a := range e.Attrs {
		if a.Name == (xml.Name{Space: space, Local: local}) {
			return a.Value, true
		}
	}
	return "", false
}

// AttrToken is the value of an attribute of no namespace without white space around
// it; "" where there is none.
func (e *Element) AttrToken(local string) string {
	value, _ := e.Attr("", local)
	return strings.Trim(value, " \t\r\n")
}

// SpaceXML is what the prefix xml always means.
const SpaceXML = "http://www.w3.org/XML/1998/namespace"

// lookup finds what a prefix means at an element.
func (e *Element) lookup(prefix string) (space string, ok bool) {
	if prefix == "xml" {
		return SpaceXML, true
	}
	for at := e; at != nil; at = at.outer {
		if space, ok = at.decls[prefix]; ok {
			return space, true
		}
	}
	return "", prefix == ""
}
