package db

import (
	"context"

	"presfed/routing"
)

// Single changes, each in a transaction of its own; [Tx] has the contracts.

func (d *DB) SetDomain(ctx context.Context, s Domain) error {
	return d.Update(ctx, func(t *Tx) error { return t.SetDomain(s) })
}

func (d *DB) AddServer(ctx context.Context, s Server) error {
	return d.Update(ctx, func(t *Tx) error { return t.AddServer(s) })
}

func (d *DB) SetServer(ctx context.Context, s Server) error {
	return d.Update(ctx, func(t *Tx) error { return t.SetServer(s) })
}

func (d *DB) RemoveServer(ctx context.Context, name string) error {
	return d.Update(ctx, func(t *Tx) error { return t.RemoveServer(name) })
}

func (d *DB) AddUser(ctx context.Context, u User) error {
	return d.Update(ctx, func(t *Tx) error { return t.AddUser(u) })
}

func (d *DB) SetUser(ctx context.Context, u User) error {
	return d.Update(ctx, func(t *Tx) error { return t.SetUser(u) })
}

func (d *DB) SetPassword(ctx context.Context, aor, password string) error {
	return d.Update(ctx, func(t *Tx) error { return t.SetPassword(aor, password) })
}

func (d *DB) RemoveUser(ctx context.Context, aor string) error {
	return d.Update(ctx, func(t *Tx) error { return t.RemoveUser(aor) })
}

func (d *DB) Assign(ctx context.Context, aor string, p routing.Place) error {
	return d.Update(ctx, func(t *Tx) error { return t.Assign(aor, p) })
}

func (d *DB) Unassign(ctx context.Context, aor string) error {
	return d.Update(ctx, func(t *Tx) error { return t.Unassign(aor) })
}

func (d *DB) Move(ctx context.Context, aor, from, to string) error {
	return d.Update(ctx, func(t *Tx) error { return t.Move(aor, from, to) })
}

func (d *DB) SetRule(ctx context.Context, r Rule) error {
	return d.Update(ctx, func(t *Tx) error { return t.SetRule(r) })
}

func (d *DB) RemoveRule(ctx context.Context, r Rule) error {
	return d.Update(ctx, func(t *Tx) error { return t.RemoveRule(r) })
}

func (d *DB) SetBuddies(ctx context.Context, owner string, buddies []string) error {
	return d.Update(ctx, func(t *Tx) error { return t.SetBuddies(owner, buddies) })
}

func (d *DB) AddBuddy(ctx context.Context, owner, buddy string, at int) error {
	return d.Update(ctx, func(t *Tx) error { return t.AddBuddy(owner, buddy, at) })
}

func (d *DB) RemoveBuddy(ctx context.Context, owner, buddy string) error {
	return d.Update(ctx, func(t *Tx) error { return t.RemoveBuddy(owner, buddy) })
}
