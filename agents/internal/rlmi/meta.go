package rlmi

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"

	"presfed/agents/internal/message"
	"presfed/agents/internal/strictxml"
)

func malformed(format string, a ...any) error {
	return &message.ParseError{Status: 400, Where: MetaType, What: fmt.Sprintf(format, a...)}
}

// parseMeta reads the first part (RFC 4662 section 5.1). What is not understood is
// passed over.
func parseMeta(doc []byte, limits Limits) (List, error) {
	root, err := strictxml.Parse(doc, strictxml.Limits{
		Bytes: limits.Bytes, Depth: 16, Elements: (limits.Resources + 1) * (2*limits.Instances + 1), Attributes: 32,
	})
	if err != nil {
		return List{}, malformed("%v", err)
	}
	if !root.Is(namespace, "list") {
		return List{}, malformed("the root is %.40q of %.80q, want list of %s", root.Local, root.Space, namespace)
	}
	l := List{URI: root.AttrToken("uri")}
	version, err := strconv.ParseUint(root.AttrToken("version"), 10, 32)
	if err != nil {
		return l, malformed("list: version %q is not a number of 32 bits", root.AttrToken("version"))
	}
	l.Version = uint32(version)
	switch full := root.AttrToken("fullState"); full {
	case "true", "1":
		l.Full = true
	case "false", "0":
	default:
		return l, malformed("list: fullState %q is neither true nor false", full)
	}
	resources := root.All("resource")
	switch {
	case l.URI == "":
		return l, malformed("list: no uri")
	case len(resources) > limits.Resources:
		return l, malformed("more than %d resources", limits.Resources)
	}
	if l.Names, err = names(root, limits); err != nil {
		return l, err
	}
	seen := map[string]bool{}
	for _, e := range resources {
		r, err := resource(e, limits)
		switch {
		case err != nil:
			return l, err
		case seen[r.URI]:
			return l, malformed("resource %q stands twice", r.URI)
		}
		seen[r.URI] = true
		l.Resources = append(l.Resources, r)
	}
	return l, nil
}

func names(e *strictxml.Element, limits Limits) (out []Name, err error) {
	all := e.All("name")
	if len(all) > limits.Instances {
		return nil, malformed("more than %d names", limits.Instances)
	}
	for _, n := range all {
		lang, _ := n.Attr(strictxml.SpaceXML, "lang")
		out = append(out, Name{Lang: lang, Text: n.Text})
	}
	return out, nil
}

func resource(e *strictxml.Element, limits Limits) (r Resource, err error) {
	r.URI = e.AttrToken("uri")
	instances := e.All("instance")
	switch {
	case r.URI == "":
		return r, malformed("resource: no uri")
	case len(instances) > limits.Instances:
		return r, malformed("resource %q: more than %d instances", r.URI, limits.Instances)
	}
	if r.Names, err = names(e, limits); err != nil {
		return r, err
	}
	seen := map[string]bool{}
	for _, one := range instances {
		i := Instance{ID: one.AttrToken("id"), State: one.AttrToken("state"), Reason: one.AttrToken("reason"), cid: one.AttrToken("cid")}
		switch {
		case i.ID == "" || seen[i.ID]:
			return r, malformed("resource %q: an instance without an id of its own", r.URI)
		case i.State != Active && i.State != Pending && i.State != Terminated:
			return r, malformed("resource %q: state %q is none of active, pending, terminated", r.URI, i.State)
		}
		seen[i.ID] = true
		r.Instances = append(r.Instances, i)
	}
	return r, nil
}

// meta writes the first part.
func (l List) meta() []byte {
	var b bytes.Buffer
	attr := func(name, value string) {
		b.WriteString(" " + name + `="`)
		_ = xml.EscapeText(&b, []byte(value)) // a buffer does not fail
		b.WriteByte('"')
	}
	named := func(names []Name) {
		for _, n := range names {
			b.WriteString("<name")
			if n.Lang != "" {
				attr("xml:lang", n.Lang)
			}
			b.WriteByte('>')
			_ = xml.EscapeText(&b, []byte(n.Text))
			b.WriteString("</name>")
		}
	}
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<list")
	attr("xmlns", namespace)
	attr("uri", l.URI)
	attr("version", strconv.FormatUint(uint64(l.Version), 10))
	attr("fullState", strconv.FormatBool(l.Full))
	b.WriteByte('>')
	named(l.Names)
	for _, r := range l.Resources {
		b.WriteString("\n  <resource")
		attr("uri", r.URI)
		b.WriteByte('>')
		named(r.Names)
		for _, i := range r.Instances {
			b.WriteString("<instance")
			attr("id", i.ID)
			attr("state", i.State)
			if i.Reason != "" {
				attr("reason", i.Reason)
			}
			if i.cid != "" {
				attr("cid", i.cid)
			}
			b.WriteString("/>")
		}
		b.WriteString("</resource>")
	}
	b.WriteString("\n</list>\n")
	return b.Bytes()
}
