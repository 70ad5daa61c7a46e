package pidf

import "bytes"

// Dialect is a way to spell a document.
type Dialect int

const (
	// Standard is what the RFCs ask for: a document that is made of valid
	// parts is valid by their schemas.
	Standard Dialect = iota
	// Draft is the vocabulary of draft-sinha-simple-intradomain-federation-
	// callflow-00: rpid:available and rpid:do-not-disturb, the capabilities'
	// pre-RFC namespace, the person before the tuples, the note after the
	// activity, ids that begin with a digit. It is well-formed, with every
	// prefix declared, but not valid by the schemas.
	//
	// What the draft itself prints goes further, and Parse reads it as it
	// stands: sc undeclared after its first use, contact before status,
	// available and user-input outside RPID's namespace, the person before or
	// after the tuples, an XML declaration without one of its question marks.
	Draft
)

// String names the dialect as a flag does.
func (d Dialect) String() string {
	if d == Draft {
		return "draft"
	}
	return "standard"
}

// normalSpace replaces the draft's namespace of capabilities by RFC 5196's.
func normalSpace(uri string) string {
	if uri == nsServcaps {
		return NSCaps
	}
	return uri
}

// space is the namespace as the dialect spells it.
func (d Dialect) space(uri string) string {
	if d == Draft && uri == NSCaps {
		return nsServcaps
	}
	return uri
}

// repairDeclaration gives an XML declaration the question mark that one of the
// draft's documents leaves out, at either end (see Draft). Everything else is
// as it was, line breaks included.
func repairDeclaration(data []byte) []byte {
	start := bytes.IndexByte(data, '<')
	if start < 0 || len(bytes.TrimSpace(data[:start])) > 0 {
		return data
	}
	length := bytes.IndexByte(data[start:], '>')
	if length < 0 {
		return data
	}
	end := start + length
	head := data[start:end]
	opened := bytes.HasPrefix(head, []byte("<?xml"))
	closed := bytes.HasSuffix(head, []byte("?"))
	switch {
	case opened && !closed:
		return bytes.Join([][]byte{data[:end], data[end:]}, []byte("?"))
	case closed && bytes.HasPrefix(head, []byte("<xml ")):
		return bytes.Join([][]byte{data[:start+1], data[start+1:]}, []byte("?"))
	}
	return data
}

// misplaced tells the namespaces in which the draft's available, user-input
// and note stand although they belong to RPID (see Draft).
func misplaced(space string) bool {
	return space == NSPIDF || space == NSDM || space == NSCaps || space == ""
}
