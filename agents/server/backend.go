package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"presfed/agents/internal/backend"
	"presfed/agents/internal/event"
	"presfed/agents/internal/message"
	"presfed/agents/internal/presence"
	"presfed/agents/internal/sip"
	"presfed/agents/internal/winfo"
	"presfed/db"
	"presfed/db/state"
	"presfed/pidf"
	"presfed/routing"
)

// startBackend wires what other servers hold of a user to her composed view.
func (s *Server) startBackend() {
	s.subscriber = event.NewSubscriber(event.SubscriberConfig{
		Packages: []string{presence.Name, presence.Name + winfo.Suffix}, Lanes: &s.lanes, Store: s.store, Send: s.sendSubscribe,
		Retry: s.cfg.PeerRetry, Clock: s.cfg.Clock, Log: s.log,
	})
	s.backend = backend.New(backend.Config{
		Subscriber: s.subscriber, Ask: s.askShare, Same: s.means, Told: s.shareTold, Grace: s.cfg.ShareGrace, Linger: s.cfg.ShareLinger,
		Document: shareLimits, Lanes: &s.lanes, Clock: s.cfg.Clock, Log: s.log,
	})
}

// shareLimits bound a share: what a NOTIFY can carry, for it is made of all that a
// user may publish at a server.
var shareLimits = pidf.Limits{Bytes: message.DefaultLimits.BodyBytes, Elements: 64 << 10}

// others says which servers' shares the composed view of a user needs here: of a
// union those that serve her, if we answer for all of her.
func (s *Server) others(presentity string) presence.Others {
	ctx := context.Background()
	place, err := s.locate.Place(ctx, strings.TrimPrefix(presentity, scheme))
	if err != nil || !place.Model.Unioned() || !s.composes(place) {
		return presence.Others{Unknown: err != nil}
	}
	domain, err := s.locate.Domain(ctx)
	return presence.Others{
		Servers:  slices.DeleteFunc(slices.Clone(place.Servers), func(name string) bool { return name == s.cfg.Name }),
		Personal: domain.PolicyMode == db.DistributedPolicy, Unknown: err != nil,
	}
}

// composes says that this server shows a whole user: it alone serves her, it is
// her root, or it acts as one (the peer form, where any server may).
func (s *Server) composes(place routing.Place) bool {
	switch place.Model {
	case routing.Hierarchical:
		return place.Root == s.cfg.Name
	case routing.Peer:
		return true
	}
	return place.Serves(s.cfg.Name)
}

// needShares has the shares asked for that somebody watches.
func (s *Server) needShares(presentity string, from []presence.Origin) {
	needs := make([]backend.Need, 0, len(from))
	for _, o := range from {
		needs = append(needs, backend.Need(o))
	}
	s.backend.Need(presentity, needs)
}

// shareTold takes in what a server has answered.
func (s *Server) shareTold(presentity string, n backend.Need, told *backend.Share) {
	var share *presence.Share
	if told != nil {
		share = &presence.Share{Document: told.Document, Undecided: told.Standing == backend.Undecided, Denied: told.Standing == backend.Denied}
	}
	s.presence.SetShare(presentity, presence.Origin(n), share)
}

// askShare is a subscription at another server, in server form: as the presentity
// where one share is for all (flow 4.2.2.1 F3), else on behalf of the watcher.
func (s *Server) askShare(presentity string, n backend.Need) (event.Wanted, error) {
	peer, err := s.locate.Server(context.Background(), n.Server)
	if err != nil {
		return event.Wanted{}, err
	}
	user, _, _ := strings.Cut(strings.TrimPrefix(presentity, scheme), "@")
	from, asserted := scheme+user+"@"+s.self.Identity, presentity
	if n.Watcher != "" {
		from, asserted = n.Watcher, n.Watcher
	}
	return event.Wanted{
		URI: scheme + user + "@" + peer.Identity, From: "<" + from + ">",
		Contact: s.contactHere(user, sip.Source{Transport: strings.ToUpper(peer.Transport)}),
		Headers: []state.Field{{Name: "P-Asserted-Identity", Value: "<" + asserted + ">"}},
		Expires: s.cfg.ShareExpires,
	}, nil
}

// means says whether an entity is that user: in either form, as sip or pres.
func (s *Server) means(entity, presentity string) bool {
	if entity == presentity {
		return true
	}
	if rest, ok := strings.CutPrefix(entity, "pres:"); ok {
		entity = scheme + rest
	}
	uri, err := message.ParseURI(entity)
	return err == nil && s.handles(context.Background(), uri) &&
		strings.EqualFold(message.Unescape(uri.User)+"@"+s.domain.Name, strings.TrimPrefix(presentity, scheme))
}

// sendSubscribe finds the way to another server.
func (s *Server) sendSubscribe(out event.Outgoing, done func(*message.Response, error)) {
	if out.Peer == s.cfg.Name {
		s.subscribeInside(out.Request, done)
		return
	}
	s.hops(out.Hop, func(targets []sip.Target, err error) {
		if err == nil && len(targets) == 0 {
			err = sip.ErrTransport
		}
		if err != nil {
			done(nil, err)
			return
		}
		s.endpoint.Send(out.Request, targets[0], func(res *message.Response, err error) {
			if err != nil || res.StatusCode >= 200 {
				done(res, err)
			}
		})
	})
}

// notified takes a NOTIFY on one of our own subscriptions: from the server that
// it is held at, and nobody else.
func (s *Server) notified(tx *sip.ServerTx, at string) {
	peer, err := s.peer(context.Background(), tx.Source())
	if err != nil {
		s.refuse(tx, err)
		return
	}
	if peer != at {
		s.log.Warn("refused: a NOTIFY from another server than the one subscribed to", "peer", tx.Source().Remote, "want", at, "call_id", message.CallID(tx.Request()))
		s.reply(tx, 403)
		return
	}
	s.subscriber.Notify(tx)
}

// heard notes that a peer is there: what waited for it goes on.
func (s *Server) heard(from sip.Source) {
	if len(from.Identities) == 0 && !s.cfg.PeersByAddress || !s.subscriber.Waiting() {
		return
	}
	if peer, err := s.peer(context.Background(), from); err == nil && peer != "" {
		s.subscriber.Reached(peer)
	}
}

// peerGone tests a peer whose connection has closed.
func (s *Server) peerGone(from sip.Source) {
	if peer, err := s.peer(context.Background(), from); err == nil && peer != "" {
		s.subscriber.Test(peer)
	}
}

// checkSharing refuses durations that cannot work.
func (c Config) checkSharing() error {
	if c.ShareExpires != 0 && c.ShareExpires < minShareExpires {
		return &InputError{What: fmt.Sprintf("a share's subscription of %s is too short", c.ShareExpires), Hint: "as in --share-expires 5m; at least " + minShareExpires.String()}
	}
	if c.MinExpires%time.Second != 0 {
		return &InputError{What: fmt.Sprintf("publications of at least %s: times on the wire are whole seconds", c.MinExpires), Hint: "as in --min-expires 1m"}
	}
	if c.FirstNotify < 0 || c.ShareGrace < 0 || c.MinExpires < 0 {
		return &InputError{What: "a time to wait cannot be negative", Hint: "as in --first-notify 1s"}
	}
	return nil
}
