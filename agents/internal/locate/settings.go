package locate

import (
	"context"
	"slices"

	"presfed/db"
	"presfed/routing"
)

// settings is the small part of the directory, held whole in both modes.
type settings struct {
	domain     db.Domain
	servers    []db.Server
	names      *routing.Names
	byName     map[string]int
	byIdentity map[string]int // -1: several servers
}

func readSettings(ctx context.Context, v db.View) (*settings, error) {
	d, err := v.Domain(ctx)
	if err != nil {
		return nil, err
	}
	servers, err := v.Servers(ctx)
	if err != nil {
		return nil, err
	}
	s := &settings{domain: d, servers: servers, byName: map[string]int{}, byIdentity: map[string]int{}}
	named := make([]routing.Server, len(servers))
	for i, server := range servers {
		named[i] = server.Routing()
		s.byName[server.Name] = i
		if _, taken := s.byIdentity[server.Identity]; taken {
			i = -1
		}
		s.byIdentity[server.Identity] = i
	}
	s.names = routing.NewNames(d.Name, named)
	return s, nil
}

func (s *settings) server(name string) (db.Server, error) {
	if i, ok := s.byName[name]; ok {
		return s.servers[i], nil
	}
	return db.Server{}, &db.NotFoundError{What: "server", Name: name}
}

func (s *settings) byCertificate(names []string) (db.Server, error) {
	found := -1
	for _, name := range names {
		i, ok := s.byIdentity[routing.Host(name)]
		switch {
		case !ok || i == found:
			continue
		case i < 0 || found >= 0:
			// A certificate that proves two servers proves neither.
			return db.Server{}, &db.NotFoundError{What: "one server for the certificate of", Name: name}
		}
		found = i
	}
	if found < 0 {
		name := ""
		if len(names) > 0 {
			name = names[0]
		}
		return db.Server{}, &db.NotFoundError{What: "server with the identity", Name: name}
	}
	return s.servers[found], nil
}

// record is all of one user.
type record struct {
	user    db.User
	place   routing.Place
	rules   []db.Rule
	buddies []string
}

// readRecord reads a user; nil for one who is not there.
func readRecord(ctx context.Context, v db.View, aor string) (*record, error) {
	u, err := v.User(ctx, aor)
	if isNotFound(err) {
		return nil, nil
	}
	r := &record{user: u}
	if err == nil {
		r.place, err = v.Place(ctx, aor)
	}
	if err == nil {
		r.rules, err = v.Policy(ctx, aor)
	}
	if err == nil {
		r.buddies, err = v.Buddies(ctx, aor)
	}
	if err != nil {
		return nil, err
	}
	r.rules, r.buddies = slices.Clip(r.rules), slices.Clip(r.buddies)
	return r, nil
}
