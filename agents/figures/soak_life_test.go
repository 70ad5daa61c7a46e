package figures

import (
	"context"
	"fmt"
	"time"

	"presfed/agents/client"
	"presfed/pidf"
)

// visitor is a device that is there for a while.
type visitor struct {
	*client.Client
	user   string
	events chan client.Event
}

// visit has a device of a user run until left is called.
func (b *unionBed) visit(user, x string) (v *visitor, left func()) {
	v = &visitor{user: user, events: make(chan client.Event, 1024)}
	var err error
	v.Client, err = client.New(client.Config{
		Name: user, User: user + "@example.com", Server: "tcp:" + b.servers[x].tcp, Answer: client.AnswerAuto,
		Notices: []client.Notice{"delivery"}, OnEvent: func(e client.Event) {
			select {
			case v.events <- e:
			default:
			}
		},
	})
	if err != nil {
		b.t.Errorf("%s: %v", user, err)
		return nil, func() {}
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }()
	return v, func() {
		stop()
		if err := <-done; err != nil {
			b.t.Errorf("%s: %v", user, err)
		}
	}
}

// until waits for an event.
func (v *visitor) until(ctx context.Context, what string, is func(client.Event) bool) error {
	for {
		select {
		case e := <-v.events:
			if is(e) {
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("%s: no %s: %w", v.user, what, ctx.Err())
		}
	}
}

// life is what a couple does, one at each server: they log in, publish, watch each
// other, page, talk in a session, and log out.
func (b *unionBed) life(n int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	alice, aliceLeft := b.visit(fmt.Sprint("wa", n), "a")
	bob, bobLeft := b.visit(fmt.Sprint("wb", n), "b")
	defer bobLeft()
	defer aliceLeft()
	if alice == nil || bob == nil {
		return
	}
	if err := together(ctx, alice, bob); err != nil {
		b.t.Errorf("couple %d: %v", n, err)
	}
}

func together(ctx context.Context, alice, bob *visitor) error {
	here := client.SubscribeOptions{Expires: time.Hour}
	both := func(f func(v, other *visitor) error) error {
		if err := f(alice, bob); err != nil {
			return err
		}
		return f(bob, alice)
	}
	err := both(func(v, other *visitor) error {
		if err := v.KeepRegistered(ctx, time.Hour); err != nil {
			return err
		}
		if err := v.Status(ctx, pidf.StatusOpen, ""); err != nil {
			return err
		}
		_, err := v.Subscribe(ctx, other.user, here)
		return err
	})
	if err != nil {
		return err
	}
	err = both(func(v, other *visitor) error {
		if err := v.Status(ctx, pidf.StatusAway, "soon"); err != nil {
			return err
		}
		return other.until(ctx, "presence of "+v.user, func(e client.Event) bool { return e.Type == "presence" && e.Person != nil && e.Person.Note == "soon" })
	})
	if err != nil {
		return err
	}
	if _, err := alice.PageWith(ctx, bob.user, "text/plain", []byte("R u there"), client.PageOptions{Envelope: client.Envelope{Notify: []client.Notice{"delivery"}}}); err != nil {
		return err
	}
	if err := alice.until(ctx, "notice", func(e client.Event) bool { return e.Type == "notice" && e.State == "delivered" }); err != nil {
		return err
	}
	s, err := alice.IM(ctx, bob.user, "Hello")
	if err != nil {
		return err
	}
	if err := bob.until(ctx, "message", func(e client.Event) bool { return e.Type == "im" && e.Text == "Hello" }); err != nil {
		return err
	}
	if err := s.Close(ctx); err != nil {
		return err
	}
	return both(func(v, _ *visitor) error { return v.Close(ctx) })
}
