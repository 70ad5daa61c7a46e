// Package watcherinfo is who watches a resource, to and from XML (RFC 3858).
package watcherinfo

// ContentType is that of a document.
const ContentType = "application/watcherinfo+xml"

const namespace = "urn:ietf:params:xml:ns:watcherinfo"

// Document is what one NOTIFY tells.
type Document struct {
	Version uint32 // counts the documents of a subscription, from 0
	// Full: every watcher is here; else those that have changed.
	Full  bool
	Lists []List
}

// List is the watchers of one resource.
type List struct {
	Resource string
	Package  string // the event package that they watch by
	Watchers []Watcher
}

// Watcher is one subscription.
type Watcher struct {
	ID     string // a token; stays as long as the subscription
	URI    string
	Status Status
	Event  Event
	// What may be known of it: what she is called, and in which language; in whole
	// seconds the time until it expires and since it was made, nil: not known.
	Name, Lang             string
	Expiration, Subscribed *uint64
}

// Status is where a subscription stands (RFC 3857 section 4.7.1).
type Status string

// The statuses.
const (
	Pending    Status = "pending"
	Active     Status = "active"
	Waiting    Status = "waiting" // it ended before anybody decided
	Terminated Status = "terminated"
)

// Event is what brought a subscription to its status.
type Event string

// The events.
const (
	Subscribe   Event = "subscribe"
	Approved    Event = "approved"
	Deactivated Event = "deactivated"
	Probation   Event = "probation"
	Rejected    Event = "rejected"
	Timeout     Event = "timeout"
	Giveup      Event = "giveup"
	NoResource  Event = "noresource"
)

func (s Status) valid() bool {
	return s == Pending || s == Active || s == Waiting || s == Terminated
}

func (e Event) valid() bool {
	switch e {
	case Subscribe, Approved, Deactivated, Probation, Rejected, Timeout, Giveup, NoResource:
		return true
	}
	return false
}
