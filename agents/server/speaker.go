package server

import (
	"context"
	"errors"
	"strings"

	"presfed/agents/internal/auth"
	"presfed/agents/internal/im"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db"
)

// speaker is who sent a request: a peer, by its certificate, for a user whom it
// asserts; or a client, by digest. Whom the request is for stands in To, as it
// does within a dialog.
func (s *Server) speaker(ctx context.Context, tx *sip.ServerTx, role auth.Role) (im.Sender, error) {
	to, err := message.To(tx.Request())
	if err != nil {
		return im.Sender{}, err
	}
	return s.speaks(ctx, tx, role, to.URI)
}

// speaks is speaker for a request that is for the user at about.
func (s *Server) speaks(ctx context.Context, tx *sip.ServerTx, role auth.Role, about message.URI) (im.Sender, error) {
	peer, err := s.peer(ctx, tx.Source())
	if err != nil {
		return im.Sender{}, err
	}
	if peer != "" {
		return s.asserted(ctx, tx.Request(), peer, about)
	}
	s.noServer(tx.Source())
	name := ""
	if s.verifier == nil {
		from, err := message.From(tx.Request())
		if err != nil {
			return im.Sender{}, err
		}
		name = message.Unescape(from.URI.User)
	} else if name, err = s.verifier.Verify(ctx, tx.Request(), role); err != nil {
		return im.Sender{}, err
	}
	aor, err := db.ParseAOR(name, s.domain.Name) // what a password was given for: nothing in it is escaped
	if err != nil {
		return im.Sender{}, err
	}
	if err := s.isFrom(ctx, tx.Request(), aor); err != nil {
		return im.Sender{}, err
	}
	user, err := s.locate.User(ctx, aor)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return im.Sender{}, err
	}
	return im.Sender{User: aor, Display: user.Display}, nil
}

// shown is the speaker of a request outside any dialog, which is for the user in
// its Request-URI and whose From a device will show: a peer's must not name
// another user of the domain than the one it asserts.
func (s *Server) shown(ctx context.Context, tx *sip.ServerTx, role auth.Role) (im.Sender, error) {
	sender, err := s.speaks(ctx, tx, role, tx.Request().Recipient)
	if err != nil || sender.Peer == "" || sender.User == "" {
		return sender, err
	}
	from, err := message.From(tx.Request())
	if err == nil && s.handles(ctx, from.URI) && !s.names(ctx, from.URI, sender.User) {
		err = errNotYou
	}
	return sender, err
}

// errNotYou: From names another user than the one that a client proved to be, or
// that a peer asserts.
var errNotYou = errors.New("the From field names somebody else")

// isFrom holds From against who the client is: devices show From, so it must not
// be another's name; in server form it is hers, as who was called so has it in the
// dialog. Who wants to stay unnamed says anonymous (RFC 3323).
func (s *Server) isFrom(ctx context.Context, req *message.Request, aor string) error {
	from, err := message.From(req)
	if err != nil {
		return err
	}
	if strings.EqualFold(from.URI.Host, "anonymous.invalid") {
		return nil
	}
	if !s.names(ctx, from.URI, aor) {
		return errNotYou
	}
	return nil
}

// userOf is whom a URI of the domain names, in either form; the error says what is
// wrong with the name.
func (s *Server) userOf(uri message.URI) (aor string, err error) {
	return db.ParseAOR(message.Unescape(uri.User)+"@"+s.domain.Name, s.domain.Name)
}

// names says that a URI is a user's, in either form.
func (s *Server) names(ctx context.Context, uri message.URI, aor string) bool {
	return s.handles(ctx, uri) && message.Unescape(uri.User)+"@"+s.domain.Name == aor
}

// peer is the server that the connection's certificate names, or, if that is
// enough, whose address it came from; "" for a client.
func (s *Server) peer(ctx context.Context, from sip.Source) (string, error) {
	if len(from.Identities) == 0 {
		if s.cfg.PeersByAddress {
			return s.peerAt(ctx, from)
		}
		return "", nil
	}
	server, err := s.locate.ServerByIdentity(ctx, from.Identities)
	if errors.Is(err, db.ErrNotFound) {
		return "", nil
	}
	return server.Name, err
}

// noServer says once a connection that its certificate is good and still no
// server's, so that whoever is behind it is a client.
func (s *Server) noServer(from sip.Source) {
	if len(from.Identities) == 0 {
		return
	}
	if _, said := s.noServers.LoadOrStore(from.Flow, true); !said {
		s.log.Warn("a certificate of no server of the domain, or of several: taken for a client", "peer", from.Remote, "proves", strings.Join(from.Identities, ", "))
	}
}

// credentials takes what was meant for this server alone out of a copy.
func (s *Server) credentials(copy *message.Request) {
	if s.verifier != nil {
		s.verifier.Strip(copy)
	}
}
