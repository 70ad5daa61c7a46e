package server

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"presfed/agents/internal/auth"
	"presfed/agents/internal/message"
	"presfed/db"
	"presfed/routing"
)

// directory is what this server asks of the directory.
type directory struct {
	db     *db.DB
	domain db.Domain
	self   db.Server
}

func openDirectory(ctx context.Context, path, self string) (*directory, error) {
	d := &directory{}
	var err error
	if d.db, err = db.Open(ctx, path, db.Options{}); err != nil {
		return nil, err
	}
	if d.domain, err = d.db.Domain(ctx); err == nil {
		d.self, err = d.db.Server(ctx, self)
	}
	if errors.Is(err, db.ErrNotFound) {
		err = &InputError{
			What: fmt.Sprintf("the directory %s knows no server %q", path, self),
			Hint: "add it: presfed directory server add " + self,
		}
	}
	if err != nil {
		return nil, errors.Join(err, d.db.Close())
	}
	return d, nil
}

// ha1 is the stored hash of a user, who may name herself with or without the
// domain.
func (d *directory) ha1(ctx context.Context, user string, alg auth.Algorithm) (string, error) {
	aor, err := db.ParseAOR(user, d.domain.Name)
	if err != nil {
		return "", nil // no such user, and nothing more is said about it
	}
	u, err := d.db.User(ctx, aor)
	if errors.Is(err, db.ErrNotFound) {
		return "", nil
	}
	return u.HA1[db.Algorithm(alg)], err
}

// peer is the server that a certificate names; "" for a client.
func (d *directory) peer(ctx context.Context, identities []string) (string, error) {
	if len(identities) == 0 {
		return "", nil
	}
	servers, err := d.db.Servers(ctx)
	if err != nil {
		return "", err
	}
	for _, s := range servers {
		for _, id := range identities {
			if strings.EqualFold(id, s.Identity) && s.Name != d.self.Name {
				return s.Name, nil
			}
		}
	}
	return "", nil
}

// targets asks routing where a request for uri's user goes.
func (d *directory) targets(ctx context.Context, uri message.URI, user, method, peer string) ([]routing.Target, error) {
	servers, err := d.db.Servers(ctx)
	if err != nil {
		return nil, err
	}
	named := make([]routing.Server, len(servers))
	for i, s := range servers {
		named[i] = s.Routing()
	}
	names := routing.NewNames(d.domain.Name, named)
	scope, err := routing.ScopeOf(uri.Host, uri.Port, names)
	if err != nil {
		return nil, err
	}
	place, err := d.db.Place(ctx, user)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return nil, err
	}
	return routing.Route(routing.Facts{
		Names: names, Self: d.self.Name, User: user, Place: place, Scope: scope, Class: routing.ClassOf(method), Peer: peer,
	})
}
