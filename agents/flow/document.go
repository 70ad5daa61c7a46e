package flow

import (
	"slices"
	"strings"

	"presfed/agents/internal/message"
	"presfed/pidf"
)

// document asks a message for a document, in checks that do not overlap: of whom
// it is, the person, the tuples.
func document(f string, want pidf.Expect) []Check {
	part := func(name, kind string) Check {
		return Check{F: f, Name: name, Source: ", the document of " + f + "; RFC 3863, RFC 4479, RFC 4480", holds: compares(want, kind), want: &want}
	}
	checks := []Check{part("document is of "+want.Entity, "entity")}
	if p := want.Person; p != nil {
		person := "person is " + strings.Join(p.Activities, ", ")
		if p.Note != "" {
			person += ", \"" + p.Note + "\""
		}
		if p.Class != "" {
			person += ", class " + p.Class
		}
		checks = append(checks, part(person, "person"))
	}
	var tuples []string
	for _, t := range want.Tuples {
		tuples = append(tuples, strings.Join(t.Capabilities, "+")+" "+string(t.Basic))
	}
	verb := "are "
	if want.Match == pidf.MatchContains {
		verb = "include "
	}
	return append(checks, part("tuples "+verb+strings.Join(tuples, ", "), "tuple"))
}

// composedOf asks that a document shows no tuple that is not in those of earlier
// messages: nothing that its source has not said, or that a denied back-end holds.
func composedOf(sources ...string) maker {
	return func(f string) Check {
		return Check{F: f, Name: "tuples are those of " + strings.Join(sources, " and "), Source: "; RFC 3856 section 6.6, the back-ends have agreed first",
			also: sources,
			holds: func(e *evidence, s *side) (bool, string) {
				said := map[string]bool{}
				for _, source := range sources {
					if o := e.seen[source]; o != nil {
						for _, id := range o.last().tupleIDs() {
							said[id] = true
						}
					}
				}
				got := s.tupleIDs()
				return !slices.ContainsFunc(got, func(id string) bool { return !said[id] }), strings.Join(got, ", ")
			}}
	}
}

func (s *side) tupleIDs() (ids []string) {
	doc, err := pidf.Parse(s.body(), pidf.DefaultLimits())
	if err != nil {
		return nil
	}
	for _, t := range doc.Tuples {
		ids = append(ids, t.ID)
	}
	return ids
}

// compares judges the differences whose place begins with kind.
func compares(want pidf.Expect, kind string) func(*evidence, *side) (bool, string) {
	return func(_ *evidence, s *side) (bool, string) {
		doc, err := pidf.Parse(s.body(), pidf.DefaultLimits())
		if err != nil {
			return false, err.Error()
		}
		diffs := slices.DeleteFunc(want.Check(doc), func(d pidf.Difference) bool { return !strings.HasPrefix(d.Where, kind) })
		if len(diffs) == 0 {
			return true, summary(doc, kind)
		}
		var got []string
		for _, d := range diffs {
			got = append(got, d.String())
		}
		return false, strings.Join(got, "; ")
	}
}

// summary is what a document says of entity, person or tuple, in a line.
func summary(doc pidf.Document, kind string) string {
	switch kind {
	case "entity":
		return doc.Entity
	case "person":
		p, _ := doc.Person()
		words := p.ActivityNames()
		for _, n := range p.AllNotes() {
			words = append(words, "\""+strings.TrimSpace(n.Text)+"\"")
		}
		return strings.Join(words, ", ")
	}
	var tuples []string
	for _, t := range doc.Tuples {
		tuples = append(tuples, strings.Join(t.Capabilities.Labels(), "+")+" "+string(t.Basic))
	}
	return strings.Join(tuples, ", ")
}

// isPIDF asks for the media type (RFC 3856 section 6.2); what is in the body is
// for the document's checks.
func isPIDF(f string) Check {
	return Check{F: f, Name: "body is PIDF", Source: "; RFC 3856 section 6.2", holds: func(_ *evidence, s *side) (bool, string) {
		got := s.get("Content-Type")
		kind, _, _ := strings.Cut(got, ";")
		return strings.EqualFold(strings.TrimSpace(kind), "application/pidf+xml"), got
	}}
}

func (s *side) body() []byte {
	if s.message == nil {
		return nil
	}
	return s.message.Body()
}

func (s *side) get(name string) string {
	if s.message == nil {
		return ""
	}
	return message.Get(s.message, name)
}
