package imdn

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"presfed/agents/internal/cpim"
)

// Space is the namespace of the headers (section 6.1).
const Space = "urn:ietf:params:imdn"

const prefix = "imdn"

// The values of Disposition-Notification (section 10). Delivery is asked for by
// two of them, for success and for failure.
const (
	positiveDelivery = "positive-delivery"
	negativeDelivery = "negative-delivery"
)

// Ask has a message ask for notifications of these kinds by an ID that nobody can
// guess (section 7.1.1). The message has its addresses already.
func Ask(m *cpim.Message, id string, sent time.Time, kinds ...Kind) {
	var values []string
	for _, k := range kinds {
		if k == Delivery {
			values = append(values, positiveDelivery, negativeDelivery)
		} else {
			values = append(values, string(k))
		}
	}
	name(m, id)
	m.Add("", "DateTime", sent.UTC().Format(time.RFC3339))
	m.Add(prefix, "Disposition-Notification", strings.Join(values, ", "))
}

// name gives a message its ID.
func name(m *cpim.Message, id string) {
	m.Add("", "NS", cpim.Address{Name: prefix, URI: Space}.String())
	m.Add(prefix, "Message-ID", id)
}

// Request is what the sender of a message has asked for, and what answers need
// of it.
type Request struct {
	ID   string
	From string // URI
	// Kinds are what it wants to be told of, Delivery where it is told of success.
	Kinds []Kind

	dateTime, to, originalTo, subject string
	routes                            []cpim.Header // IMDN-Record-Route
}

// Wants says whether a kind was asked for.
func (r Request) Wants(k Kind) bool { return slices.Contains(r.Kinds, k) }

// Route is where an intermediary wants answers sent, as a URI; empty: nowhere
// else than to the sender (section 6.6).
func (r Request) Route() string {
	if len(r.routes) == 0 {
		return ""
	}
	a, _ := cpim.ParseAddress(r.routes[0].Value)
	return a.URI
}

// maxRoutes bounds the intermediaries of a message.
const maxRoutes = 16

// Asked reads what a message asks for. A notification asks for nothing, whatever
// it says (section 7.2.1), and neither does what cannot be answered: without an
// ID or a sender, or with an intermediary that has no address.
func Asked(m *cpim.Message) (r Request, ok bool) {
	text := func(space, name string) string {
		h, _ := m.Get(space, name)
		return h.Text()
	}
	for h := range m.All(Space, "Disposition-Notification") {
		for _, value := range strings.Split(h.Text(), ",") {
			value, _, _ = strings.Cut(value, ";")
			switch k := Kind(strings.TrimSpace(value)); {
			case k == positiveDelivery && !r.Wants(Delivery):
				r.Kinds = append(r.Kinds, Delivery)
			case (k == Display || k == Processing) && !r.Wants(k):
				r.Kinds = append(r.Kinds, k)
			}
		}
	}
	from, err := address(m, cpim.Space, "From")
	r.ID, r.From = text(Space, "Message-ID"), from
	r.dateTime, r.subject = text(cpim.Space, "DateTime"), text(cpim.Space, "Subject")
	r.to, _ = address(m, cpim.Space, "To")
	r.originalTo, _ = address(m, Space, "Original-To")
	for h := range m.All(Space, "IMDN-Record-Route") {
		_, rerr := cpim.ParseAddress(h.Value)
		if r.routes = append(r.routes, h); rerr != nil || len(r.routes) > maxRoutes {
			return Request{}, false
		}
	}
	if err != nil || r.ID == "" || len(r.Kinds) == 0 || isNotification(m.Content) {
		return Request{}, false
	}
	return r, true
}

// address is the URI of a header.
func address(m *cpim.Message, space, name string) (string, error) {
	h, ok := m.Get(space, name)
	if !ok {
		return "", fmt.Errorf("no %s", name)
	}
	a, err := cpim.ParseAddress(h.Value)
	return a.URI, err
}

// isNotification: section 9, and what only looks like one, for nobody must be
// made to answer an answer.
func isNotification(c cpim.Content) bool {
	kind, _, _ := strings.Cut(c.Get("Content-Type"), ";")
	use, _, _ := strings.Cut(c.Get("Content-Disposition"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), Type) || strings.EqualFold(strings.TrimSpace(use), "notification")
}

// Answer is the notification that tells the sender, from the recipient's URI;
// id is the answer's own (section 7.2.1).
func (r Request) Answer(id, from string, kind Kind, status Status) *cpim.Message {
	m := &cpim.Message{}
	m.Add("", "From", cpim.Address{URI: from}.String())
	m.Add("", "To", cpim.Address{URI: r.From}.String())
	name(m, id)
	for _, route := range r.routes {
		m.Add(prefix, "IMDN-Route", route.Value)
	}
	n := Notification{
		MessageID: r.ID, DateTime: r.dateTime, Recipient: r.to, OriginalRecipient: cmp.Or(r.originalTo, r.to), Subject: r.subject, Kind: kind, Status: status,
	}
	m.Content = cpim.Content{
		Fields: []cpim.Field{{Name: "Content-Type", Value: Type}, {Name: "Content-Disposition", Value: "notification"}},
		Body:   n.Marshal(),
	}
	return m
}
