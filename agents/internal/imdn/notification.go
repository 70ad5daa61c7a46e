package imdn

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"

	"presfed/agents/internal/strictxml"
)

// Type is the content type of a notification.
const Type = "message/imdn+xml"

const namespace = "urn:ietf:params:xml:ns:imdn"

// Kind is a category of dispositions (section 5).
type Kind string

// The kinds.
const (
	Delivery   Kind = "delivery"
	Display    Kind = "display"
	Processing Kind = "processing"
)

// Status is what became of a message, within a kind.
type Status string

// The statuses.
const (
	Delivered Status = "delivered"
	Failed    Status = "failed"
	Displayed Status = "displayed"
	Processed Status = "processed"
	Stored    Status = "stored"
	Forbidden Status = "forbidden" // it is denied to tell
	Error     Status = "error"     // it is not known
)

// statuses are those of each kind.
var statuses = map[Kind][]Status{
	Delivery:   {Delivered, Failed, Forbidden, Error},
	Display:    {Displayed, Forbidden, Error},
	Processing: {Processed, Stored, Forbidden, Error},
}

// Notification is one disposition of one message (section 11).
type Notification struct {
	MessageID         string // the message's
	DateTime          string // when it was sent, as it said
	Recipient         string // URI; empty: not said
	OriginalRecipient string // URI; empty: not said
	Subject           string
	Kind              Kind
	Status            Status
}

// Parse reads a notification. Errors say what is wrong, and where.
func Parse(doc []byte) (n Notification, err error) {
	root, err := strictxml.Parse(doc, strictxml.Small)
	if err != nil {
		return n, fmt.Errorf("imdn: %w", err)
	}
	if !root.Is(namespace, "imdn") {
		return n, fmt.Errorf("imdn: the root is %.60q of %.60q", root.Local, root.Space)
	}
	for _, part := range []struct {
		name string
		into *string
		must bool
	}{
		{"message-id", &n.MessageID, true}, {"datetime", &n.DateTime, true}, {"recipient-uri", &n.Recipient, false},
		{"original-recipient-uri", &n.OriginalRecipient, false}, {"subject", &n.Subject, false},
	} {
		switch all := root.All(part.name); {
		case len(all) > 1:
			return Notification{}, fmt.Errorf("imdn: more than one %s", part.name)
		case len(all) == 1:
			*part.into = all[0].Token()
		case part.must:
			return Notification{}, fmt.Errorf("imdn: no %s", part.name)
		}
	}
	if n.MessageID == "" {
		return Notification{}, fmt.Errorf("imdn: an empty message-id")
	}
	if n.Kind, n.Status, err = disposition(root); err != nil {
		return Notification{}, err
	}
	return n, nil
}

// disposition reads the one notification of a document and its status, beside
// which extensions may stand.
func disposition(root *strictxml.Element) (kind Kind, status Status, err error) {
	var said *strictxml.Element
	for k := range statuses {
		for _, e := range root.All(string(k) + "-notification") {
			if said != nil {
				return "", "", fmt.Errorf("imdn: more than one notification")
			}
			said, kind = e, k
		}
	}
	if said == nil {
		return "", "", fmt.Errorf("imdn: no notification of delivery, display or processing")
	}
	all := said.All("status")
	if len(all) != 1 {
		return "", "", fmt.Errorf("imdn: a notification has one status, not %d", len(all))
	}
	for _, e := range all[0].Children {
		if e.Space != namespace || !slices.Contains(statuses[kind], Status(e.Local)) {
			continue
		}
		if status != "" {
			return "", "", fmt.Errorf("imdn: more than one status of %s", kind)
		}
		status = Status(e.Local)
	}
	if status == "" {
		return "", "", fmt.Errorf("imdn: no status of %s that is known", kind)
	}
	return kind, status, nil
}

// Marshal writes the document.
func (n Notification) Marshal() []byte {
	var b bytes.Buffer
	element := func(name, text string) {
		b.WriteString("  <" + name + ">")
		_ = xml.EscapeText(&b, []byte(text)) // a buffer does not fail
		b.WriteString("</" + name + ">\n")
	}
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<imdn xmlns="` + namespace + `">` + "\n")
	element("message-id", n.MessageID)
	element("datetime", n.DateTime)
	if n.Recipient != "" || n.OriginalRecipient != "" || n.Subject != "" { // the schema has the later ones only behind the earlier
		element("recipient-uri", n.Recipient)
		element("original-recipient-uri", n.OriginalRecipient)
	}
	if n.Subject != "" {
		element("subject", n.Subject)
	}
	kind := string(n.Kind) + "-notification"
	b.WriteString("  <" + kind + "><status><" + string(n.Status) + "/></status></" + kind + ">\n</imdn>\n")
	return b.Bytes()
}
