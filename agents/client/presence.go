package client

import "presfed/pidf"

// Person is what a presence document says of its person.
type Person struct {
	Activities []string `json:"activities,omitempty"`
	Note       string   `json:"note,omitempty"`
}

// Tuple is what a presence document says of one service.
type Tuple struct {
	ID           string   `json:"id"`
	Basic        string   `json:"basic,omitempty"` // open or closed
	Contact      string   `json:"contact,omitempty"`
	Priority     string   `json:"priority,omitempty"`
	Capabilities []string `json:"capabilities,omitempty"`
}

// readPresence adds what a presence document says; of one that cannot be read
// there is the body.
func (e *Event) readPresence(body []byte) {
	doc, err := pidf.Parse(body, pidf.DefaultLimits())
	if err != nil {
		return
	}
	if p, ok := doc.Person(); ok {
		e.Person = &Person{Activities: p.ActivityNames()}
		if notes := p.AllNotes(); len(notes) > 0 {
			e.Person.Note = notes[0].Text
		}
	}
	for _, t := range doc.Tuples {
		e.Tuples = append(e.Tuples, Tuple{
			ID: t.ID, Basic: string(t.Basic), Contact: t.Contact, Priority: t.Priority.String(), Capabilities: t.Capabilities.Labels(),
		})
	}
}
