package event

import (
	"slices"
	"time"

	"presfed/agents/internal/message"
	"presfed/db/state"
)

// Ask is what the floor above has found out of a SUBSCRIBE.
type Ask struct {
	Resource string // the address of record that is watched; its lane
	View     string // which view of it
	Watcher  string // the address of record of who asks, authenticated
	// Peer names what can be down or up as one: the server whose link the
	// NOTIFYs will take, or one device of the watcher's. Resume takes it.
	Peer    string
	Contact string        // ours, a whole Contact value
	Headers []state.Field // further fields of every NOTIFY
}

// Subscribe answers a SUBSCRIBE without a To tag: the questions of RFC 6665
// section 4.2.1 from top to bottom. It returns at once; the answer follows.
func (n *Notifier) Subscribe(tx Transaction, ask Ask) {
	req := tx.Request()
	event, pkg, err := n.packageOf(req, ask.View)
	if err != nil {
		Refuse(tx, err, n.cfg.Log)
		return
	}
	expires, err := pkg.expiry(req)
	if err != nil {
		Refuse(tx, err, n.cfg.Log)
		return
	}
	if pkg.Extension != "" {
		if !slices.Contains(message.Values(req, "Supported"), pkg.Extension) {
			Refuse(tx, &Refusal{Status: 421, Fields: []state.Field{{Name: "Require", Value: pkg.Extension}}}, n.cfg.Log)
			return
		}
		ask.Headers = append(slices.Clip(ask.Headers), state.Field{Name: "Require", Value: pkg.Extension})
	}
	// RFC 6665 section 4.1.2.1: nothing acceptable is 406.
	ctype, ok := contentType(req, pkg.Types)
	if !ok {
		Refuse(tx, &Refusal{Status: 406}, n.cfg.Log)
		return
	}
	s := &Subscription{pkg: pkg, source: tx.Source(), full: true, dirty: true, untold: true, durable: expires > 0}
	s.rec = state.Subscription{
		Half: state.Notifier, Package: pkg.Name, EventID: event.ID, ContentType: ctype,
		Resource: ask.Resource, View: ask.View, Watcher: ask.Watcher, Peer: ask.Peer, Contact: ask.Contact, Headers: ask.Headers,
	}
	if err := s.beginDialog(req); err != nil {
		Refuse(tx, err, n.cfg.Log)
		return
	}
	n.inLane(tx, ask.Resource, func() error { return n.create(tx, s, expires) })
}

// inLane does a request's part in the lane of its resource, unless too many
// wait there.
func (n *Notifier) inLane(tx Transaction, resource string, do func() error) {
	if n.cfg.Lanes.Waiting(resource) >= n.cfg.Limits.Waiting {
		Refuse(tx, &Refusal{Status: 503, Fields: []state.Field{{Name: "Retry-After", Value: Seconds(n.cfg.Retry)}}}, n.cfg.Log)
		return
	}
	n.cfg.Lanes.Do(resource, func() {
		if err := do(); err != nil {
			Refuse(tx, err, n.cfg.Log)
		}
	})
}

func (n *Notifier) packageOf(req *message.Request, view string) (Header, *Package, error) {
	event, err := EventOf(req)
	if err != nil {
		return event, nil, err
	}
	pkg := n.of(event.Package, view)
	if pkg == nil { // RFC 6665 section 4.2.1.1; none at all: section 4.2.3
		return event, nil, BadEvent(n.allow)
	}
	return event, pkg, nil
}

// expiry is how long the subscription is to last; 0 fetches or ends it.
func (p *Package) expiry(req *message.Request) (time.Duration, error) {
	if !message.Has(req, "Expires") {
		return p.Default, nil
	}
	seconds, ok := message.Seconds(req, "Expires")
	if !ok {
		return 0, &message.ParseError{Status: 400, Where: "Expires", What: "want whole seconds"}
	}
	d := time.Duration(seconds) * time.Second
	if d > 0 && d < time.Hour && d < p.Min { // RFC 6665 section 4.2.1.1
		return 0, TooBrief(p.Min)
	}
	return min(d, p.Max), nil
}

// beginDialog takes our side of the dialog from the SUBSCRIBE (RFC 3261 section
// 12.1.1).
func (s *Subscription) beginDialog(req *message.Request) error {
	from, err := message.From(req)
	if err != nil {
		return err
	}
	to, err := message.To(req)
	if err != nil {
		return err
	}
	cseq, err := message.CSeqOf(req)
	if err != nil {
		return err
	}
	if err := s.aim(req); err != nil {
		return err
	}
	r := &s.rec
	r.CallID, r.RemoteTag, r.LocalTag = message.CallID(req), from.Tag(), tag()
	if r.RemoteTag == "" {
		return &message.ParseError{Status: 400, Where: "From", What: "no tag"}
	}
	r.LocalAddress, r.RemoteAddress = to.WithTag(r.LocalTag).String(), from.String()
	r.ID = state.NewID()
	r.RemoteCSeq, s.initial = cseq.Seq, cseq.Seq
	r.Routes = message.Raw(req, "Record-Route") // RFC 3261 section 12.1.1: in order, for the callee
	s.head, err = newHead(message.NOTIFY, r)
	return err
}

// aim sets the remote target: one Contact with a SIP URI (RFC 6665 section 8.1.1
// makes it mandatory).
func (s *Subscription) aim(req *message.Request) error {
	contacts, err := message.Addresses(req, "Contact")
	if err != nil {
		return err
	}
	if len(contacts) != 1 || contacts[0].URI.Scheme != "sip" && contacts[0].URI.Scheme != "sips" {
		return &message.ParseError{Status: 400, Where: "Contact", What: "want one sip or sips URI"}
	}
	s.rec.Target = targetOf(contacts[0].URI)
	return nil
}

// targetOf is a Contact's URI as a Request-URI: without header fields (RFC 3261
// section 19.1.1).
func targetOf(u message.URI) string {
	u.Headers = nil
	return u.String()
}
