package server

import (
	"presfed/agents/internal/event"
	"presfed/agents/internal/message"
	"presfed/agents/internal/presence"
	"presfed/agents/internal/sip"
	"presfed/db"
)

// inside is a transaction between our own subscriber and our own notifier: what
// a list has of a user shown here goes the way of any other subscription, but for
// the wire.
type inside struct {
	req  *message.Request
	done func(res *message.Response)
}

func (tx *inside) Request() *message.Request { return tx.req }
func (tx *inside) Source() sip.Source        { return sip.Source{} }
func (tx *inside) Respond(res *message.Response) error {
	tx.done(res)
	return nil
}

// subscribeInside has our notifier answer a SUBSCRIBE of our subscriber.
func (s *Server) subscribeInside(req *message.Request, done func(*message.Response, error)) {
	tx := &inside{req, func(res *message.Response) { done(res, nil) }}
	refuse := func(status int) { event.Refuse(tx, &event.Refusal{Status: status}, s.log) }
	watcher, err := message.AddressOf(req, "P-Asserted-Identity")
	if err != nil {
		event.Refuse(tx, err, s.log)
		return
	}
	to, err := message.To(req)
	if err != nil {
		event.Refuse(tx, err, s.log)
		return
	}
	if to.Tag() != "" {
		s.notifier.Refresh(tx, message.AOR(watcher.URI), s.cfg.Name)
		return
	}
	aor, err := db.ParseAOR(message.AOR(req.Recipient), s.domain.Name)
	if err != nil {
		refuse(404)
		return
	}
	s.notifier.Subscribe(tx, event.Ask{
		Resource: scheme + aor, View: presence.Composed, Watcher: message.AOR(watcher.URI), Peer: s.cfg.Name,
		Contact: s.contactHere(req.Recipient.User, sip.Source{Transport: "TLS"}),
	})
}

// notifyInside has our subscriber take a NOTIFY of our notifier; false where it is
// for no subscription that is held inside.
func (s *Server) notifyInside(n *event.Notice, done func(event.Outcome)) bool {
	if n.Peer != s.cfg.Name {
		return false
	}
	m, err := message.Parse(n.Bytes("SIP/2.0/TLS "+s.self.Identity+";branch="+sip.NewBranch()), message.DefaultLimits)
	if err != nil {
		s.log.Error("a NOTIFY to ourselves", "error", err)
		done(event.Outcome{Status: 400})
		return true
	}
	s.subscriber.Notify(&inside{m.(*message.Request), func(res *message.Response) { done(event.Outcome{Status: res.StatusCode}) }})
	return true
}
