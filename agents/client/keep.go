package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"presfed/agents/internal/clock"
)

// kept is something at the server that lasts for a while and is renewed before
// it ends. A nil one is nothing.
type kept struct {
	client *Client
	name   string
	renew  func(context.Context) (granted time.Duration, err error)
	turn   chan struct{} // holds one token while nobody renews

	mu     sync.Mutex
	over   bool
	timer  clock.Timer
	failed int // attempts in a row
}

func (c *Client) newKept(name string, renew func(context.Context) (time.Duration, error)) *kept {
	k := &kept{client: c, name: name, renew: renew, turn: make(chan struct{}, 1)}
	k.turn <- struct{}{}
	return k
}

// now renews, and sees to the next time.
func (k *kept) now(ctx context.Context) error {
	select {
	case <-k.turn:
		defer func() { k.turn <- struct{}{} }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	granted, err := k.renew(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.failed = 0
		k.in(ahead(granted))
		return nil
	}
	k.failed++
	k.in(max(min(5*time.Second<<min(k.failed-1, 4), time.Minute), notBefore(err)))
	return err
}

// in renews after d. The lock is held.
func (k *kept) in(d time.Duration) {
	if k.timer != nil {
		k.timer.Stop()
	}
	if k.over {
		return
	}
	k.timer = k.client.clock.AfterFunc(d, func() { k.client.spawn(k.byItself) })
}

// soon renews after d, for a reason other than time.
func (k *kept) soon(d time.Duration) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.in(d)
}

func (k *kept) byItself(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, renewTime)
	defer cancel()
	k.mu.Lock()
	over := k.over
	k.mu.Unlock()
	if over {
		return
	}
	err := k.now(ctx)
	if err == nil || ctx.Err() == context.Canceled {
		return
	}
	k.client.log.Warn("not renewed", "what", k.name, "error", err)
	k.mu.Lock()
	first := k.failed == 1
	k.mu.Unlock()
	if first { // the attempts after it are the log's
		e := Failed(fmt.Errorf("%s: %w", k.name, err))
		e.AOR = k.client.AOR()
		k.client.emit(e)
	}
}

// stop renews no more.
func (k *kept) stop() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.over = true
	if k.timer != nil {
		k.timer.Stop()
	}
}

// last stops, waits for a renewal that is under way, and then removes.
func (k *kept) last(ctx context.Context, remove func(context.Context) error) error {
	if k == nil {
		return nil
	}
	k.stop()
	select {
	case <-k.turn:
		defer func() { k.turn <- struct{}{} }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return remove(ctx)
}
