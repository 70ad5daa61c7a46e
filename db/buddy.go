package db

import (
	"context"
	"database/sql"
	"slices"
)

// BuddyList is the users one user watches, in her order.
type BuddyList struct {
	Owner   string
	Buddies []string // addresses of record, of this domain or others
}

// Buddies is the buddy list of a user, in order; none for one who has none.
func (v View) Buddies(ctx context.Context, owner string) ([]string, error) {
	return v.names(ctx, "SELECT target FROM buddy WHERE owner = $1 ORDER BY position", owner)
}

// BuddyLists is every buddy list that is not empty, by owner.
func (v View) BuddyLists(ctx context.Context) (out []BuddyList, err error) {
	err = v.each(ctx, func(rows *sql.Rows) error {
		var owner, target string
		err := rows.Scan(&owner, &target)
		if n := len(out); n == 0 || out[n-1].Owner != owner {
			out = append(out, BuddyList{Owner: owner})
		}
		last := &out[len(out)-1]
		last.Buddies = append(last.Buddies, target)
		return err
	}, "SELECT owner, target FROM buddy ORDER BY owner, position")
	return out, err
}

// SetBuddies makes this the user's buddy list; ErrNotFound for an unknown
// owner, ErrExists for a buddy that stands twice, *InvalidError.
func (t *Tx) SetBuddies(owner string, buddies []string) error {
	d, err := t.settings()
	if err != nil {
		return err
	}
	if err := t.knownUser(owner); err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM buddy WHERE owner = $1", owner); err != nil {
		return err
	}
	seen := make(map[string]bool, len(buddies))
	for i, b := range buddies {
		b, err := ParseAOR(b, d.Name)
		if err != nil {
			return err
		}
		if seen[b] {
			return &ExistsError{What: "buddy of " + owner, Name: b}
		}
		seen[b] = true
		if _, err := t.exec("INSERT INTO buddy (owner, position, target) VALUES ($1, $2, $3)", owner, i, b); err != nil {
			return err
		}
	}
	t.touch(KindBuddies, owner)
	return nil
}

// AddBuddy puts a buddy at the list's place at, counted from 0; -1 is its end.
func (t *Tx) AddBuddy(owner, buddy string, at int) error {
	list, err := t.Buddies(t.tx.ctx, owner)
	if err != nil {
		return err
	}
	if at < 0 || at > len(list) {
		at = len(list)
	}
	return t.SetBuddies(owner, slices.Insert(list, at, buddy))
}

// RemoveBuddy takes a buddy from a list; ErrNotFound.
func (t *Tx) RemoveBuddy(owner, buddy string) error {
	list, err := t.Buddies(t.tx.ctx, owner)
	if err != nil {
		return err
	}
	d, err := t.settings()
	if err != nil {
		return err
	}
	if buddy, err = ParseAOR(buddy, d.Name); err != nil {
		return err
	}
	i := slices.Index(list, buddy)
	if i < 0 {
		if err := t.knownUser(owner); err != nil {
			return err
		}
		return &NotFoundError{What: "buddy of " + owner, Name: buddy}
	}
	return t.SetBuddies(owner, slices.Delete(list, i, i+1))
}
