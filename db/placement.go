package db

import (
	"context"
	"database/sql"
	"slices"

	"presfed/routing"
)

// Placement is where one user is served.
type Placement struct {
	AOR string
	routing.Place
}

// Place is where the user is served; the zero Place when the directory has none
// for her, known or not.
func (v View) Place(ctx context.Context, aor string) (routing.Place, error) {
	list, err := v.places(ctx, "WHERE p.aor = $1", aor)
	if err != nil || len(list) == 0 {
		return routing.Place{}, err
	}
	return list[0].Place, nil
}

// Places is every placement, by address of record.
func (v View) Places(ctx context.Context) ([]Placement, error) { return v.places(ctx, "") }

func (v View) places(ctx context.Context, where string, args ...any) (out []Placement, err error) {
	err = v.each(ctx, func(rows *sql.Rows) error {
		var p Placement
		var root, server sql.NullString
		err := rows.Scan(&p.AOR, &p.Model, &root, &server)
		p.Root = root.String
		if n := len(out); n == 0 || out[n-1].AOR != p.AOR {
			out = append(out, p)
		}
		if last := &out[len(out)-1]; server.Valid {
			last.Servers = append(last.Servers, server.String)
		}
		return err
	}, `SELECT p.aor, p.model, p.root, s.server FROM placement p
		LEFT JOIN placement_server s ON s.aor = p.aor `+where+` ORDER BY p.aor, s.position`, args...)
	return out, err
}

// Assign says who serves a user from now on; ErrNotFound for a user or server
// that is not there, *InvalidError. Whether the place can work (a root that
// serves her, one server for a partitioned user) is for [Check] to say: a
// change may take several steps.
func (t *Tx) Assign(aor string, p routing.Place) error {
	if _, err := routing.ParseModel(string(p.Model)); err != nil {
		return &InvalidError{Field: "model of " + aor, Value: string(p.Model), Want: "partitioned, exclusive, hierarchical or peer"}
	}
	if err := t.knownUser(aor); err != nil {
		return err
	}
	for i, s := range p.Servers {
		if slices.Contains(p.Servers[:i], s) {
			return &InvalidError{Field: "servers of " + aor, Value: s, Want: "each server once"}
		}
		if err := t.knownServer(s); err != nil {
			return err
		}
	}
	if p.Root != "" {
		if p.Model != routing.Hierarchical {
			return &InvalidError{Field: "root of " + aor, Value: p.Root, Want: "none: only the hierarchical model has one, and this is " + string(p.Model)}
		}
		if err := t.knownServer(p.Root); err != nil {
			return err
		}
	}
	root := sql.NullString{String: p.Root, Valid: p.Root != ""}
	if _, err := t.exec("DELETE FROM placement WHERE aor = $1", aor); err != nil {
		return err
	}
	if _, err := t.exec("INSERT INTO placement (aor, model, root) VALUES ($1, $2, $3)", aor, p.Model, root); err != nil {
		return err
	}
	for i, s := range p.Servers {
		if _, err := t.exec("INSERT INTO placement_server (aor, server, position) VALUES ($1, $2, $3)", aor, s, i); err != nil {
			return err
		}
	}
	t.touch(KindPlace, aor)
	return nil
}

// Unassign takes a user from every server; ErrNotFound for an unknown user.
func (t *Tx) Unassign(aor string) error {
	if err := t.knownUser(aor); err != nil {
		return err
	}
	n, err := t.exec("DELETE FROM placement WHERE aor = $1", aor)
	if n > 0 {
		t.touch(KindPlace, aor)
	}
	return err
}

// Move puts a user from one server to another. From may be empty for a user
// with one server. The test and the setting are one transaction: when from does
// not serve her any more, it is an *InvalidError and nothing changes.
func (t *Tx) Move(aor, from, to string) error {
	if err := t.knownUser(aor); err != nil {
		return err
	}
	p, err := t.Place(t.tx.ctx, aor)
	if err != nil {
		return err
	}
	if from == "" && len(p.Servers) == 1 {
		from = p.Servers[0]
	}
	i := slices.Index(p.Servers, from)
	if i < 0 {
		return &InvalidError{Field: "server to move " + aor + " from", Value: from, Want: "one that serves: the user is " + p.String()}
	}
	if from != to && p.Serves(to) {
		return &InvalidError{Field: "server to move " + aor + " to", Value: to, Want: "another one: the user is " + p.String()}
	}
	if p.Root == from {
		p.Root = to
	}
	p.Servers[i] = to
	return t.Assign(aor, p)
}

func (t *Tx) knownUser(aor string) error {
	return t.expect("user", "SELECT aor FROM account WHERE aor = $1", aor, true)
}

func (t *Tx) knownServer(name string) error {
	return t.expect("server", "SELECT name FROM server WHERE name = $1", name, true)
}
