package pidf

import (
	"cmp"
	"slices"
)

// readActivities reads one activities element (RFC 4480 section 3.2). Its note
// may follow the activity (see Draft).
func readActivities(n *node) (Activities, error) {
	as := Activities{Attrs: n.attrs}
	err := eachChild(n, func(c *node) error {
		if isNote(c.name) {
			var err error
			as.Notes, err = appendNote(as.Notes, c)
			return err
		}
		a, err := readActivity(c)
		if err != nil {
			return err
		}
		// The Standard spelling of do-not-disturb: busy stands before it for
		// watchers that know RFC 4480 only.
		if last := len(as.Items) - 1; a.Name == DoNotDisturb && c.name.Local == Other && last >= 0 && as.Items[last].plainly(Busy) {
			as.Items = as.Items[:last]
		}
		as.Items = append(as.Items, a)
		return nil
	})
	return as, err
}

// plainly tells an activity that is nothing but its name.
func (a Activity) plainly(name string) bool {
	return a.Name == name && a.Text == "" && len(a.Attrs) == 0
}

func readActivity(n *node) (Activity, error) {
	known := n.name.Space == NSRPID || isActivity(n.name.Local) && misplaced(n.name.Space)
	if !known || hasElements(n) {
		return Activity{Foreign: keep(n)}, nil
	}
	text, err := n.text()
	a := Activity{Name: n.name.Local, Attrs: n.attrs}
	if t := trim(text); t != "" {
		a.Text = text
		if a.Name == Other && (t == Available || t == DoNotDisturb) {
			a.Name, a.Text = t, ""
		}
	}
	return a, err
}

func hasElements(n *node) bool {
	for _, c := range n.children {
		if _, ok := c.(*node); ok {
			return true
		}
	}
	return false
}

// readCapabilities reads servcaps (RFC 5196 section 3.2), from either
// namespace: the scanner has made them one. The children are brought into the
// schema's sequence, which says nothing.
func readCapabilities(n *node) (*Capabilities, error) {
	var children []*node
	err := eachChild(n, func(c *node) error {
		children = append(children, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(children, func(a, b *node) int { return cmp.Compare(capsRank(a.name), capsRank(b.name)) })
	caps := &Capabilities{Attrs: n.attrs}
	for _, c := range children {
		if err := caps.read(c); err != nil {
			return nil, err
		}
	}
	return caps, nil
}

func (caps *Capabilities) read(c *node) error {
	switch {
	case c.name.Space == NSCaps && isFeature(c.name.Local):
		text, err := c.text()
		if err != nil {
			return err
		}
		supported, ok := parseBool(trim(text))
		if !ok {
			return refuse(c, quote(text), "true or false")
		}
		caps.rest.keepAttrs(c, len(caps.Features), c.attrs)
		caps.Features = append(caps.Features, Feature{c.name.Local, supported})
	case c.name == Name{NSCaps, "type"}:
		text, err := c.text()
		if err != nil {
			return err
		}
		caps.rest.keepAttrs(c, len(caps.Types), c.attrs)
		caps.Types = append(caps.Types, trim(text))
	case c.name == Name{NSCaps, "description"}:
		var err error
		caps.Descriptions, err = appendNote(caps.Descriptions, c)
		return err
	default:
		caps.Extensions = append(caps.Extensions, keep(c))
	}
	return nil
}

// parseBool reads an xs:boolean.
func parseBool(s string) (value, ok bool) {
	switch s {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}
