package rlmi

import (
	"fmt"
	"mime"
	"slices"
	"strings"

	"presfed/agents/internal/message"
)

// Write writes the body of a NOTIFY and its Content-Type. id is what tells the
// Content-IDs of this body from those of any other, such as tag@host.
func (l List) Write(id string) (contentType string, body []byte, err error) {
	const encoding, binary = "Content-Transfer-Encoding", "binary" // RFC 4662 section 6
	l.Resources = slices.Clone(l.Resources)
	var parts []message.Part
	for n, r := range l.Resources {
		r.Instances = slices.Clone(r.Instances)
		for k := range r.Instances {
			i := &r.Instances[k]
			if i.cid = ""; len(i.Body) == 0 {
				continue
			}
			i.cid = fmt.Sprintf("%d.%d.%s", n+1, k+1, id)
			parts = append(parts, message.NewPart(i.Body, encoding, binary, "Content-ID", "<"+i.cid+">", "Content-Type", i.Type))
		}
		l.Resources[n] = r
	}
	start := "<0." + id + ">"
	first := message.NewPart(l.meta(), encoding, binary, "Content-ID", start, "Content-Type", MetaType+`;charset="UTF-8"`)
	return message.WriteParts(append([]message.Part{first}, parts...), "related", map[string]string{"type": MetaType, "start": start})
}

// IsBody says whether a body of that type is one of ours to read.
func IsBody(contentType string) bool {
	return message.MediaType(contentType) == BodyType
}

// Parse reads the body of a NOTIFY; a nested list stays the body of its
// instance. The error is a *message.ParseError.
func Parse(contentType string, body []byte, limits Limits) (List, error) {
	if !IsBody(contentType) {
		return List{}, &message.ParseError{Status: 415, Where: "Content-Type", What: "want " + BodyType}
	}
	parts, err := message.ParseParts(contentType, body, message.PartLimits{
		Parts: 1 + limits.Resources, Headers: message.DefaultPartLimits.Headers, Bytes: limits.Bytes,
	})
	if err != nil {
		return List{}, err
	}
	_, params, _ := mime.ParseMediaType(contentType) // ParseParts has read it
	root := 0
	if start := strings.Trim(params["start"], "<>"); start != "" { // RFC 2387 section 3.2
		if root = slices.IndexFunc(parts, func(p message.Part) bool { return p.ID() == start }); root < 0 {
			return List{}, malformed("no part is the start %q", start)
		}
	}
	if parts[root].Type() != MetaType { // RFC 4662 section 5.1
		return List{}, malformed("the first part is %q", parts[root].Type())
	}
	l, err := parseMeta(parts[root].Body, limits)
	if err != nil {
		return l, err
	}
	byID := map[string]message.Part{}
	for i, p := range parts {
		if i != root && p.ID() != "" {
			byID[p.ID()] = p
		}
	}
	for _, r := range l.Resources {
		for k := range r.Instances {
			i := &r.Instances[k]
			if i.cid == "" { // COMPAT: an active one must have one; without it nothing is told
				continue
			}
			part, ok := byID[i.cid]
			if !ok {
				return l, malformed("resource %q: no part is %q", r.URI, i.cid)
			}
			i.Type, i.Body, i.cid = part.Header.Get("Content-Type"), part.Body, ""
		}
	}
	return l, nil
}
