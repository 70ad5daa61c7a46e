package pidf

import (
	"iter"
	"strings"
)

// The schemas' complex types, as far as they say what a document may hold.

// shape is one type: the attributes and either the text or the children.
type shape struct {
	source  string            // RFC and section
	attrs   map[string]string // attributes without a namespace, and their simple types
	needs   []string          // of them, those that have to be there
	anyAttr bool              // any other attribute may stand here as well
	lang    bool              // xml:lang may
	text    string            // simple type of the content; empty: children
	parts   []part            // the children's sequence
	of      string            // type of a child that kinds does not name
	kinds   map[string]string // types of the others
	each    *shape            // type of every child; nil: of and kinds say
	many    string            // a word for a part of too many names to list
}

// part is one place of a sequence. A max of 0 is any number.
type part struct {
	names    []string // of the element's own namespace
	alone    []string // likewise, but with nothing beside it
	foreign  bool     // elements of other namespaces
	min, max int
}

// namespaces are those whose elements are known.
var namespaces = map[string]string{
	NSPIDF: "RFC 3863", NSDM: "RFC 4479", NSRPID: "RFC 4480", NSTimed: "RFC 4481", NSCIPID: "RFC 4482", NSCaps: "RFC 5196",
}

const nsXSI = "http://www.w3.org/2001/XMLSchema-instance"

func once(names ...string) (parts []part) {
	for _, n := range names {
		parts = append(parts, part{names: []string{n}, max: 1})
	}
	return parts
}

func sequence(lists ...[]part) (parts []part) {
	for _, l := range lists {
		parts = append(parts, l...)
	}
	return parts
}

var (
	foreign  = []part{{foreign: true}}
	notes    = []part{{names: []string{"note"}}}
	timed    = map[string]string{"from": "dateTime", "until": "dateTime", "id": "ID"}
	onlyID   = map[string]string{"id": "ID"}
	noteKind = map[string]string{"note": "note", "other": "note"}
)

// rich is a type of RFC 4480: notes, then what it is about.
func rich(attrs map[string]string, anyAttr bool, what ...part) *shape {
	return &shape{source: "RFC 4480 section 5", attrs: attrs, anyAttr: anyAttr, parts: sequence(notes, what), of: "empty", kinds: noteKind}
}

func words(s string) []string { return strings.Fields(s) }

// globals are the elements that the schemas declare for use anywhere.
var globals = map[Name]*shape{
	{NSPIDF, "presence"}: {source: "RFC 3863 section 4.4", attrs: map[string]string{"entity": "anyURI"}, needs: []string{"entity"},
		parts: sequence([]part{{names: []string{"tuple"}}}, notes, foreign), kinds: map[string]string{"tuple": "tuple", "note": "note"}},
	{NSDM, "deviceID"}: {source: "RFC 4479 section 5", text: "anyURI"},
	{NSDM, "person"}: {source: "RFC 4479 section 5", attrs: onlyID, needs: []string{"id"},
		parts: sequence(foreign, notes, once("timestamp")), kinds: map[string]string{"note": "note", "timestamp": "time"}},
	{NSDM, "device"}: {source: "RFC 4479 section 5", attrs: onlyID, needs: []string{"id"},
		parts: sequence(foreign, []part{{names: []string{"deviceID"}, min: 1, max: 1}}, notes, once("timestamp")),
		kinds: map[string]string{"deviceID": "uri", "note": "note", "timestamp": "time"}},

	{NSRPID, "activities"}:    activities(),
	{NSRPID, "mood"}:          moods(),
	{NSRPID, "class"}:         {source: "RFC 4480 section 5", text: "string"},
	{NSRPID, "place-is"}:      placeIs(),
	{NSRPID, "place-type"}:    rich(timed, true, part{alone: []string{"other"}, foreign: true, min: 1}),
	{NSRPID, "privacy"}:       rich(timed, true, sequence(once("unknown", "audio", "text", "video"), foreign)...),
	{NSRPID, "relationship"}:  rich(nil, false, part{alone: words("assistant associate family friend other self supervisor unknown"), foreign: true}),
	{NSRPID, "service-class"}: rich(nil, false, part{alone: words("courier electronic freight in-person postal unknown"), foreign: true, min: 1}),
	{NSRPID, "sphere"}: {source: "RFC 4480 section 5", attrs: timed, anyAttr: true, of: "empty",
		parts: []part{{alone: words("home work unknown"), foreign: true}}},
	{NSRPID, "status-icon"}: {source: "RFC 4480 section 5", attrs: timed, anyAttr: true, text: "anyURI"},
	{NSRPID, "time-offset"}: {source: "RFC 4480 section 5", attrs: timed, anyAttr: true, text: "integer"},
	{NSRPID, "user-input"}: {source: "RFC 4480 section 5", anyAttr: true, text: "activeIdle",
		attrs: map[string]string{"idle-threshold": "positiveInteger", "last-input": "dateTime", "id": "ID"}},

	{NSTimed, "timed-status"}: {source: "RFC 4481 section 5", attrs: map[string]string{"from": "dateTime", "until": "dateTime"}, needs: []string{"from"},
		parts: sequence(once("basic", "note"), foreign), kinds: map[string]string{"basic": "basic", "note": "note"}},

	{NSCIPID, "card"}:         {source: "RFC 4482 section 5", text: "anyURI"},
	{NSCIPID, "display-name"}: {source: "RFC 4482 section 5", text: "string"},
	{NSCIPID, "homepage"}:     {source: "RFC 4482 section 5", text: "anyURI"},
	{NSCIPID, "icon"}:         {source: "RFC 4482 section 5", text: "anyURI"},
	{NSCIPID, "map"}:          {source: "RFC 4482 section 5", text: "anyURI"},
	{NSCIPID, "sound"}:        {source: "RFC 4482 section 5", text: "anyURI"},

	{NSCaps, "servcaps"}: servcaps(),
	{NSCaps, "devcaps"}: {source: "RFC 5196 section 6", anyAttr: true,
		parts: sequence([]part{{names: []string{"description"}}}, once("mobility"), foreign),
		kinds: map[string]string{"description": "note", "mobility": "mobility"}},
}

// locals are the types of elements that stand inside others only. typeOf looks
// here.
var locals = map[string]*shape{
	"empty": {source: "RFC 4480 section 5"},
	"note":  {source: "RFC 3863 section 4.4", lang: true, text: "string"},
	"time":  {source: "RFC 3863 section 4.4", text: "dateTime"},
	"uri":   {source: "RFC 4479 section 5", text: "anyURI"},
	"basic": {source: "RFC 3863 section 4.4", text: "basic"},
	"tuple": {source: "RFC 3863 section 4.4", attrs: onlyID, needs: []string{"id"},
		parts: sequence([]part{{names: []string{"status"}, min: 1, max: 1}}, foreign, once("contact"), notes, once("timestamp")),
		kinds: map[string]string{"status": "status", "contact": "contact", "note": "note", "timestamp": "time"}},
	"status":  {source: "RFC 3863 section 4.4", parts: sequence(once("basic"), foreign), kinds: map[string]string{"basic": "basic"}},
	"contact": {source: "RFC 3863 section 4.4", attrs: map[string]string{"priority": "qvalue"}, text: "anyURI"},
}

// elements are the children that are elements.
func (n *node) elements() iter.Seq[*node] {
	return func(yield func(*node) bool) {
		for _, c := range n.children {
			if c, ok := c.(*node); ok && !yield(c) {
				return
			}
		}
	}
}
