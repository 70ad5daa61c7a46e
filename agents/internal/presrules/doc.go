// Package presrules is a presentity's rules to and from a document (RFC 5025, in
// the frame of RFC 4745).
//
// The directory's rules are more particular than one another and the first decides
// alone; a document's are all added up, the greatest permission counts, and who is
// in none is blocked. Reading asks the document about each watcher and domain that
// it names, and about everybody else, so that the directory's answers are the
// document's; writing names exceptions to the same end.
package presrules

// ContentType is that of a document.
const ContentType = "application/auth-policy+xml"

const (
	policySpace = "urn:ietf:params:xml:ns:common-policy"
	rulesSpace  = "urn:ietf:params:xml:ns:pres-rules"
)

// Error says why a document is not taken.
type Error struct {
	Kind Kind
	What string
}

// Kind is which of XCAP's errors it is (RFC 4825 section 11).
type Kind string

// The kinds.
const (
	NotWellFormed Kind = "not-well-formed"
	Schema        Kind = "schema-validation-error"
	Constraint    Kind = "constraint-failure" // it says what we cannot do
)

func (e *Error) Error() string { return ContentType + ": " + e.What }
