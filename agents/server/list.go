package server

import (
	"context"
	"errors"
	"strings"

	"presfed/agents/internal/auth"
	"presfed/agents/internal/event"
	"presfed/agents/internal/eventlist"
	"presfed/agents/internal/im"
	"presfed/agents/internal/message"
	"presfed/agents/internal/presence"
	"presfed/agents/internal/rlmi"
	"presfed/agents/internal/sip"
	"presfed/db"
	"presfed/db/state"
	"presfed/routing"
)

// startLists wires buddy lists to the subscriptions that they are made of.
func (s *Server) startLists() {
	s.lists = eventlist.New(eventlist.Config{
		Name: presence.Name, Lanes: &s.lanes, Members: s.buddies, Subscribe: s.watchFor,
		Wait: s.cfg.FirstNotify, Grace: s.cfg.ShareGrace, Most: s.cfg.Limits.Buddies, Host: s.self.Identity, Clock: s.cfg.Clock, Log: s.log,
	})
}

// subscribeList takes a SUBSCRIBE for a list of the user whom the Request-URI
// names: at her own server, which knows her list and speaks in her name.
func (s *Server) subscribeList(tx *sip.ServerTx, list string) {
	req := tx.Request()
	sender, err := s.shown(context.Background(), tx, auth.UserAgent)
	if err != nil {
		s.refuse(tx, err)
		return
	}
	where, err := s.where(context.Background(), req, im.Sender{})
	if err != nil {
		s.refuse(tx, err)
		return
	}
	ask, err := s.ask(tx, sender, where.User)
	switch {
	case err != nil:
		s.refuse(tx, err)
	case sender.User == "":
		s.reply(tx, 403)
	case s.understands(tx, rlmi.Extension):
		ask.Resource, ask.View = ask.Resource+";"+rlmi.Param+"="+list, eventlist.View
		tx.Queued()
		s.notifier.Subscribe(tx, ask)
	}
}

// buddies are who is on a user's list, if this server is hers.
func (s *Server) buddies(owner string) ([]string, error) {
	ctx := context.Background()
	aor := strings.TrimPrefix(owner, scheme)
	if _, err := s.locate.User(ctx, aor); errors.Is(err, db.ErrNotFound) {
		return nil, &event.Refusal{Status: 404}
	}
	place, err := s.locate.Place(ctx, aor)
	if err != nil {
		return nil, err
	}
	if !place.Serves(s.cfg.Name) {
		return nil, &event.Refusal{Status: 404}
	}
	aors, err := s.locate.Buddies(ctx, aor)
	uris := make([]string, 0, len(aors))
	for _, buddy := range aors {
		uris = append(uris, scheme+buddy)
	}
	return uris, err
}

// watchFor subscribes to a buddy in her owner's name and in domain form, wherever
// the buddy is shown: what she sees is what her own subscription would bring.
func (s *Server) watchFor(key, owner, buddy string, on func(event.Update)) (end func()) {
	want := event.Wanted{
		Key: key, Package: presence.Name, Accept: []string{presence.ContentType},
		URI: buddy, From: "<" + owner + ">", Resource: buddy, Watcher: owner,
		Headers: []state.Field{{Name: "P-Asserted-Identity", Value: "<" + owner + ">"}},
	}
	status, err := s.aim(&want)
	if err != nil || status != 0 {
		s.log.Info("a buddy cannot be watched", "owner", owner, "buddy", buddy, "status", status, "error", err)
		s.lanes.Do(key, func() { on(event.Update{Status: status, Err: err, Over: true}) })
		return func() {}
	}
	return s.subscriber.Subscribe(want, func(_ *event.Watch, u event.Update) { on(u) }).Unsubscribe
}

// aim has a subscription go to the server that shows whom it is for, or to our
// own notifier; a status says that routing refuses.
func (s *Server) aim(want *event.Wanted) (status int, err error) {
	ctx := context.Background()
	uri, err := message.ParseURI(want.URI)
	if err != nil {
		return 404, nil
	}
	where, err := s.where(ctx, message.NewRequest(message.SUBSCRIBE, uri), im.Sender{})
	if refusal, ok := errors.AsType[*routing.Refusal](err); ok {
		return refusal.Status, nil
	}
	if refusal, ok := errors.AsType[*message.ParseError](err); ok {
		return refusal.Status, nil
	}
	if err != nil {
		return 0, err
	}
	want.Peer = s.cfg.Name
	side := sip.Source{Transport: "TLS"} // it is ours, and we know our name
	if passedOn(where.Targets) {
		peer, err := s.locate.Server(ctx, where.Targets[0].Server)
		if err != nil {
			return 0, err
		}
		want.Peer = peer.Name
		want.Routes = []string{"<" + scheme + peer.Identity + ";lr>"}
		side.Transport = strings.ToUpper(peer.Transport)
	}
	want.Contact = s.contactHere(uri.User, side)
	return 0, nil
}

// listsChanged has lists follow the directory: who is on them, and whom those
// members are asked of who refused before, or are served elsewhere now.
func (s *Server) listsChanged(all bool, owners, moved, others []string) {
	uris := func(aors []string) (out []string) {
		for _, aor := range aors {
			out = append(out, scheme+aor)
		}
		return out
	}
	switch {
	case all:
		s.lists.Changed()
	case len(owners) > 0:
		s.lists.Changed(uris(owners)...)
	}
	s.lists.Moved(uris(moved)...)
	switch {
	case all:
		s.lists.Reconsidered()
	case len(others) > 0:
		s.lists.Reconsidered(uris(others)...)
	}
}
