package pidf

// Namespaces of presence documents.
const (
	NSPIDF   = "urn:ietf:params:xml:ns:pidf"              // RFC 3863
	NSDM     = "urn:ietf:params:xml:ns:pidf:data-model"   // RFC 4479
	NSRPID   = "urn:ietf:params:xml:ns:pidf:rpid"         // RFC 4480
	NSTimed  = "urn:ietf:params:xml:ns:pidf:timed-status" // RFC 4481
	NSCIPID  = "urn:ietf:params:xml:ns:pidf:cipid"        // RFC 4482
	NSCaps   = "urn:ietf:params:xml:ns:pidf:caps"         // RFC 5196
	NSSource = "urn:presfed:source"                       // Source, ours

	// nsServcaps is the capabilities' namespace before RFC 5196, which the
	// call-flows draft writes. Inside this package it never occurs: Parse
	// replaces it by NSCaps, the Draft dialect writes it again.
	nsServcaps = "urn:ietf:params:xml:ns:pidf:servcaps"

	nsXML   = "http://www.w3.org/XML/1998/namespace"
	nsXMLNS = "http://www.w3.org/2000/xmlns/"
)

// Name is an expanded name: a namespace URI (empty for none) and a local name.
type Name struct{ Space, Local string }

// Attr is an attribute that the package does not understand. Prefix is how the
// source spelled the namespace; another may be written.
type Attr struct {
	Name   Name
	Prefix string
	Value  string
}

// attr returns the value of the attribute without a namespace called local.
func attr(attrs []Attr, local string) string {
	for _, a := range attrs {
		if a.Name == (Name{"", local}) {
			return a.Value
		}
	}
	return ""
}
