package locate

import (
	"context"
	"sync"

	"presfed/db"
)

// follower finds what changed since it last looked, has it applied, and tells
// who wants to know.
type follower struct {
	*link
	cfg Config
	// apply takes the changes in, from one state of the directory.
	apply func(ctx context.Context, v db.View, c Changed) error

	poll sync.Mutex // one look at a time
	rev  db.Revision

	mu     sync.Mutex
	told   map[int]func(Changed)
	nextID int
}

func newFollower(cfg Config, r db.Revision) *follower {
	return &follower{link: newLink(cfg, r), cfg: cfg, rev: r, told: map[int]func(Changed){}}
}

// OnChange has f called after each change found.
func (f *follower) OnChange(call func(Changed)) (stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := f.nextID
	f.nextID++
	f.told[id] = call
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.told, id)
	}
}

// Refresh looks for changes now.
func (f *follower) Refresh(ctx context.Context) error {
	changed, found, err := f.look(ctx)
	if err != nil || !found {
		return err
	}
	f.mu.Lock()
	calls := make([]func(Changed), 0, len(f.told))
	for id := range f.nextID {
		if call, ok := f.told[id]; ok {
			calls = append(calls, call)
		}
	}
	f.mu.Unlock()
	for _, call := range calls {
		call(changed)
	}
	return nil
}

func (f *follower) look(ctx context.Context) (c Changed, found bool, err error) {
	f.poll.Lock()
	defer f.poll.Unlock()
	rev := f.rev
	defer func() { f.saw(rev, err) }()
	if err := f.cfg.DB.Ping(ctx); err != nil {
		return c, false, err
	}
	if rev, err = f.cfg.DB.Revision(ctx); err != nil || rev == f.rev {
		return c, false, err
	}
	err = f.cfg.DB.Snapshot(ctx, func(v db.View) error {
		if rev, err = v.Revision(ctx); err != nil {
			return err
		}
		if rev.Instance != f.rev.Instance || rev.Number < f.rev.Number {
			c = Changed{All: true}
		} else {
			changes, err := v.Changes(ctx, f.rev.Number)
			if err != nil {
				return err
			}
			c = collect(changes)
		}
		return f.apply(ctx, v, c)
	})
	if err != nil {
		return c, false, err
	}
	f.rev = rev
	return c, true, nil
}

// Run looks for changes at intervals until ctx ends.
func (f *follower) Run(ctx context.Context) error {
	due := make(chan struct{}, 1)
	timer := f.cfg.Clock.AfterFunc(f.cfg.Poll, func() { due <- struct{}{} })
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-due:
		}
		// What goes wrong is in Health, and was logged when it began.
		_ = f.Refresh(ctx)
		timer.Reset(f.cfg.Poll)
	}
}
