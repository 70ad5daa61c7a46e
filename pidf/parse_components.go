package pidf

import "time"

// readTuple reads one tuple (RFC 3863 section 4.1.2), its children in any
// order: the draft has contact before status (see Draft).
func readTuple(n *node, id string) (Tuple, error) {
	t := Tuple{ID: id, Attrs: without(n.attrs, "id")}
	status := false
	err := eachChild(n, func(c *node) error {
		switch c.name {
		case Name{NSPIDF, "status"}:
			status = true
			return t.readStatus(c)
		case Name{NSPIDF, "contact"}:
			return t.readContact(c)
		case Name{NSPIDF, "note"}:
			var err error
			t.Notes, err = appendNote(t.Notes, c)
			return err
		case Name{NSPIDF, "timestamp"}:
			return t.rest.readTime(c, &t.Timestamp)
		}
		t.rest.order = append(t.rest.order, placeOf(c))
		switch {
		case c.name == Name{NSCaps, "servcaps"} && t.Capabilities == nil:
			var err error
			t.Capabilities, err = readCapabilities(c)
			return err
		case c.name == Name{NSDM, "deviceID"}:
			text, err := c.text()
			t.rest.keepAttrs(c, len(t.DeviceIDs), c.attrs)
			t.DeviceIDs = append(t.DeviceIDs, trim(text))
			return err
		}
		return t.rest.common(c, &t.Class, &t.UserInput, &t.Source, &t.Extensions)
	})
	if err == nil && !status {
		err = refuse(n, "a tuple without status", "status")
	}
	return t, err
}

func (t *Tuple) readStatus(n *node) error {
	if err := n.single(); err != nil {
		return err
	}
	t.rest.keepAttrs(n, 0, n.attrs)
	return eachChild(n, func(c *node) error {
		if c.name != (Name{NSPIDF, "basic"}) {
			t.StatusExtensions = append(t.StatusExtensions, keep(c))
			return nil
		}
		if err := c.single(); err != nil {
			return err
		}
		t.rest.keepAttrs(c, 0, c.attrs)
		text, err := c.text()
		t.Basic = Basic(trim(text))
		if err == nil && t.Basic != Open && t.Basic != Closed {
			err = refuse(c, quote(text), "open or closed")
		}
		return err
	})
}

func (t *Tuple) readContact(n *node) error {
	if err := n.single(); err != nil {
		return err
	}
	text, err := n.text()
	if err != nil {
		return err
	}
	t.Contact = trim(text)
	if q := attr(n.attrs, "priority"); q != "" {
		if t.Priority, err = ParsePriority(trim(q)); err != nil {
			return refuse(n, err.Error(), "")
		}
	}
	t.rest.keepAttrs(n, 0, without(n.attrs, "priority"))
	return nil
}

// readPerson reads one person (RFC 4479 section 3.2).
func readPerson(n *node, id string) (Person, error) {
	p := Person{ID: id, Attrs: without(n.attrs, "id")}
	err := eachChild(n, func(c *node) error {
		var err error
		switch {
		case c.name == Name{NSDM, "timestamp"}:
			return p.rest.readTime(c, &p.Timestamp)
		case isNote(c.name):
			p.Notes, err = appendNote(p.Notes, c)
			return err
		}
		p.rest.order = append(p.rest.order, placeOf(c))
		if c.name == (Name{NSRPID, "activities"}) {
			as, err := readActivities(c)
			p.Activities = append(p.Activities, as)
			return err
		}
		return p.rest.common(c, &p.Class, &p.UserInput, &p.Source, &p.Extensions)
	})
	return p, err
}

// readDevice reads one device (RFC 4479 section 3.4).
func readDevice(n *node, id string) (Device, error) {
	d := Device{ID: id, Attrs: without(n.attrs, "id")}
	err := eachChild(n, func(c *node) error {
		var err error
		switch {
		case c.name == Name{NSDM, "deviceID"}:
			if err = c.single(); err == nil {
				d.DeviceID, err = c.text()
				d.DeviceID = trim(d.DeviceID)
				d.rest.keepAttrs(c, 0, c.attrs)
			}
			return err
		case c.name == Name{NSDM, "timestamp"}:
			return d.rest.readTime(c, &d.Timestamp)
		case isNote(c.name):
			d.Notes, err = appendNote(d.Notes, c)
			return err
		}
		d.rest.order = append(d.rest.order, placeOf(c))
		return d.rest.common(c, &d.Class, &d.UserInput, &d.Source, &d.Extensions)
	})
	return d, err
}

// isNote tells a note of a person or device; the draft is not sure of its
// namespace (see Draft).
func isNote(n Name) bool {
	return n.Local == "note" && (n.Space == NSDM || n.Space == NSRPID || n.Space == NSPIDF)
}

// placeOf is the name under which a child's place is remembered: that which
// Write gives it.
func placeOf(n *node) Name {
	if n.name.Local == "user-input" && misplaced(n.name.Space) {
		return Name{NSRPID, "user-input"}
	}
	return n.name
}

// common reads what tuples, persons and devices have alike. Of what may stand
// once, a second is kept as an extension.
func (r *rest) common(n *node, class *string, input *UserInput, src *Source, ext *[]Element) error {
	switch {
	case n.name == Name{NSRPID, "class"} && *class == "":
		text, err := n.text()
		if *class = trim(text); *class == "" {
			break
		}
		r.keepAttrs(n, 0, n.attrs)
		return err
	case n.name == sourceName:
		// Only a publisher that wants to be somebody else says it twice.
		if n.again() {
			return nil
		}
		var err error
		*src, err = readSource(n)
		return err
	}
	u, ok, err := readUserInput(n)
	if ok && input.State == "" {
		*input = u
		return err
	}
	*ext = append(*ext, keep(n))
	return nil
}

func (r *rest) readTime(n *node, into *time.Time) error {
	if err := n.single(); err != nil {
		return err
	}
	text, err := n.text()
	if err != nil {
		return err
	}
	if *into, err = parseTime(trim(text)); err != nil {
		return refuse(n, err.Error(), "a time of RFC 3339")
	}
	r.keepAttrs(n, 0, n.attrs)
	return nil
}

// keepAttrs remembers the attributes of a child that is a plain field.
func (r *rest) keepAttrs(n *node, index int, attrs []Attr) {
	if len(attrs) > 0 {
		r.leafs = append(r.leafs, leafAttr{n.name, index, attrs})
	}
}
