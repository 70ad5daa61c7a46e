package winfo

import (
	"cmp"
	"slices"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/event"
	"presfed/agents/internal/watcherinfo"
	"presfed/db/state"
)

// list is the watchers of one presentity; it belongs to her lane.
type list struct {
	aor     string
	current map[*event.Subscription]*row
	waiting map[string]*row              // by watcher: those whose subscription has ended undecided
	giveUp  clock.Timer                  // for the first of them to be given up
	viewers map[*event.Subscription]bool // those told of her watchers; true: of all, wherever they are
	remotes map[string]*remote           // by server: who watches her there
}

// of is a presentity's list, made if need be.
func (w *Winfo) of(aor string) *list {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.lists[aor]
	if l == nil {
		l = &list{aor: aor, current: map[*event.Subscription]*row{}, waiting: map[string]*row{}, viewers: map[*event.Subscription]bool{}, remotes: map[string]*remote{}}
		w.lists[aor] = l
	}
	return l
}

// known is like of, but nil where nobody watches.
func (w *Winfo) known(aor string) *list {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lists[aor]
}

// tidy forgets a list that is empty.
func (w *Winfo) tidy(l *list) {
	if len(l.current) > 0 || len(l.waiting) > 0 || len(l.viewers) > 0 || len(l.remotes) > 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lists[l.aor] == l {
		delete(w.lists, l.aor)
	}
}

// rows are all that the presentity is told of, the oldest first; here: at this
// server.
func (l *list) rows(here bool) []*row {
	all := make([]*row, 0, len(l.current)+len(l.waiting))
	for _, r := range l.current {
		all = append(all, r)
	}
	for _, r := range l.waiting {
		all = append(all, r)
	}
	for _, r := range l.remotes {
		for _, row := range r.rows {
			if !here {
				all = append(all, row)
			}
		}
	}
	slices.SortFunc(all, older)
	return all
}

// older orders rows by age.
func older(a, b *row) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.id, b.id)) }

// undecided says whether a subscription of that watcher waits for a decision.
func (l *list) undecided(watcher string) bool {
	for _, r := range l.current {
		if r.watcher == watcher && r.status == watcherinfo.Pending {
			return true
		}
	}
	return false
}

// wait keeps somebody whose subscription has ended undecided, if there is room.
func (w *Winfo) wait(l *list, r *row) {
	r.status, r.event, r.sub = watcherinfo.Waiting, watcherinfo.Timeout, nil
	r.until = w.cfg.Clock.Now().Add(w.cfg.GiveUp)
	w.mu.Lock()
	room := w.waiting[r.watcher] < w.cfg.MostOf
	w.mu.Unlock()
	if !room {
		w.forget(l.aor, r.watcher)
		w.over(l, r, watcherinfo.Giveup)
		return
	}
	w.enter(l, r)
	w.keep(l.aor, r)
	w.news(l, r)
	if len(l.waiting) > w.cfg.Most {
		oldest := r
		for _, o := range l.waiting {
			if o.since.Before(oldest.since) {
				oldest = o
			}
		}
		w.end(l, oldest, watcherinfo.Giveup)
	}
}

// enter and leave keep count of who waits.
func (w *Winfo) enter(l *list, r *row) {
	l.waiting[r.watcher] = r
	w.mu.Lock()
	w.waiting[r.watcher]++
	w.mu.Unlock()
	w.arm(l)
}

func (w *Winfo) leave(l *list, r *row) {
	delete(l.waiting, r.watcher)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting[r.watcher]--; w.waiting[r.watcher] == 0 {
		delete(w.waiting, r.watcher)
	}
}

// end is the end of somebody's waiting.
func (w *Winfo) end(l *list, r *row, why watcherinfo.Event) {
	w.leave(l, r)
	w.forget(l.aor, r.watcher)
	w.over(l, r, why)
}

// over tells of a row for the last time.
func (w *Winfo) over(l *list, r *row, why watcherinfo.Event) {
	r.status, r.event, r.sub = watcherinfo.Terminated, why, nil
	w.news(l, r)
}

// keep and forget write what is to be known after a restart; nobody waits for it.
func (w *Winfo) keep(presentity string, r *row) {
	asking := r.asking(presentity)
	w.commit(func(tx *state.Tx) error { return tx.PutAsking(asking) })
}

func (w *Winfo) forget(presentity, watcher string) {
	w.commit(func(tx *state.Tx) error { return tx.DeleteAsking(presentity, watcher) })
}

func (w *Winfo) commit(do func(tx *state.Tx) error) {
	if w.cfg.Store == nil {
		return
	}
	w.cfg.Store.Commit(do, func(err error) {
		if err != nil {
			w.cfg.Log.Error("who waits for a decision was not written", "error", err)
		}
	})
}

// arm sets the timer of the list.
func (w *Winfo) arm(l *list) {
	if l.giveUp != nil {
		l.giveUp.Stop()
		l.giveUp = nil
	}
	var first *row
	for _, r := range l.waiting {
		if first == nil || r.until.Before(first.until) {
			first = r
		}
	}
	if first == nil {
		return
	}
	l.giveUp = w.cfg.Clock.AfterFunc(max(first.until.Sub(w.cfg.Clock.Now()), 0), func() {
		w.cfg.Lanes.Do(l.aor, func() {
			for _, r := range l.rows(true) {
				if r.status == watcherinfo.Waiting && !r.until.After(w.cfg.Clock.Now()) {
					w.end(l, r, watcherinfo.Giveup)
				}
			}
			w.arm(l)
			w.tidy(l)
		})
	})
}
