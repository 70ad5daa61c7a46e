package flow

import (
	"context"

	"presfed/agents/internal/wire"
)

// Stage is what a flow runs on: a bed, whether its roles are processes or not.
type Stage interface {
	Facts() Facts
	// Actor is the device of that name.
	Actor(name string) (Actor, error)
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
	// Watch returns when the first document is there.
	Watch(ctx context.Context, user string) error
	// Unwatch ends what Watch began, and returns when the last NOTIFY is there.
	Unwatch(ctx context.Context, user string) error
	// IM begins a session with its first message.
	IM(ctx context.Context, user, text string) error
	// Reply sends a message in the session that the user has begun, or will.
	Reply(ctx context.Context, user, text string) error
	// Bye ends the session with the user.
	Bye(ctx context.Context, user string) error
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
