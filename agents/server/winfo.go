package server

import (
	"context"
	"strings"

	"presfed/agents/internal/event"
	"presfed/agents/internal/im"
	"presfed/agents/internal/policy"
	"presfed/agents/internal/presence"
	"presfed/agents/internal/sip"
	"presfed/agents/internal/winfo"
)

// startWinfo wires who watches presence to those who are watched.
func (s *Server) startWinfo() {
	s.winfo = winfo.New(winfo.Config{
		Package: presence.Name, Lanes: &s.lanes, Store: s.store, Policy: s.verdict, Counts: watches, Gap: s.cfg.WatchersEvery, Clock: s.cfg.Clock, Log: s.log,
	})
}

// watches: another server's subscription to a share in the presentity's own name
// is no watcher of hers.
func watches(sub *event.Subscription) bool {
	return sub.View() != presence.Own || sub.Watcher() != sub.Resource()
}

// verdict is policy's word on somebody who has no subscription at present.
func (s *Server) verdict(presentity, watcher string) (event.Verdict, error) {
	d, err := s.policy.Decide(context.Background(), strings.TrimPrefix(presentity, scheme), strings.TrimPrefix(watcher, scheme))
	return verdictOf(d), err
}

func verdictOf(d policy.Decision) event.Verdict {
	switch presence.Treatment(d.Handling) {
	case presence.Allow, presence.PoliteBlock:
		return event.Active
	case presence.Confirm:
		return event.Pending
	}
	return event.Rejected
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
	s.notifier.Subscribe(tx, ask)
}
