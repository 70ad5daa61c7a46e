package server

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"presfed/agents/internal/event"
	"presfed/agents/internal/message"
	"presfed/agents/internal/presence"
	"presfed/agents/internal/sip"
	"presfed/db/state"
)

// Presentities are called by their URI in the rooms of presence, since it
// stands in the documents; the directory knows them without a scheme.
const scheme = "sip:"

// startPresence wires publications to subscriptions and restores both.
func (s *Server) startPresence(snapshot state.Snapshot) {
	s.presence = presence.New(presence.Config{
		Lanes: &s.lanes, Store: s.store, Policy: s.mayWatch, Clock: s.cfg.Clock, Log: s.log,
		Others: s.others, Need: s.needShares, Wait: s.cfg.FirstNotify, Min: s.cfg.MinExpires, Mirror: true, Most: s.cfg.Limits.Publications,
		Keep: s.winfo.Keep, Began: s.winfo.Began, Settled: s.winfo.Settled, Ended: s.winfo.Ended,
	})
	s.notifier = event.NewNotifier(event.NotifierConfig{
		Packages: []event.Package{s.presence.Package(), s.lists.Package(), s.winfo.Package()}, Lanes: &s.lanes, Store: s.store, Send: s.sendNotify,
		Limits: s.cfg.Limits.notifier(),
		Retry:  s.cfg.PeerRetry, Clock: s.cfg.Clock, Log: s.log,
	})
	s.presence.Bind(s.notifier)
	s.lists.Bind(s.notifier)
	s.winfo.Bind(s.notifier)
	s.winfo.Restore(snapshot.Asking)
	s.presence.Restore(snapshot.Publications)
	s.notifier.Restore(slices.DeleteFunc(slices.Clone(snapshot.Subscriptions), func(sub state.Subscription) bool {
		return sub.Half != state.Notifier
	}))
	s.shares = slices.DeleteFunc(slices.Clone(snapshot.Subscriptions), func(sub state.Subscription) bool {
		return sub.Half != state.Subscriber
	})
	s.locate.OnChange(s.directoryChanged)
}

func (s *Server) mayWatch(presentity, watcher string) (presence.Treatment, error) {
	d, err := s.policy.Decide(context.Background(), strings.TrimPrefix(presentity, scheme), strings.TrimPrefix(watcher, scheme))
	return presence.Treatment(d.Handling), err
}

// sendNotify finds the way to a watcher: to a server as the directory says, to
// a device down the connection it registered by last, or its SUBSCRIBE came by,
// while that lives.
func (s *Server) sendNotify(n *event.Notice, done func(event.Outcome)) {
	if s.notifyInside(n, done) {
		return
	}
	server, peer := s.serverAt(context.Background(), n.Hop)
	s.way(n.Hop, server, peer, func(targets []sip.Target, err error) {
		var to sip.Target
		if !peer {
			to = s.connection(n)
		}
		switch {
		case to.Flow != 0:
			if len(targets) > 0 && targets[0].Transport == to.Transport {
				to.Addr, to.ServerName = targets[0].Addr, targets[0].ServerName
			}
			n.Send(s.endpoint, to, done)
		case err != nil:
			done(event.Outcome{Err: err})
		case len(targets) == 0:
			done(event.Outcome{Err: sip.ErrTransport})
		default:
			n.Send(s.endpoint, targets[0], done)
		}
	})
}

// connection is the one that leads to a watcher's device; zero where none does.
func (s *Server) connection(n *event.Notice) sip.Target {
	if hop, ok := s.registrar.Live(strings.TrimPrefix(n.Watcher, scheme), n.Hop); ok {
		return hop
	}
	return sip.Target{Flow: n.Source.Flow, Transport: n.Source.Transport}
}

// device names a user's device as a link that can be down, by where its contact
// is. Other devices of hers may be up meanwhile.
func device(aor string, contact message.URI) string {
	return fmt.Sprintf("device %s at %s@%s:%d", aor, contact.User, strings.ToLower(contact.Host), contact.Port)
}

// devicesBack has devices told what they missed while they could not be reached.
func (s *Server) devicesBack(aor string, registered []message.URI) {
	for _, contact := range registered {
		s.notifier.Resume(device(aor, contact))
	}
}

// contactHere is our own Contact for a user towards a side.
func (s *Server) contactHere(user string, side sip.Source) string {
	uri := s.recordRoute(side)
	uri.User = user
	return message.Address{URI: uri}.String()
}
