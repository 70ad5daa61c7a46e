package rlmi

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"presfed/agents/internal/message"
)

// The document as its schema has it (RFC 4662 section 5.1). Attributes are texts:
// what is missing and what is empty are not the same mistake as what is wrong.
type xmlList struct {
	XMLName   xml.Name      `xml:"urn:ietf:params:xml:ns:rlmi list"`
	URI       string        `xml:"uri,attr"`
	Version   string        `xml:"version,attr"`
	Full      string        `xml:"fullState,attr"`
	Names     []xmlName     `xml:"urn:ietf:params:xml:ns:rlmi name"`
	Resources []xmlResource `xml:"urn:ietf:params:xml:ns:rlmi resource"`
}

type xmlName struct {
	Lang string `xml:"http://www.w3.org/XML/1998/namespace lang,attr"`
	Text string `xml:",chardata"`
}

type xmlResource struct {
	URI       string        `xml:"uri,attr"`
	Names     []xmlName     `xml:"urn:ietf:params:xml:ns:rlmi name"`
	Instances []xmlInstance `xml:"urn:ietf:params:xml:ns:rlmi instance"`
}

type xmlInstance struct {
	ID     string `xml:"id,attr"`
	State  string `xml:"state,attr"`
	Reason string `xml:"reason,attr"`
	CID    string `xml:"cid,attr"`
}

func malformed(format string, a ...any) error {
	return &message.ParseError{Status: 400, Where: MetaType, What: fmt.Sprintf(format, a...)}
}

// parseMeta reads the first part. What is not understood is passed over.
func parseMeta(doc []byte, limits Limits) (List, error) {
	var x xmlList
	dec := xml.NewDecoder(bytes.NewReader(doc))
	if err := dec.Decode(&x); err != nil {
		return List{}, malformed("%v", err)
	}
	if err := ended(dec); err != nil {
		return List{}, err
	}
	l := List{URI: x.URI}
	version, err := strconv.ParseUint(strings.TrimSpace(x.Version), 10, 32)
	if err != nil {
		return l, malformed("list: version %q is not a number of 32 bits", x.Version)
	}
	l.Version = uint32(version)
	switch strings.TrimSpace(x.Full) {
	case "true", "1":
		l.Full = true
	case "false", "0":
	default:
		return l, malformed("list: fullState %q is neither true nor false", x.Full)
	}
	switch {
	case l.URI == "":
		return l, malformed("list: no uri")
	case len(x.Resources) > limits.Resources:
		return l, malformed("more than %d resources", limits.Resources)
	}
	if l.Names, err = names(x.Names, limits); err != nil {
		return l, err
	}
	seen := map[string]bool{}
	for _, xr := range x.Resources {
		r, err := xr.resource(limits)
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

// ended: behind the root there is nothing but comments and the like.
func ended(dec *xml.Decoder) error {
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return malformed("%v", err)
		}
		text, isText := tok.(xml.CharData)
		if _, isElement := tok.(xml.StartElement); isElement || isText && len(bytes.TrimSpace(text)) > 0 {
			return malformed("it goes on behind the list")
		}
	}
}

func names(all []xmlName, limits Limits) (out []Name, err error) {
	if len(all) > limits.Instances {
		return nil, malformed("more than %d names", limits.Instances)
	}
	for _, n := range all {
		out = append(out, Name(n))
	}
	return out, nil
}

func (x xmlResource) resource(limits Limits) (r Resource, err error) {
	r.URI = x.URI
	switch {
	case r.URI == "":
		return r, malformed("resource: no uri")
	case len(x.Instances) > limits.Instances:
		return r, malformed("resource %q: more than %d instances", r.URI, limits.Instances)
	}
	if r.Names, err = names(x.Names, limits); err != nil {
		return r, err
	}
	seen := map[string]bool{}
	for _, xi := range x.Instances {
		i := Instance{ID: xi.ID, State: xi.State, Reason: xi.Reason, cid: xi.CID}
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
