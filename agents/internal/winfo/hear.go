package winfo

import (
	"presfed/agents/internal/event"
	"presfed/agents/internal/watcherinfo"
	"presfed/db/state"
)

// The watched package tells of its subscriptions, in the presentity's lane. What
// begins and ends within a moment, such as the fetch of one who may watch, is no
// news (RFC 3857 section 4.7.2).

// Keep has one who asks, and whom nobody has decided on, written down together with
// her subscription.
func (w *Winfo) Keep(s *event.Subscription) func(tx *state.Tx) error {
	if !w.cfg.Counts(s) || !s.Undecided() {
		return nil
	}
	r := rowOf(s)
	r.until = w.cfg.Clock.Now().Add(w.cfg.GiveUp)
	asking := r.asking(s.Resource())
	return func(tx *state.Tx) error { return tx.PutAsking(asking) }
}

// Began hears of a subscription that is made, or was restored.
func (w *Winfo) Began(s *event.Subscription) {
	fetch := s.State() == event.StateTerminated
	if !w.cfg.Counts(s) || fetch && !s.Undecided() {
		return
	}
	l, r := w.of(s.Resource()), rowOf(s)
	if fetch && l.undecided(r.watcher) { // she asks by another one still
		return
	}
	if before := l.waiting[r.watcher]; before != nil {
		w.leave(l, before)
		switch {
		case before.id == r.id: // written down before a restart
		case r.status == watcherinfo.Pending: // the same again makes it redundant, and is written in its place
			w.over(l, before, watcherinfo.Giveup)
		default:
			w.forget(l.aor, before.watcher)
			w.over(l, before, watcherinfo.Approved)
		}
		w.arm(l)
	}
	if fetch {
		w.wait(l, r)
		return
	}
	l.current[s] = r
	if r.status == watcherinfo.Pending {
		r.until = w.cfg.Clock.Now().Add(w.cfg.GiveUp)
		w.keep(l.aor, r)
	}
	w.news(l, r)
}

// Settled hears that a decision has brought one to another state.
func (w *Winfo) Settled(s *event.Subscription) {
	l := w.known(s.Resource())
	if l == nil || l.current[s] == nil {
		return
	}
	r, now := l.current[s], rowOf(s)
	r.status, r.event = now.status, now.event
	if r.status == watcherinfo.Pending {
		r.until = w.cfg.Clock.Now().Add(w.cfg.GiveUp)
		w.keep(l.aor, r)
	} else {
		w.forget(l.aor, r.watcher)
	}
	w.news(l, r)
}

// Ended hears that one is over, and why.
func (w *Winfo) Ended(s *event.Subscription, reason string) {
	l := w.known(s.Resource())
	if l == nil || l.current[s] == nil {
		return
	}
	r := l.current[s]
	delete(l.current, s)
	why, undecided := watcherinfo.Event(reason), r.status == watcherinfo.Pending
	switch why {
	case watcherinfo.Rejected, watcherinfo.NoResource, watcherinfo.Deactivated, watcherinfo.Probation, watcherinfo.Giveup:
		if undecided && !l.undecided(r.watcher) {
			w.forget(l.aor, r.watcher)
		}
		w.over(l, r, why)
	default: // it ran out, was ended by the watcher, or cannot be reached
		switch {
		case !undecided:
			w.over(l, r, watcherinfo.Timeout)
		case l.undecided(r.watcher): // she asks by another one still
			w.over(l, r, watcherinfo.Giveup)
		default:
			w.wait(l, r)
		}
	}
	w.tidy(l)
}

// PolicyChanged has those who wait decided on anew. It returns at once.
func (w *Winfo) PolicyChanged(presentity string) {
	if w.known(presentity) == nil {
		return
	}
	w.cfg.Lanes.Do(presentity, func() {
		l := w.known(presentity)
		if l == nil {
			return
		}
		for _, r := range l.rows(true) {
			if r.status != watcherinfo.Waiting {
				continue
			}
			verdict, err := w.cfg.Policy(presentity, r.watcher)
			switch {
			case err != nil:
				w.cfg.Log.Warn("no decision on somebody who waits for one", "presentity", presentity, "watcher", r.watcher, "error", err)
			case verdict == event.Active:
				w.end(l, r, watcherinfo.Approved)
			case verdict == event.Rejected:
				w.end(l, r, watcherinfo.Rejected)
			}
		}
		w.arm(l)
		w.tidy(l)
	})
}

// Forget lets go of all who wait for a presentity who is not served here any
// more, once her subscriptions have been ended. It returns at once.
func (w *Winfo) Forget(presentity, reason string) {
	w.cfg.Lanes.Do(presentity, func() {
		l := w.known(presentity)
		if l == nil {
			return
		}
		for _, r := range l.rows(true) {
			if r.status == watcherinfo.Waiting {
				w.end(l, r, watcherinfo.Event(reason))
			}
		}
		w.arm(l)
		w.tidy(l)
	})
}

// Dismiss gives up what a watcher asked who is no user any more. It returns at once.
func (w *Winfo) Dismiss(watcher string) {
	for _, presentity := range w.Presentities() {
		w.cfg.Lanes.Do(presentity, func() {
			l := w.known(presentity)
			if l == nil || l.waiting[watcher] == nil {
				return
			}
			w.end(l, l.waiting[watcher], watcherinfo.Giveup)
			w.arm(l)
			w.tidy(l)
		})
	}
}

// Restore takes in who waited before a restart, before anything else happens.
func (w *Winfo) Restore(all []state.Asking) {
	for _, a := range all {
		w.enter(w.of(a.Presentity), &row{
			id: a.ID, watcher: a.Watcher, name: a.Name, anonymous: a.Anonymous, since: a.Since, until: a.Until,
			status: watcherinfo.Waiting, event: watcherinfo.Timeout,
		})
	}
}

// Start has those who wait decided on anew, once the notifier has started.
func (w *Winfo) Start() {
	for _, presentity := range w.Presentities() {
		w.PolicyChanged(presentity)
	}
}
