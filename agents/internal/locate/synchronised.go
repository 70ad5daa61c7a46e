package locate

import (
	"context"
	"sync"
	"sync/atomic"

	"presfed/db"
)

// Synchronised answers from a copy of the whole directory that follows it.
type Synchronised struct {
	answers
	*follower
	copy *copied
}

var _ Locator = (*Synchronised)(nil)

// NewSynchronised reads the directory; Run then follows it.
func NewSynchronised(ctx context.Context, cfg Config) (*Synchronised, error) {
	cfg = cfg.filled()
	c := &copied{}
	var rev db.Revision
	err := cfg.DB.Snapshot(ctx, func(v db.View) (err error) {
		if rev, err = v.Revision(ctx); err != nil {
			return err
		}
		return c.all(ctx, v)
	})
	if err != nil {
		return nil, err
	}
	s := &Synchronised{answers: answers{c}, follower: newFollower(cfg, rev), copy: c}
	s.apply = c.apply
	return s, nil
}

// copied is the copy; reading it takes no lock.
type copied struct {
	small atomic.Pointer[settings]
	users atomic.Pointer[sync.Map] // address of record -> *record
}

func (c *copied) settings(context.Context) (*settings, error) { return c.small.Load(), nil }

func (c *copied) record(_ context.Context, aor string) (*record, error) {
	r, ok := c.users.Load().Load(aor)
	if !ok {
		return nil, nil
	}
	return r.(*record), nil
}

// all reads everything and puts it in the place of what was there.
func (c *copied) all(ctx context.Context, v db.View) error {
	small, err := readSettings(ctx, v)
	if err != nil {
		return err
	}
	users, err := v.Users(ctx)
	if err != nil {
		return err
	}
	places, err := v.Places(ctx)
	if err != nil {
		return err
	}
	rules, err := v.Policies(ctx)
	if err != nil {
		return err
	}
	lists, err := v.BuddyLists(ctx)
	if err != nil {
		return err
	}
	records := make(map[string]*record, len(users))
	for _, u := range users {
		records[u.AOR] = &record{user: u}
	}
	// The foreign keys promise that each of these is somebody's.
	for _, p := range places {
		records[p.AOR].place = p.Place
	}
	for _, r := range rules {
		records[r.Presentity].rules = append(records[r.Presentity].rules, r)
	}
	for _, l := range lists {
		records[l.Owner].buddies = l.Buddies
	}
	var m sync.Map
	for aor, r := range records {
		m.Store(aor, r)
	}
	c.users.Store(&m)
	c.small.Store(small)
	return nil
}

// apply takes in what changed, user by user.
func (c *copied) apply(ctx context.Context, v db.View, ch Changed) error {
	if ch.All {
		return c.all(ctx, v)
	}
	// All is read before anything is put in place: half a change is none.
	fresh := map[string]*record{}
	for _, names := range [][]string{ch.Users, ch.Places, ch.Policy, ch.Buddies} {
		for _, aor := range names {
			if _, done := fresh[aor]; done {
				continue
			}
			r, err := readRecord(ctx, v, aor)
			if err != nil {
				return err
			}
			fresh[aor] = r
		}
	}
	if ch.Domain || len(ch.Servers) > 0 {
		small, err := readSettings(ctx, v)
		if err != nil {
			return err
		}
		c.small.Store(small)
	}
	users := c.users.Load()
	for aor, r := range fresh {
		if r == nil {
			users.Delete(aor)
		} else {
			users.Store(aor, r)
		}
	}
	return nil
}
