package locate

import (
	"context"
	"errors"

	"presfed/db"
	"presfed/routing"
)

// source is where the two modes differ: how they come by what they answer with.
type source interface {
	settings(ctx context.Context) (*settings, error)
	// record is nil for a user who is not there.
	record(ctx context.Context, aor string) (*record, error)
}

// answers turns a source into the questions of a Locator.
type answers struct{ source source }

func (a answers) Domain(ctx context.Context) (db.Domain, error) {
	s, err := a.source.settings(ctx)
	if err != nil {
		return db.Domain{}, err
	}
	return s.domain, nil
}

func (a answers) Names(ctx context.Context) (*routing.Names, error) {
	s, err := a.source.settings(ctx)
	if err != nil {
		return nil, err
	}
	return s.names, nil
}

func (a answers) Servers(ctx context.Context) ([]db.Server, error) {
	s, err := a.source.settings(ctx)
	if err != nil {
		return nil, err
	}
	return s.servers, nil
}

func (a answers) Server(ctx context.Context, name string) (db.Server, error) {
	s, err := a.source.settings(ctx)
	if err != nil {
		return db.Server{}, err
	}
	return s.server(name)
}

func (a answers) ServerByIdentity(ctx context.Context, names []string) (db.Server, error) {
	s, err := a.source.settings(ctx)
	if err != nil {
		return db.Server{}, err
	}
	return s.byCertificate(names)
}

func (a answers) User(ctx context.Context, aor string) (db.User, error) {
	r, err := a.source.record(ctx, aor)
	if err == nil && r == nil {
		err = &db.NotFoundError{What: "user", Name: aor}
	}
	if err != nil {
		return db.User{}, err
	}
	return r.user, nil
}

func (a answers) Place(ctx context.Context, aor string) (routing.Place, error) {
	r, err := a.source.record(ctx, aor)
	if err != nil || r == nil {
		return routing.Place{}, err
	}
	return r.place, nil
}

func (a answers) Policy(ctx context.Context, presentity string) ([]db.Rule, error) {
	r, err := a.source.record(ctx, presentity)
	if err != nil || r == nil {
		return nil, err
	}
	return r.rules, nil
}

func (a answers) Buddies(ctx context.Context, owner string) ([]string, error) {
	r, err := a.source.record(ctx, owner)
	if err != nil || r == nil {
		return nil, err
	}
	return r.buddies, nil
}

// Rules looks up what a decision on a presentity's watchers needs: her rules,
// the domain's default, and whether she is a user at all.
func Rules(l Locator) func(ctx context.Context, presentity string) ([]db.Rule, db.Handling, bool, error) {
	return func(ctx context.Context, presentity string) ([]db.Rule, db.Handling, bool, error) {
		if _, err := l.User(ctx, presentity); err != nil {
			if isNotFound(err) {
				err = nil
			}
			return nil, "", false, err
		}
		d, err := l.Domain(ctx)
		if err != nil {
			return nil, "", false, err
		}
		rules, err := l.Policy(ctx, presentity)
		return rules, d.Default, err == nil, err
	}
}

// Question is a request that wants to be routed.
type Question struct {
	Self   string // the name of the server that asks
	Host   string // of the Request-URI
	Port   int    // 0: none
	User   string // address of record
	Method string
	Peer   string // the name of the server it came from; empty: a client
	// HandsOver: this server passes publications on to the root.
	HandsOver bool
}

// Route answers a Question; a *routing.Refusal where the request goes nowhere.
func Route(ctx context.Context, l Locator, q Question) ([]routing.Target, error) {
	names, err := l.Names(ctx)
	if err != nil {
		return nil, err
	}
	scope, err := routing.ScopeOf(q.Host, q.Port, names)
	if err != nil {
		return nil, err
	}
	place, err := l.Place(ctx, q.User)
	if err != nil {
		return nil, err
	}
	return routing.Route(routing.Facts{
		Names: names, Self: q.Self, User: q.User, Place: place,
		Scope: scope, Class: routing.ClassOf(q.Method), Peer: q.Peer, HandsOver: q.HandsOver,
	})
}

func isNotFound(err error) bool { return errors.Is(err, db.ErrNotFound) }
