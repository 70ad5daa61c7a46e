package flow

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"presfed/agents/internal/wire"
)

// Stage is what a flow runs on: a bed, whether its roles are processes or not.
type Stage interface {
	Facts() Facts
	// Actor is the device of that name.
	Actor(name string) (Actor, error)
	// Feeder is the calendar of that name.
	Feeder(name string) (Feeder, error)
	// Records are all wire records so far, of every participant; more is closed
	// when there are others.
	Records() (records []wire.Record, more <-chan struct{})
}

// Actor is a device that does as it is told. A method returns when what it does
// is done, as far as the device itself can tell. Users are named by
// the user part, in the domain of the stage.
type Actor interface {
	Register(ctx context.Context) error
	// Publish puts a presence document in the place of the one before.
	Publish(ctx context.Context, document []byte) error
	// Unpublish takes back what Publish published, if anything.
	Unpublish(ctx context.Context) error
	// Watch returns when the first document is there.
	Watch(ctx context.Context, user string) error
	// Unwatch ends what Watch began, and returns when the last NOTIFY is there.
	Unwatch(ctx context.Context, user string) error
	// IM begins a session with its first message, and returns when it was answered.
	IM(ctx context.Context, user, text string) error
	// Reply sends a message in the session that the user has begun, or will; it is
	// the answer of a device that rings.
	Reply(ctx context.Context, user, text string) error
	// Bye ends the session with the user.
	Bye(ctx context.Context, user string) error
}

// Feeder publishes what a calendar says.
type Feeder interface {
	// Meeting has one be on now, or none, and returns when that is published.
	Meeting(ctx context.Context, on bool) error
}

// part is something that actors do.
type part func(ctx context.Context, r *Runner) error

// act is a part of one actor.
func act(name string, do func(ctx context.Context, a Actor) error) part {
	return func(ctx context.Context, r *Runner) error {
		a, err := r.stage.Actor(name)
		if err != nil {
			return err
		}
		return do(ctx, a)
	}
}

func parts(list ...part) part {
	return func(ctx context.Context, r *Runner) error {
		for _, p := range list {
			if err := p(ctx, r); err != nil {
				return err
			}
		}
		return nil
	}
}

// beside has the first part go on while the other is done.
func beside(first, other part) part {
	return func(ctx context.Context, r *Runner) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return first(ctx, r) })
		group.Go(func() error { return other(ctx, r) })
		return group.Wait()
	}
}

// seen waits until messages of the flow that runs have been recorded.
func seen(f ...string) part {
	return func(ctx context.Context, r *Runner) error {
		for {
			records, more := r.records()
			missing := r.judge(records).Verdict.Missing
			missing = slices.DeleteFunc(missing, func(m string) bool { return !slices.Contains(f, m) })
			if len(missing) == 0 {
				return nil
			}
			if err := r.more(ctx, more); err != nil {
				return fmt.Errorf("%s: not seen: %w", strings.Join(missing, ", "), err)
			}
		}
	}
}
