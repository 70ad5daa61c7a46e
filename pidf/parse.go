package pidf

// Parse reads a presence document from a peer. It accepts what the schemas
// allow, in any order of children, and the call-flows draft's own spelling;
// everything else is a *ParseError. Limits' zero value means the defaults.
func Parse(data []byte, limits Limits) (Document, error) {
	root, err := scan(data, limits.withDefaults())
	if err != nil {
		return Document{}, err
	}
	if root.name != (Name{NSPIDF, "presence"}) {
		return Document{}, refuse(root, "root element "+quote(root.name.Local)+" of namespace "+quote(root.name.Space),
			"presence of "+NSPIDF)
	}
	return readDocument(root)
}

func readDocument(root *node) (Document, error) {
	d := Document{Entity: trim(attr(root.attrs, "entity")), Attrs: without(root.attrs, "entity")}
	if d.Entity == "" {
		return Document{}, refuse(root, "no entity", "the URI of the presentity in the attribute entity")
	}
	ids := map[Name]bool{}
	err := eachChild(root, func(c *node) error {
		var err error
		switch c.name {
		case Name{NSPIDF, "tuple"}:
			d.Tuples, err = appendRead(d.Tuples, c, ids, readTuple)
			return err
		case Name{NSPIDF, "note"}:
			d.Notes, err = appendNote(d.Notes, c)
			return err
		case Name{NSDM, "person"}:
			d.Persons, err = appendRead(d.Persons, c, ids, readPerson)
		case Name{NSDM, "device"}:
			d.Devices, err = appendRead(d.Devices, c, ids, readDevice)
		default:
			d.Extensions = append(d.Extensions, keep(c))
		}
		d.rest.order = append(d.rest.order, c.name)
		return err
	})
	return d, err
}

// appendRead reads one component and appends it, if its id is there and new
// among its kind.
func appendRead[T any](list []T, n *node, ids map[Name]bool, read func(*node, string) (T, error)) ([]T, error) {
	id := decodeID(trim(attr(n.attrs, "id")))
	if id == "" {
		return list, refuse(n, "no id", "the attribute id")
	}
	key := Name{n.name.Local, id}
	if ids[key] {
		return list, refuse(n, "the id "+quote(id)+" a second time", "a different id for each "+n.name.Local)
	}
	ids[key] = true
	v, err := read(n, id)
	return append(list, v), err
}

func appendNote(list []Note, n *node) ([]Note, error) {
	note, err := readNote(n)
	return append(list, note), err
}

// readNote reads a note of any of the three namespaces that have one.
func readNote(n *node) (Note, error) {
	text, err := n.text()
	note := Note{Text: text}
	for _, a := range n.attrs {
		if a.Name == (Name{nsXML, "lang"}) {
			note.Lang = a.Value
			continue
		}
		note.Attrs = append(note.Attrs, a)
	}
	return note, err
}

// readUserInput reads the usage state; ok is false where n is something else.
func readUserInput(n *node) (UserInput, bool, error) {
	if n.name.Local != "user-input" || n.name.Space != NSRPID && !misplaced(n.name.Space) {
		return UserInput{}, false, nil
	}
	text, err := n.text()
	u := UserInput{State: trim(text), Attrs: n.attrs}
	if err == nil && u.State != "active" && u.State != "idle" {
		err = refuse(n, quote(text), "active or idle")
	}
	return u, true, err
}

// eachChild calls f for each child element, in order. Text between elements is
// refused: it could neither be understood nor kept.
func eachChild(n *node, f func(*node) error) error {
	for _, c := range n.children {
		switch c := c.(type) {
		case *node:
			if err := f(c); err != nil {
				return err
			}
		case string:
			if trim(c) != "" {
				return refuse(n, "text between the elements: "+quote(trim(c)), "")
			}
		}
	}
	return nil
}

// text is the content of an element that holds nothing but text.
func (n *node) text() (string, error) {
	text := ""
	for _, c := range n.children {
		switch c := c.(type) {
		case *node:
			return "", refuse(c, "an element", "text only in "+n.name.Local)
		case string:
			text += c
		}
	}
	return text, nil
}

// again tells whether an earlier sibling has the same name.
func (n *node) again() bool {
	for _, c := range n.outer.children {
		if c == any(n) {
			return false
		}
		if c, ok := c.(*node); ok && c.name == n.name {
			return true
		}
	}
	return false
}

// single refuses an element that may stand once and stands twice.
func (n *node) single() error {
	if n.again() {
		return refuse(n, "a second "+n.name.Local, "one at most")
	}
	return nil
}

func refuse(n *node, what, expected string) *ParseError {
	return &ParseError{Line: n.line, Element: n.path(), What: what, Expected: expected}
}

// without leaves out the attributes without namespace that are understood.
func without(attrs []Attr, taken ...string) []Attr {
	var left []Attr
next:
	for _, a := range attrs {
		for _, t := range taken {
			if a.Name == (Name{"", t}) {
				continue next
			}
		}
		left = append(left, a)
	}
	return left
}
