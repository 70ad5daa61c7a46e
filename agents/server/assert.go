package server

import (
	"context"
	"errors"

	"presfed/agents/internal/im"
	"presfed/agents/internal/locate"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db"
	"presfed/routing"
)

// asserted is the user of a peer's P-Asserted-Identity, if the peer speaks for
// that user in this request (RFC 3325 section 9.1); else the sender stays
// unknown. The request is for the user at about.
func (s *Server) asserted(ctx context.Context, req *message.Request, peer string, about message.URI) (im.Sender, error) {
	sender := im.Sender{Peer: peer}
	identities, err := message.Addresses(req, "P-Asserted-Identity")
	if err != nil {
		return sender, err
	}
	for _, id := range identities {
		aor, err := db.ParseAOR(message.AOR(id.URI), s.domain.Name)
		if err != nil {
			continue
		}
		why, err := s.speaksFor(ctx, peer, aor, req.Method, about)
		if err != nil {
			return sender, err
		}
		if why != "" {
			s.log.Debug("a peer's assertion is believed", "peer", peer, "aor", aor, "why", why, "call_id", message.CallID(req))
			sender.User, sender.Display = aor, id.Display
			break
		}
		s.log.Warn("a peer asserted somebody else's user", "peer", peer, "aor", aor, "about", about.String(), "call_id", message.CallID(req))
	}
	return sender, nil
}

// speaksFor says why a peer is believed that user sent a request of that method
// for the user at about; "" where it is not.
//
//   - The user is placed at the peer, which has authenticated that user.
//   - The peer is that user's root, and tells of her by NOTIFY.
//   - The peer is the root of about, and this server serves her too: the root
//     passes on what anybody in the domain sends to her (4.2.1.4 F3).
//   - The user is the presentity of an own share that the peer may ask for: it
//     asks for all watchers, in her name (4.2.2.1 F3).
func (s *Server) speaksFor(ctx context.Context, peer, user, method string, about message.URI) (why string, err error) {
	place, err := s.locate.Place(ctx, user)
	switch {
	case err != nil:
		return "", err
	case place.Serves(peer):
		return "placed there", nil
	case place.Nowhere():
		return "", nil // no server can have authenticated that user
	case method == message.NOTIFY && place.Model == routing.Hierarchical && place.Root == peer:
		return "its root, which shows " + user, nil
	}
	aboutAOR, err := s.userOf(about)
	if err != nil {
		return "", nil
	}
	if user == aboutAOR && method == message.SUBSCRIBE {
		if why, err = s.showsShare(ctx, peer, aboutAOR, about.Host, about.Port); err != nil || why != "" {
			return "the presentity: " + why, err
		}
	}
	at, err := s.locate.Place(ctx, aboutAOR)
	if err == nil && at.Model == routing.Hierarchical && at.Root == peer && at.Serves(s.cfg.Name) {
		why = "passed on by the root of " + aboutAOR
	}
	return why, err
}

// showsShare says why a peer that asks for a user at that host is shown our own
// share of her; "" where it is not.
func (s *Server) showsShare(ctx context.Context, peer, aor, host string, port int) (why string, err error) {
	targets, err := locate.Route(ctx, s.locate, locate.Question{
		Self: s.cfg.Name, Host: host, Port: port, User: aor, Method: message.SUBSCRIBE, Peer: peer,
	})
	if refusal := (*routing.Refusal)(nil); errors.As(err, &refusal) {
		return "", nil
	}
	if err == nil && len(targets) == 1 && targets[0].Kind == routing.OwnShare {
		why = targets[0].Why
	}
	return why, err
}

// screen is what a response may say of who answers: of whom a server asserts, the
// first user who is placed there.
func (s *Server) screen(res *message.Response, by sip.Target, byDevice, toClient bool) {
	im.Screen(res, byDevice, toClient)
	asserted := message.Values(res, "P-Asserted-Identity")
	if len(asserted) == 0 {
		return
	}
	message.Remove(res, "P-Asserted-Identity")
	from := sip.Source{Transport: by.Transport, Remote: by.Addr}
	if by.ServerName != "" {
		from.Identities = []string{by.ServerName}
	}
	ctx := context.Background()
	peer, err := s.peer(ctx, from)
	if err != nil || peer == "" {
		return
	}
	for _, value := range asserted {
		id, err := message.ParseAddress(value)
		if err != nil {
			continue
		}
		aor, err := db.ParseAOR(message.AOR(id.URI), s.domain.Name)
		if err != nil {
			continue
		}
		if place, err := s.locate.Place(ctx, aor); err == nil && (place.Serves(peer) || place.Root == peer) {
			message.Add(res, "P-Asserted-Identity", value)
			return
		}
		s.log.Warn("a peer asserted somebody else's user in a response", "peer", peer, "aor", aor, "call_id", message.CallID(res))
	}
}
