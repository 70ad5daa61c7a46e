package pidf

import "slices"

// Capabilities is the servcaps element of a tuple (RFC 5196 section 3.2): what
// the service can do.
type Capabilities struct {
	Features     []Feature // the true-or-false ones: audio, text, message, ...
	Types        []string  // media types, "text/plain"
	Descriptions []Note
	Extensions   []Element // methods, event-packages, ... and foreign elements
	Attrs        []Attr

	rest rest
}

// Feature is one true-or-false capability of RFC 5196.
type Feature struct {
	Name      string
	Supported bool
}

// isFeature tells the boolean elements of RFC 5196 section 3.2.
func isFeature(local string) bool {
	switch local {
	case "application", "audio", "automata", "control", "data", "isfocus", "message", "text", "video":
		return true
	}
	return false
}

// capsRank is the place of an element in the sequence that RFC 5196's schema
// prescribes; foreign elements come last.
func capsRank(n Name) int {
	order := [...]string{"actor", "application", "audio", "automata", "class", "control", "data",
		"description", "duplex", "event-packages", "extensions", "isfocus", "message", "methods",
		"languages", "priority", "schemes", "text", "type", "video"}
	if n.Space == NSCaps {
		if i := slices.Index(order[:], n.Local); i >= 0 {
			return i
		}
	}
	return len(order)
}

// Has tells whether the named feature is said to be supported. It may be asked
// of nil.
func (c *Capabilities) Has(feature string) bool {
	return c != nil && slices.Contains(c.Features, Feature{feature, true})
}

// Labels lists the supported features and the media types, sorted, each once:
// "text", "text/plain". It may be asked of nil.
func (c *Capabilities) Labels() []string {
	if c == nil {
		return nil
	}
	var labels []string
	for _, f := range c.Features {
		if f.Supported {
			labels = append(labels, f.Name)
		}
	}
	labels = append(labels, c.Types...)
	slices.Sort(labels)
	return slices.Compact(labels)
}
