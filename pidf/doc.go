// Package pidf turns presence documents into values and values into presence
// documents, and composes them.
//
// A presence document is PIDF (RFC 3863) with the data model's persons and
// devices (RFC 4479), rich presence (RFC 4480), timed status (RFC 4481),
// contact information (RFC 4482) and capabilities (RFC 5196). What the package
// does not understand it keeps: elements, attributes, namespaces, languages and
// their order survive Parse followed by Write.
//
// The way through the package:
//
//	doc, err := pidf.Parse(body, pidf.DefaultLimits())     // bytes -> Document
//	doc = pidf.Stamp(doc, pidf.Source{Publication: key, Received: now}) // once, by the server that received it
//	view := pidf.Compose("sip:alice@example.com", pidf.Share{Document: doc}, ...)
//	view, why := pidf.Explain(...)                         // the same view, and who let what in
//	body = pidf.Write(view.WithoutSources(), pidf.Standard) // Document -> bytes
//
// Build makes a document from simple facts, Expect compares one with what a
// flow should show, DevicePolicy closes an own share because of somebody
// else's do-not-disturb, Validate says what the schemas would find.
//
// A Document is a value: nothing in this package changes one that it was
// given, and documents that share elements may be read from several
// goroutines. Whoever changes a slice of a Document copies it first.
package pidf

import (
	"bytes"
	"time"
)

// Document is one presence document (RFC 3863 section 4.1).
type Document struct {
	Entity     string    // the presentity's URI, as written
	Tuples     []Tuple   // services, in order
	Persons    []Person  // RFC 4479 section 3.2; a composed view has at most one
	Devices    []Device  // RFC 4479 section 3.4
	Notes      []Note    // notes about the presentity as a whole
	Extensions []Element // further children of presence, in order
	Attrs      []Attr    // further attributes of presence

	rest rest
}

// Basic is the basic status of a tuple (RFC 3863 section 4.1.4); empty where
// the document gives none.
type Basic string

// The two basic states of RFC 3863 section 4.1.4.
const (
	Open   Basic = "open"
	Closed Basic = "closed"
)

// Tuple is one service of the presentity (RFC 3863 section 4.1.2).
type Tuple struct {
	ID               string
	Basic            Basic
	StatusExtensions []Element     // children of status other than basic
	Capabilities     *Capabilities // RFC 5196; nil where the tuple says nothing
	UserInput        UserInput     // RFC 4480 section 3.14
	Class            string        // RFC 4480 section 3.3
	DeviceIDs        []string      // RFC 4479 section 3.3: the devices the service runs on
	Contact          string        // URI, white space trimmed; empty where there is none
	Priority         Priority      // of Contact
	Notes            []Note
	Timestamp        time.Time // of the last change; zero where there is none
	Extensions       []Element // further children, in order
	Attrs            []Attr    // further attributes
	Source           Source    // whose it is, where a server of ours has said so

	rest rest
}

// Person is the human behind the presentity (RFC 4479 section 3.2).
type Person struct {
	ID         string
	Activities []Activities // RFC 4480 section 3.2: several where their times differ
	Class      string       // RFC 4480 section 3.3
	UserInput  UserInput    // RFC 4480 section 3.14
	Notes      []Note
	Timestamp  time.Time
	Extensions []Element // mood, place-type, CIPID and what is not understood
	Attrs      []Attr
	Source     Source

	rest rest
}

// Device is a physical device of the presentity (RFC 4479 section 3.4).
type Device struct {
	ID         string
	DeviceID   string // URN of the device
	Class      string
	UserInput  UserInput
	Notes      []Note
	Timestamp  time.Time
	Extensions []Element
	Attrs      []Attr
	Source     Source

	rest rest
}

// Note is a comment for people (RFC 3863 section 4.1.6). Text is kept as
// written, white space included.
type Note struct {
	Text  string
	Lang  string // xml:lang; empty where there is none
	Attrs []Attr
}

// UserInput is the usage state of a service, device or person (RFC 4480
// section 3.14). The zero value says nothing.
type UserInput struct {
	State string // "active" or "idle"
	Attrs []Attr // idle-threshold, last-input, id and others
}

// rest is what a parsed element needs beside its fields to be written again
// without loss. It is a hint: what the fields say wins.
type rest struct {
	order []Name     // of the children in the extension region
	leafs []leafAttr // attributes of children that are plain fields here
}

// leafAttr is the attributes of the n-th child named name.
type leafAttr struct {
	name  Name
	n     int
	attrs []Attr
}

// Equal tells whether two documents say the same: same elements in the same
// order, whatever prefixes they were written with. Tools that compare values
// (go-cmp among them) use it.
func (d Document) Equal(o Document) bool {
	return bytes.Equal(canonicalDocument(d), canonicalDocument(o))
}

// Person returns the person of a document, the first if it has several.
func (d Document) Person() (Person, bool) {
	if len(d.Persons) == 0 {
		return Person{}, false
	}
	return d.Persons[0], true
}
