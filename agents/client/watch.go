package client

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"presfed/agents/internal/message"
)

// Watch is a subscription that is made again when its notifier ends it for a
// reason that may pass (RFC 6665 section 4.1.3): a server that has moved its user,
// or forgot. Events tell the end of each and what the next one brings.
type Watch struct {
	client *Client
	target string
	opts   SubscribeOptions
	stop   context.CancelFunc

	mu  sync.Mutex
	sub *Subscription // the latest
}

// Watch subscribes for good. An error of the first attempt is returned; after it
// the client sees to it until Unwatch, or until it is refused for good.
func (c *Client) Watch(ctx context.Context, target string, opts SubscribeOptions) (*Watch, error) {
	sub, err := c.Subscribe(ctx, target, opts)
	if err != nil {
		return nil, err
	}
	w := &Watch{client: c, target: target, opts: opts, sub: sub}
	again, stop := context.WithCancel(c.ctx)
	w.stop = stop
	c.mu.Lock()
	c.watches = append(c.watches, w)
	c.mu.Unlock()
	c.spawn(func(context.Context) {
		defer stop()
		w.keep(again)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.watches = slices.DeleteFunc(c.watches, func(o *Watch) bool { return o == w })
	})
	return w, nil
}

// Watches are those that go on, the oldest first.
func (c *Client) Watches() []*Watch {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.watches)
}

// Target is whom it watches.
func (w *Watch) Target() string { return w.Latest().Target() }

// Event is the event package.
func (w *Watch) Event() string { return w.Latest().opts.Event }

// List says that it watches a list.
func (w *Watch) List() bool { return w.opts.List }

// Latest is its subscription at present.
func (w *Watch) Latest() *Subscription {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sub
}

// Unwatch ends it; the NOTIFY that closes its subscription follows.
func (w *Watch) Unwatch(ctx context.Context) error {
	w.stop()
	return w.Latest().Unsubscribe(ctx)
}

// firstPause is the pause after a failure; it doubles up to lastPause.
const (
	firstPause = 5 * time.Second
	lastPause  = time.Minute
)

// keep makes the subscription again for as long as that is allowed.
func (w *Watch) keep(ctx context.Context) {
	c, failures := w.client, 0
	for {
		sub := w.Latest()
		began := c.clock.Now()
		select {
		case <-sub.Done():
		case <-ctx.Done():
			return
		}
		pause, allowed := sub.pause()
		if !allowed {
			return
		}
		if c.clock.Now().Sub(began) > lastPause { // it has worked
			failures = 0
		}
		for made := false; !made; {
			if failures > 0 {
				pause = max(pause, min(firstPause<<min(failures-1, 6), lastPause))
			}
			if !c.wait(ctx, pause) {
				return
			}
			failures++
			next, err := w.again(ctx)
			switch {
			case err == nil:
				w.mu.Lock()
				w.sub, made = next, true
				w.mu.Unlock()
				if ctx.Err() != nil { // ended meanwhile
					c.spawn(func(ctx context.Context) { _ = next.Unsubscribe(ctx) })
					return
				}
			case ctx.Err() != nil:
				return
			case forGood(err):
				c.emit(Failed(err))
				return
			default:
				c.log.Info("not subscribed again yet", "target", w.target, "error", err)
				pause = notBefore(err)
			}
		}
	}
}

func (w *Watch) again(ctx context.Context) (*Subscription, error) {
	ctx, cancel := context.WithTimeout(ctx, renewTime)
	defer cancel()
	return w.client.Subscribe(ctx, w.target, w.opts)
}

// forGood says that asking again would be answered alike.
func forGood(err error) bool {
	var refused *RefusedError
	if !errors.As(err, &refused) {
		return errors.Is(err, ErrAuthentication)
	}
	status := refused.Status()
	return status != 408 && status != 480 && status != 481 && (status < 500 || status == 501 || status == 603 || status == 604)
}

// pause is how long to wait before another subscription takes the place of one
// that is over; false: none may.
func (s *Subscription) pause() (d time.Duration, allowed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.opts.Expires == 0: // we ended it
		return 0, false
	case slices.Contains([]string{"rejected", "noresource", "invariant"}, s.reason):
		return 0, false
	case s.reason == "deactivated" || s.reason == "timeout":
		return 0, true
	case s.retry > 0:
		return s.retry, true
	}
	return firstPause, true
}

// wait passes the time; false if ctx ends before.
func (c *Client) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	passed := make(chan struct{})
	timer := c.clock.AfterFunc(d, func() { close(passed) })
	defer timer.Stop()
	select {
	case <-passed:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryAfter is the retry-after parameter of a Subscription-State.
func retryAfter(params message.Params) time.Duration {
	v, _ := params.Get("retry-after")
	d, err := time.ParseDuration(v + "s")
	if err != nil || d < 0 || d > time.Hour {
		return 0
	}
	return d
}
