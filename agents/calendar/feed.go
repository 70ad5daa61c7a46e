package calendar

import (
	"context"
	"errors"
	"time"

	"presfed/agents/client"
)

// feed is one user's part of a feeder.
type feed struct {
	cfg   Config
	user  User
	asks  chan chan error // of Refresh
	ended chan struct{}

	shelf     *shelf
	looked    time.Time // when the plan was made
	plan      plan
	published publication
	succeeded bool
	failed    int       // attempts in a row
	again     time.Time // when the next may be made
	said      map[string]bool
}

func newFeed(cfg Config, u User) *feed {
	return &feed{
		cfg: cfg, user: u, asks: make(chan chan error), ended: make(chan struct{}), said: map[string]bool{},
		shelf: newShelf(u.Sources, cfg.Zone), published: publication{client: u.Client, longest: cfg.Expires},
	}
}

const (
	horizon     = 48 * time.Hour // a plan is made for that long
	replan      = time.Hour      // and made again after that
	longestNap  = 30 * time.Second
	fetchTime   = 2 * time.Minute
	publishTime = 35 * time.Second
	lastTime    = 5 * time.Second // of taking back, at the end
)

// run is the one that owns the publication; reading, which may take long, goes on
// beside it.
func (f *feed) run(ctx context.Context) error {
	defer close(f.ended)
	defer f.takeBack(context.WithoutCancel(ctx))
	results := make(chan round)
	var waiting, reading []chan error // Refresh: of the next round, and of this one
	busy := false
	defer func() {
		if busy {
			<-results
		}
	}()
	for {
		now := f.cfg.Clock.Now()
		if !busy && (len(waiting) > 0 || !now.Before(f.due())) {
			busy, reading, waiting = true, waiting, nil
			all := len(reading) > 0
			go func() { results <- f.look(ctx, now, all) }()
		}
		if err := f.reconcile(ctx, now); f.hopeless(err) {
			return err
		}
		wake := make(chan struct{})
		timer := f.cfg.Clock.AfterFunc(f.nap(now, busy), func() { close(wake) })
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-wake:
		case answer := <-f.asks:
			waiting = append(waiting, answer)
		case r := <-results:
			busy = false
			f.take(r)
			if len(reading) > 0 {
				f.again = time.Time{} // who asks does not wait for the next attempt
			}
			err := f.reconcile(ctx, f.cfg.Clock.Now())
			if f.hopeless(err) {
				return err
			}
			for _, answer := range reading {
				answer <- errors.Join(r.err, err)
			}
			reading = nil
		}
		timer.Stop()
	}
}

// hopeless: the credentials are wrong, and have never been right.
func (f *feed) hopeless(err error) bool {
	return errors.Is(err, client.ErrAuthentication) && !f.succeeded
}

// nap is how long nothing is to be done. It is never long: clocks are set, and
// machines sleep.
func (f *feed) nap(now time.Time, busy bool) time.Duration {
	next := now.Add(longestNap)
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	switch {
	case f.failed > 0:
		sooner(f.again)
	default:
		sooner(f.plan.next(now))
		if f.published.etag != "" {
			sooner(f.published.renew)
		}
	}
	if !busy {
		sooner(f.due())
	}
	return max(next.Sub(now), 10*time.Millisecond)
}

// due is when a source is to be looked at.
func (f *feed) due() (next time.Time) {
	for i, p := range f.shelf.places {
		if i == 0 || p.due.Before(next) {
			next = p.due
		}
	}
	return next
}

// round is what a look at the sources brought.
type round struct {
	at       time.Time
	plan     plan
	made     bool // there is a plan
	warnings []Warning
	err      error
}

// look reads the sources that are due and makes a plan where they have changed.
// Nothing else touches the shelf meanwhile.
func (f *feed) look(ctx context.Context, now time.Time, all bool) (r round) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	from, until := now.Add(-time.Minute), now.Add(horizon+f.cfg.Ahead)
	r.at = now
	r.err = f.shelf.fetch(ctx, now, from, until, all)
	if f.shelf.changed || now.Sub(f.looked) > replan {
		busy, warnings, err := f.shelf.busy(ctx, from, until)
		r.plan, r.made, r.warnings, r.err = busy, err == nil, warnings, errors.Join(r.err, err)
	}
	return r
}

// take has the plan of a round, and tells what is new of what was wrong.
func (f *feed) take(r round) {
	if r.made {
		f.plan, f.looked = r.plan, r.at
		said := map[string]bool{}
		for _, w := range r.warnings {
			if said[w.String()] = true; !f.said[w.String()] {
				f.tell(Event{Type: "warning", Source: w.Source, Line: w.Line, UID: w.UID, Message: w.What})
			}
		}
		f.said = said
	}
	switch {
	case r.err == nil:
		delete(f.said, "")
	case !f.said[""]: // that it still fails is the log's
		f.said[""] = true
		f.tell(Event{Type: "failed", Message: r.err.Error()})
	default:
		f.cfg.Log.Info("not read", "user", f.user.Client.AOR(), "error", r.err)
	}
}

// reconcile has the server show what the plan says of now.
func (f *feed) reconcile(ctx context.Context, now time.Time) error {
	if f.failed > 0 && now.Before(f.again) || ctx.Err() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	err := f.show(ctx, now)
	if err == nil {
		f.failed, f.succeeded = 0, f.succeeded || f.published.etag != ""
		return nil
	}
	f.again = now.Add(min(5*time.Second<<min(f.failed, 4), time.Minute))
	if f.failed++; f.failed == 1 && ctx.Err() != context.Canceled {
		e := client.Failed(err)
		f.tell(Event{Type: "failed", Message: e.Reason, Code: e.Code})
	}
	f.cfg.Log.Warn("not published", "user", f.user.Client.AOR(), "error", err)
	return err
}

func (f *feed) show(ctx context.Context, now time.Time) error {
	on := f.plan.on(now)
	coming := f.plan.ahead(now, now.Add(f.cfg.Ahead))
	until := f.plan.next(now)
	if on != nil {
		until = f.plan.free(now) // she is not shown free between two meetings
	}
	if len(coming) > 0 && coming[0].Start.Before(until) {
		until = coming[0].Start // then it is no longer to come
	}
	if on == nil && len(coming) == 0 || until.Sub(now) < time.Second {
		return f.published.remove(ctx, now)
	}
	return f.published.show(ctx, now, f.cfg.Style.document(f.user.Client.AOR(), on, coming), until)
}

// takeBack removes the publication at the end.
func (f *feed) takeBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastTime)
	defer cancel()
	if err := f.published.remove(ctx, f.cfg.Clock.Now()); err != nil {
		f.cfg.Log.Warn("not removed", "user", f.user.Client.AOR(), "error", err)
	}
}

func (f *feed) tell(e Event) {
	if f.cfg.OnEvent != nil {
		e.Time, e.AOR = f.cfg.Clock.Now(), f.user.Client.AOR()
		f.cfg.OnEvent(e)
	}
}
