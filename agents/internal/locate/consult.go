package locate

import (
	"context"
	"sync"
	"sync/atomic"

	"presfed/agents/internal/message"
	"presfed/db"
)

// maxCached bounds what a Consult remembers; past it, it forgets all and goes
// on.
const maxCached = 100_000

// Consult asks the directory at each question: what has not changed since it
// was last read costs a look at the revision.
type Consult struct {
	answers
	*follower
	cache *cache
}

var _ Locator = (*Consult)(nil)

// NewConsult reads the domain and its servers, without which nothing can be
// answered should the directory go away.
func NewConsult(ctx context.Context, cfg Config) (*Consult, error) {
	cfg = cfg.filled()
	c := &cache{db: cfg.DB}
	if err := c.renew(ctx); err != nil {
		return nil, err
	}
	f := newFollower(cfg, *c.rev.Load())
	c.link = f.link
	f.apply = func(ctx context.Context, _ db.View, _ Changed) error { return c.renew(ctx) }
	return &Consult{answers: answers{c}, follower: f, cache: c}, nil
}

// cache is what was read, good for one revision.
type cache struct {
	db   *db.DB
	link *link

	// rev is the revision everything below is good for. Lookups take no lock.
	rev   atomic.Pointer[db.Revision]
	seen  atomic.Pointer[glanced]
	small atomic.Pointer[settings]
	users atomic.Pointer[sync.Map] // address of record -> *known

	mu   sync.Mutex // guards catching up and adding
	size int
}

// glanced is how the directory looked before its revision was read.
type glanced struct {
	db.Glance
	rev *db.Revision
}

// known is a user's record; an old one is good only where there is no reading
// it anew.
type known struct {
	*record
	old bool
}

// current brings the cache up to date; an error means that what is there is all
// that is known.
func (c *cache) current(ctx context.Context) error {
	have := c.rev.Load()
	glance, settled := c.db.Glance()
	if seen := c.seen.Load(); settled && seen != nil && *seen == (glanced{glance, have}) {
		return nil
	}
	rev, err := c.db.Revision(ctx)
	if err == nil && rev == *have {
		if settled {
			c.seen.Store(&glanced{glance, have})
		}
		return nil
	}
	if err == nil {
		err = c.renew(ctx)
	}
	// The follower says when it is back: a file that is gone from its path still
	// answers here.
	if err != nil {
		c.link.saw(rev, err)
	}
	return err
}

// renew marks what is not good any more. The lock comes before the state of
// the directory that is read, so that no older one follows a newer.
func (c *cache) renew(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.db.Snapshot(ctx, func(v db.View) error { return c.catchUp(ctx, v) })
}

func (c *cache) catchUp(ctx context.Context, v db.View) error {
	rev, err := v.Revision(ctx)
	if err != nil {
		return err
	}
	have := c.rev.Load()
	if have != nil && *have == rev {
		return nil
	}
	ch := Changed{All: true}
	if have != nil && have.Instance == rev.Instance && have.Number < rev.Number {
		changes, err := v.Changes(ctx, have.Number)
		if err != nil {
			return err
		}
		ch = collect(changes)
	}
	if ch.All || ch.Domain || len(ch.Servers) > 0 {
		small, err := readSettings(ctx, v)
		if err != nil {
			return err
		}
		c.small.Store(small)
	}
	if ch.All {
		c.users.Store(&sync.Map{})
		c.size = 0
	} else {
		for _, names := range [][]string{ch.Users, ch.Places, ch.Policy, ch.Buddies} {
			for _, aor := range names {
				if k, there := c.users.Load().Load(aor); there {
					c.users.Load().Store(aor, &known{record: k.(*known).record, old: true})
				}
			}
		}
	}
	c.rev.Store(&rev)
	return nil
}

func (c *cache) settings(ctx context.Context) (*settings, error) {
	_ = c.current(ctx) // unreachable: what is known
	return c.small.Load(), nil
}

func (c *cache) record(ctx context.Context, aor string) (*record, error) {
	unreachable := c.current(ctx)
	k, found := c.users.Load().Load(aor)
	if found && !k.(*known).old {
		return k.(*known).record, nil
	}
	r, err := (*record)(nil), unreachable
	if err == nil {
		r, err = c.read(ctx, aor)
	}
	switch {
	case err == nil:
		return r, nil
	case found:
		return k.(*known).record, nil
	case ctx.Err() != nil:
		return nil, err
	}
	return nil, &message.Unavailable{What: "the directory cannot be read", Err: err}
}

// read reads a user anew and remembers her. Who is not there is not remembered: a
// peer could make up names for ever.
func (c *cache) read(ctx context.Context, aor string) (*record, error) {
	rev := *c.rev.Load()
	r, err := readRecord(ctx, c.db.View, aor)
	if after, rerr := c.db.Revision(ctx); err != nil || rerr != nil || after != rev { // it may be of several states
		err = c.db.Snapshot(ctx, func(v db.View) (err error) {
			if rev, err = v.Revision(ctx); err == nil {
				r, err = readRecord(ctx, v, aor)
			}
			return err
		})
	}
	if err != nil {
		c.link.saw(rev, err)
		return nil, err
	}
	if r == nil {
		c.forget(aor)
	} else {
		c.add(aor, r, rev)
	}
	return r, nil
}

// forget drops an old record of a user who is gone.
func (c *cache) forget(aor string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, there := c.users.Load().Load(aor); there && k.(*known).old {
		c.users.Load().Delete(aor)
		c.size--
	}
}

// add remembers a record, unless the cache has moved past what it was read at.
func (c *cache) add(aor string, r *record, rev db.Revision) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if rev != *c.rev.Load() {
		return
	}
	if c.size >= maxCached {
		c.users.Store(&sync.Map{})
		c.size = 0
	}
	if _, there := c.users.Load().Swap(aor, &known{record: r}); !there {
		c.size++
	}
}
