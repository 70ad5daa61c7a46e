package trace

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/control"
)

// settle is how long a message waits for its other end, and for older ones,
// before it is shown live.
const settle = 200 * time.Millisecond

// SocketError says which control socket failed.
type SocketError struct {
	Path string
	Err  error
}

func (e *SocketError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }

// Unwrap is what failed.
func (e *SocketError) Unwrap() error { return e.Err }

// Snapshot reads what running roles have recorded so far from their control
// sockets. A role that is not ready yet is waited for, as long as ctx allows.
func Snapshot(ctx context.Context, sockets ...string) (*Capture, error) {
	c := newCapture()
	for _, path := range sockets {
		client := control.NewClient(path)
		if err := c.introduce(ctx, client); err != nil {
			return nil, err
		}
		for r, err := range client.Records(ctx, 0, false) {
			var lost *control.LostError
			switch {
			case errors.As(err, &lost):
				c.Lost += lost.Count
			case err != nil:
				return nil, &SocketError{path, err}
			default:
				c.Records = append(c.Records, r)
			}
		}
	}
	return c, nil
}

// introduce learns where a role listens.
func (c *Capture) introduce(ctx context.Context, client *control.Client) error {
	info, err := client.Ready(ctx)
	if err != nil {
		return &SocketError{client.Path(), err}
	}
	for _, l := range info.Listen {
		c.names[l.Addr] = info.Participant
	}
	return nil
}

// Follow shows what roles record, from their start on and as it happens, until
// all of them have ended or ctx does (then its error is returned). show gets
// messages in order of time, a fifth of a second late, since both ends of one
// must be there and clocks of goroutines are not in step; it gets how many
// records were lost as well, where any were. show is called on the caller's
// goroutine; an error from it ends Follow. The roles have wait to get ready.
func Follow(ctx context.Context, wait time.Duration, show func(messages []Message, lost uint64) error, sockets ...string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := newCapture()
	waiting, stop := context.WithTimeout(ctx, wait)
	defer stop()
	for _, path := range sockets {
		if err := c.introduce(waiting, control.NewClient(path)); err != nil {
			return err
		}
	}
	f := &follower{clock: clock.System, pairing: newPairing(), tick: make(chan struct{}, 1)}
	for addr, name := range c.names {
		f.pairing.add(name, addr)
	}
	var readers sync.WaitGroup
	for _, path := range sockets {
		readers.Go(func() {
			if err := f.read(ctx, control.NewClient(path)); err != nil && ctx.Err() == nil {
				cancel(&SocketError{path, err})
			}
		})
	}
	ended := make(chan struct{})
	go func() { readers.Wait(); close(ended) }()
	defer func() { cancel(nil); <-ended }()
	for {
		last := false
		select {
		case <-f.tick:
		case <-ended:
			last = true
		case <-ctx.Done():
			last = true // what is there is still shown
		}
		messages, lost := f.due(last)
		if len(messages) > 0 || lost > 0 {
			if err := show(messages, lost); err != nil {
				return err
			}
		}
		if last {
			return context.Cause(ctx)
		}
	}
}

// follower collects records until they are due.
type follower struct {
	clock   clock.Clock
	pairing *pairing // the caller's of due alone
	tick    chan struct{}

	mu      sync.Mutex
	waiting []Record
	lost    uint64
	armed   bool // a tick is on its way
}

func (f *follower) read(ctx context.Context, client *control.Client) error {
	for r, err := range client.Records(ctx, 0, true) {
		var lost *control.LostError
		gone := errors.As(err, &lost)
		switch {
		case errors.Is(err, control.ErrEnded):
			return nil // killed: what it had recorded is there
		case err != nil && !gone:
			return err
		}
		f.mu.Lock()
		if gone {
			f.lost += lost.Count
		} else {
			f.waiting = append(f.waiting, r)
		}
		if !f.armed {
			f.armed = true
			f.clock.AfterFunc(settle, f.ring)
		}
		f.mu.Unlock()
	}
	return nil
}

// ring never blocks: one tick that waits is as good as two.
func (f *follower) ring() {
	select {
	case f.tick <- struct{}{}:
	default:
	}
}

// due takes what has settled, or with all everything.
func (f *follower) due(all bool) ([]Message, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = false
	until := f.clock.Now().Add(-settle)
	lost := f.lost
	f.lost = 0

	settled := f.pairing.pair(f.waiting)
	n := len(settled)
	if !all {
		for n = 0; n < len(settled) && !settled[n].Time.After(until); n++ {
		}
	}
	f.waiting = f.waiting[:0:0]
	for _, m := range settled[n:] {
		for _, r := range []*Record{m.Sent, m.Received} {
			if r != nil {
				f.waiting = append(f.waiting, *r)
			}
		}
	}
	if len(f.waiting) > 0 {
		f.armed = true
		f.clock.AfterFunc(settle, f.ring)
	}
	return f.pairing.nameMethods(settled[:n]), lost
}
