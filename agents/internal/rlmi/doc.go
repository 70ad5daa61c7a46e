// Package rlmi is the state of a list of resources as NOTIFYs carry it (RFC 4662
// section 5): a body of several parts, of which the first says what is on the
// list and how each subscription fares, and the others what is known of each.
package rlmi

// The words of RFC 4662 on the wire.
const (
	Extension = "eventlist"            // the option tag
	BodyType  = "multipart/related"    // of a body
	MetaType  = "application/rlmi+xml" // of its first part
	namespace = "urn:ietf:params:xml:ns:rlmi"
)

// BuddyList is the URI of a user's buddy list: her address of record with a
// parameter. No user is called that, whatever the directory holds, since an
// address of record has none; and what is routed by her name finds her server.
func BuddyList(aor string) string { return aor + ";" + Param + "=" + Buddies }

// The parameter that makes a user's URI that of a list of hers, and its value for
// her buddies.
const (
	Param   = "list"
	Buddies = "buddies"
)

// The states of an instance.
const (
	Active     = "active"
	Pending    = "pending"
	Terminated = "terminated"
)

// List is what one NOTIFY tells of a list.
type List struct {
	URI     string
	Version uint32 // counts the NOTIFYs of a subscription, from 0
	// Full: every resource of the list is here; else those that have changed.
	Full      bool
	Names     []Name
	Resources []Resource
}

// Name is what people call a list or a resource.
type Name struct{ Lang, Text string }

// Resource is one row of a list.
type Resource struct {
	URI   string
	Names []Name
	// Instances are the subscriptions to it; none: nothing is known yet.
	Instances []Instance
}

// Instance is one subscription to a resource, and what it told last.
type Instance struct {
	ID     string // among those of its resource
	State  string // Active, Pending, Terminated
	Reason string // of Terminated: one of RFC 6665 section 4.1.3
	Type   string // of Body
	Body   []byte // none: nothing is told

	cid string // the part that has the body
}

// Limits bound what a peer's body may hold.
type Limits struct {
	Bytes     int // of any part
	Resources int // on the list
	Instances int // of one resource; as many names
}

// DefaultLimits suit what one SIP message holds.
var DefaultLimits = Limits{Bytes: 256 << 10, Resources: 2048, Instances: 16}
