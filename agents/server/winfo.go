package server

import (
	"context"
	"slices"
	"strings"

	"presfed/agents/internal/backend"
	"presfed/agents/internal/event"
	"presfed/agents/internal/im"
	"presfed/agents/internal/presence"
	"presfed/agents/internal/sip"
	"presfed/agents/internal/watcherinfo"
	"presfed/agents/internal/winfo"
	"presfed/routing"
)

// startWinfo wires who watches presence to those who are watched.
func (s *Server) startWinfo() {
	s.winfo = winfo.New(winfo.Config{
		Package: presence.Name, Lanes: &s.lanes, Store: s.store, Policy: s.verdict, Counts: watches,
		Others: s.watchedElsewhere, Subscribe: s.watchersAt, Wait: s.cfg.FirstNotify, Gap: s.cfg.WatchersEvery, Clock: s.cfg.Clock, Log: s.log,
	})
}

// watches: another server's subscription to a share, in whatever name, is no watcher
// of hers; those who watch there are told of there.
func watches(sub *event.Subscription) bool { return sub.View() == presence.Composed }

// watchedElsewhere are the other servers that show a user to watchers of theirs:
// among peers each of the domain does.
func (s *Server) watchedElsewhere(presentity string) (names []string) {
	ctx := context.Background()
	place, err := s.locate.Place(ctx, strings.TrimPrefix(presentity, scheme))
	if err != nil || place.Model != routing.Peer {
		return nil
	}
	names = slices.Clone(place.Servers)
	if servers, err := s.locate.Servers(ctx); err == nil {
		names = nil
		for _, server := range servers {
			names = append(names, server.Name)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == s.cfg.Name })
}

// watchersAt subscribes to who watches a user at another server, in her name and in
// server form.
func (s *Server) watchersAt(presentity, server string, on func(event.Update)) (end func()) {
	want, err := s.askShare(presentity, backend.Need{Server: server})
	if err != nil {
		s.lanes.Do(presentity, func() { on(event.Update{Err: err, Over: true}) })
		return func() {}
	}
	want.Key, want.Peer, want.Resource, want.Watcher = presentity, server, presentity, presentity
	want.Package, want.Accept = s.winfo.Name(), []string{watcherinfo.ContentType}
	want.Read = func(_ string, body []byte) (any, error) {
		d, err := watcherinfo.Parse(body)
		return &d, err
	}
	return s.subscriber.Subscribe(want, func(_ *event.Watch, u event.Update) { on(u) }).Unsubscribe
}

// verdict is policy's word on somebody who has no subscription at present.
func (s *Server) verdict(presentity, watcher string) (event.Verdict, error) {
	treatment, err := s.mayWatch(presentity, watcher)
	return treatment.Verdict(), err
}

// subscribeWinfo takes a user's SUBSCRIBE for who watches her: where her presence
// is shown whole, which is where her watchers are.
func (s *Server) subscribeWinfo(tx *sip.ServerTx, sender im.Sender, where im.Where) {
	if sender.User != where.User {
		s.reply(tx, 403) // RFC 3857 section 4.6
		return
	}
	view, err := s.view(context.Background(), tx.Request(), sender.Peer, where)
	if err != nil {
		s.refuse(tx, err)
		return
	}
	if view != presence.Composed {
		s.reply(tx, mayNotSpeak)
		return
	}
	ask, err := s.ask(tx, sender, where.User)
	if err != nil {
		s.refuse(tx, err)
		return
	}
	ask.View = winfo.View
	tx.Queued()
	s.notifier.Subscribe(tx, ask)
}

// subscribeWinfoHere takes a SUBSCRIBE in server form for who watches a user at this
// server, by another one that serves her, in her name.
func (s *Server) subscribeWinfoHere(tx *sip.ServerTx, sender im.Sender) {
	ctx := context.Background()
	aor, err := s.userOf(tx.Request().Recipient)
	if err != nil || sender.User != aor {
		s.reply(tx, 403)
		return
	}
	place, err := s.locate.Place(ctx, aor)
	if err != nil {
		s.refuse(tx, err)
		return
	}
	if place.Model != routing.Peer || !place.Serves(sender.Peer) {
		s.reply(tx, mayNotSpeak)
		return
	}
	if !s.understands(tx) {
		return
	}
	ask, err := s.ask(tx, sender, aor)
	if err != nil {
		s.refuse(tx, err)
		return
	}
	ask.View = winfo.Here
	tx.Queued()
	s.notifier.Subscribe(tx, ask)
}
