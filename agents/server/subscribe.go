package server

import (
	"context"
	"slices"

	"presfed/agents/internal/auth"
	"presfed/agents/internal/event"
	"presfed/agents/internal/im"
	"presfed/agents/internal/message"
	"presfed/agents/internal/presence"
	"presfed/agents/internal/rlmi"
	"presfed/agents/internal/sip"
	"presfed/db"
	"presfed/db/state"
	"presfed/routing"
)

// subscribe takes a SUBSCRIBE outside any dialog: who asks, for whom, and is
// she shown here or at another server.
func (s *Server) subscribe(tx *sip.ServerTx) {
	ctx := context.Background()
	req := tx.Request()
	if list, ok := message.URIParam(req.Recipient, rlmi.Param); ok {
		s.subscribeList(tx, list)
		return
	}
	sender, err := s.shown(ctx, tx, s.asksAs(ctx, req.Recipient))
	if err != nil { // who does not say who she is learns nothing of whom she asks for
		s.refuse(tx, err)
		return
	}
	ev, err := event.EventOf(req)
	ofWatchers := err == nil && ev.Package == s.winfo.Name()
	if ofWatchers && sender.Peer != "" && !s.domains(req.Recipient) {
		s.subscribeWinfoHere(tx, sender)
		return
	}
	where, err := s.where(ctx, req, sender)
	if err != nil {
		s.refuse(tx, err)
		return
	}
	if passedOn(where.Targets) {
		s.im.Pass(tx, sender, where.Targets[0])
		return
	}
	if !s.understands(tx) {
		return
	}
	if sender.User == "" {
		s.reply(tx, mayNotSpeak)
		return
	}
	if ofWatchers {
		s.subscribeWinfo(tx, sender, where)
		return
	}
	ask, err := s.ask(tx, sender, where.User)
	if err != nil {
		s.refuse(tx, err)
		return
	}
	switch ask.View, err = s.view(ctx, req, sender.Peer, where); {
	case err != nil:
		s.refuse(tx, err)
		return
	case ask.View == "":
		s.reply(tx, mayNotSpeak)
		return
	}
	tx.Queued()
	s.notifier.Subscribe(tx, ask)
}

// asksAs is how a SUBSCRIBE is challenged: as its Request-URI says, not as the user
// is placed, which would tell everybody that there is one.
func (s *Server) asksAs(ctx context.Context, uri message.URI) auth.Role {
	if server, ok := s.serverAt(ctx, uri); ok && server.Name != s.cfg.Name {
		return auth.Proxy
	}
	return auth.UserAgent
}

// view is what a SUBSCRIBE asks for; "": what is not to be had here. In server form
// it is our own share, unless a watcher is behind it (a Record-Route says so): then
// the server that passed it on takes the user to be ours alone, and we know better.
// One of the two is behind the directory; what they make of it must last.
func (s *Server) view(ctx context.Context, req *message.Request, peer string, where im.Where) (string, error) {
	form := peer != "" && !s.domains(req.Recipient)
	share := form || where.Targets[0].Kind == routing.OwnShare && where.Model.Unioned()
	switch watched := message.Has(req, "Record-Route"); {
	case !share && peer != "" && where.Model == routing.Peer:
		// Her own server shows her. Where each server has its own policy no other
		// one would believe us about a watcher of that peer's.
		domain, err := s.locate.Domain(ctx)
		if err != nil || domain.PolicyMode == db.DistributedPolicy {
			return "", err
		}
		return presence.Composed, nil
	case !share || form && watched && !where.Model.Unioned():
		return presence.Composed, nil
	case !watched:
		return presence.Own, nil
	}
	place, err := s.locate.Place(ctx, where.User)
	if err != nil || place.Root != s.cfg.Name { // among peers her own server shows her
		return "", err
	}
	return presence.Composed, nil
}

// mayNotSpeak answers a SUBSCRIBE of a peer for a user whom it may not speak for. One
// of the two may be behind the directory, and 403 would be the presentity's word on
// the watcher, which ends what she watches.
const mayNotSpeak = 480

// ask is a sender's SUBSCRIBE about a user as the notifier takes it.
func (s *Server) ask(tx *sip.ServerTx, sender im.Sender, user string) (event.Ask, error) {
	req := tx.Request()
	ask := event.Ask{
		Resource: scheme + user, View: presence.Composed, Watcher: scheme + sender.User,
		Contact: s.contactHere(req.Recipient.User, tx.Source()),
	}
	if sender.Peer != "" {
		ask.Peer = sender.Peer
		// 4.1.1 F5: the presentity is asserted towards a server.
		ask.Headers = []state.Field{{Name: "P-Asserted-Identity", Value: "<" + scheme + user + ">"}}
		return ask, nil
	}
	contact, err := message.AddressOf(req, "Contact")
	ask.Peer = device(sender.User, contact.URI)
	return ask, err
}

// passedOn: another server shows the presentity, and none of it is ours.
func passedOn(targets []routing.Target) bool {
	return len(targets) > 0 && !slices.ContainsFunc(targets, func(t routing.Target) bool { return t.Kind != routing.ToPeer })
}

// refresh takes a SUBSCRIBE within a dialog of ours.
func (s *Server) refresh(tx *sip.ServerTx) {
	sender, err := s.speaker(context.Background(), tx, auth.UserAgent)
	if err != nil {
		s.refuse(tx, err)
		return
	}
	watcher := ""
	switch {
	case sender.User != "":
		watcher = scheme + sender.User
	case message.Has(tx.Request(), "P-Asserted-Identity"):
		status := 403 // for a user whom that peer may not speak for
		if s.assertsWatcher(tx.Request()) {
			status = mayNotSpeak // any more, or as far as we know yet
		}
		s.reply(tx, status)
		return
	}
	if s.understands(tx, rlmi.Extension) {
		tx.Queued()
		s.notifier.Refresh(tx, watcher, sender.Peer)
	}
}

// assertsWatcher says that a refresh asserts whom its subscription is for.
func (s *Server) assertsWatcher(req *message.Request) bool {
	to, err := message.To(req)
	if err != nil {
		return false
	}
	watcher := s.notifier.Watcher(message.CallID(req), to.Tag())
	identities, err := message.Addresses(req, "P-Asserted-Identity")
	return err == nil && slices.ContainsFunc(identities, func(id message.Address) bool {
		aor, err := db.ParseAOR(message.AOR(id.URI), s.domain.Name)
		return err == nil && scheme+aor == watcher
	})
}

// publish takes a user's own PUBLISH, or that of a peer which hands it over.
func (s *Server) publish(tx *sip.ServerTx) {
	ctx := context.Background()
	sender, err := s.speaker(ctx, tx, auth.UserAgent)
	if err != nil {
		s.refuse(tx, err)
		return
	}
	where, err := s.where(ctx, tx.Request(), sender)
	if err != nil {
		s.refuse(tx, err)
		return
	}
	if where.User != sender.User {
		s.log.Info("refused: a publication for somebody else", "aor", where.User, "sender", sender.User, "call_id", message.CallID(tx.Request()))
		s.reply(tx, 403)
		return
	}
	take := func() {
		if s.understands(tx) {
			tx.Queued()
			s.presence.Publish(tx, scheme+where.User)
		}
	}
	if !passedOn(where.Targets) {
		take()
		return
	}
	// What was published here before we handed over stays here as long as it lives:
	// at the root it would be unknown, published anew, and there twice.
	s.presence.Holds(scheme+where.User, message.Get(tx.Request(), "SIP-If-Match"), func(here bool) {
		if here {
			take()
		} else {
			s.im.Pass(tx, sender, where.Targets[0])
		}
	})
}
