package db

import (
	"context"
	"database/sql"
)

// Revision is a state of one directory.
type Revision struct {
	// Instance tells directories apart: it is made with the directory.
	Instance string
	// Number goes up by one with every change.
	Number int64
}

// Kind is a kind of thing that changes.
type Kind string

const (
	KindDomain  Kind = "domain"  // the domain's settings; no name
	KindServer  Kind = "server"  // named by the server's name
	KindUser    Kind = "user"    // named by address of record, as are the rest
	KindPlace   Kind = "place"   // who serves her
	KindPolicy  Kind = "policy"  // her rules
	KindBuddies Kind = "buddies" // her buddy list
)

// Change names what was added, changed or removed: who follows reads it anew.
type Change struct {
	Kind Kind
	Name string
}

// Revision is the directory's revision.
func (v View) Revision(ctx context.Context) (r Revision, err error) {
	found, err := v.one(ctx, []any{&r.Instance, &r.Number}, "SELECT instance, rev FROM revision")
	if err == nil && !found {
		err = &OpenError{Path: v.d.path, Err: ErrForeign, Reason: "has no revision"}
	}
	return r, err
}

// Changes names everything that changed after the revision numbered since, in
// order, each thing once. Inside a [DB.Snapshot] it fits what else is read
// there.
func (v View) Changes(ctx context.Context, since int64) (out []Change, err error) {
	err = v.each(ctx, func(rows *sql.Rows) error {
		var c Change
		err := rows.Scan(&c.Kind, &c.Name)
		out = append(out, c)
		return err
	}, "SELECT kind, name FROM touched WHERE rev > $1 ORDER BY rev, kind, name", since)
	return out, err
}
