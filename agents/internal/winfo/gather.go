package winfo

import (
	"maps"
	"slices"
	"time"

	"presfed/agents/internal/event"
	"presfed/agents/internal/watcherinfo"
)

// remote is what another server tells of those who watch a presentity there.
type remote struct {
	server  string
	end     func()
	again   event.Alarm     // until it is asked again, which refused
	refused int             // times in a row
	heard   bool            // it has said something, or will not
	rows    map[string]*row // by the id that it gave
}

// mostRemote bounds the watchers that another server can tell of one presentity.
const mostRemote = 10_000

// lastPause bounds how long a server that refuses is not asked.
const lastPause = 5 * time.Minute

// began and ended keep who is told of watchers: as long as somebody is told of all,
// the other servers are asked for theirs.
func (w *Winfo) began(s *event.Subscription) {
	l := w.of(s.Resource())
	l.viewers[s] = s.View() == View
	w.gather(l)
}

func (w *Winfo) ended(s *event.Subscription, _ string) {
	viewerOf(s).stop()
	if l := w.known(s.Resource()); l != nil {
		delete(l.viewers, s)
		w.gather(l)
		w.tidy(l)
	}
}

// gather asks the servers that are to be asked, and no others.
func (w *Winfo) gather(l *list) {
	var servers []string
	if slices.Contains(slices.Collect(maps.Values(l.viewers)), true) {
		servers = w.others(l.aor)
	}
	for server, r := range l.remotes {
		if !slices.Contains(servers, server) {
			delete(l.remotes, server)
			w.lose(l, r)
			r.again.Stop()
			r.end()
		}
	}
	for _, server := range servers {
		if l.remotes[server] != nil {
			continue
		}
		r := &remote{server: server, rows: map[string]*row{}}
		l.remotes[server] = r
		w.ask(l, r)
	}
}

func (w *Winfo) ask(l *list, r *remote) {
	r.end = w.cfg.Subscribe(l.aor, r.server, func(u event.Update) {
		if l.remotes[r.server] == r {
			w.heard(l, r, u)
		}
	})
}

func (w *Winfo) others(presentity string) []string {
	if w.cfg.Others == nil {
		return nil
	}
	return w.cfg.Others(presentity)
}

// lose forgets what a server told.
func (w *Winfo) lose(l *list, r *remote) {
	for _, gone := range r.rows {
		w.over(l, gone, watcherinfo.Deactivated)
	}
	r.rows = map[string]*row{}
}

// heard takes in what a server tells. While it cannot be reached, what it told last
// stands. One that refuses may only be behind the directory.
func (w *Winfo) heard(l *list, r *remote, u event.Update) {
	r.heard = r.heard || u.Notified || u.Over || u.Err != nil || u.Status != 0
	if d, ok := u.Value.(*watcherinfo.Document); ok {
		w.merge(l, r, *d)
	}
	switch {
	case u.Over:
		w.lose(l, r)
		r.again.Set(w.cfg.Clock, w.cfg.Lanes, l.aor, min(w.cfg.Again<<min(r.refused, 16), lastPause), func() { w.ask(l, r) })
		r.refused++
	case u.Notified:
		r.refused = 0
	}
	if !slices.ContainsFunc(w.others(l.aor), func(s string) bool { return l.remotes[s] != nil && !l.remotes[s].heard }) {
		w.notifier.Changed(l.aor, w.Name(), func(s *event.Subscription) bool { // who waits for that
			return s.View() == View && viewerOf(s).last.IsZero()
		})
	}
}

// merge brings a document in: rows that are gone, are new, or have changed. Versions
// are of a dialog, within which nothing comes out of order.
func (w *Winfo) merge(l *list, r *remote, d watcherinfo.Document) {
	if d.Full {
		w.prune(l, r, d)
	}
	now, left := w.cfg.Clock.Now(), 0
	for _, told := range d.Lists {
		for _, in := range told.Watchers {
			was, next := r.rows[in.ID], rowFrom(r.server, in, now)
			switch {
			case in.Status == watcherinfo.Terminated:
				delete(r.rows, in.ID)
				w.news(l, next)
				continue
			case was == nil && len(r.rows) >= mostRemote:
				left++
				continue
			case was == nil || was.status != next.status || was.name != next.name:
				w.news(l, next)
			}
			r.rows[in.ID] = next
		}
	}
	if left > 0 {
		w.cfg.Log.Warn("a server tells of more watchers than are kept", "presentity", l.aor, "server", r.server, "most", mostRemote, "left_out", left)
	}
}

// prune forgets those whom a whole list has no more.
func (w *Winfo) prune(l *list, r *remote, d watcherinfo.Document) {
	still := map[string]bool{}
	for _, told := range d.Lists {
		for _, in := range told.Watchers {
			still[in.ID] = true
		}
	}
	for id, row := range r.rows {
		if !still[id] {
			delete(r.rows, id)
			w.over(l, row, watcherinfo.Timeout)
		}
	}
}

// rowFrom is a row that another server tells, whose ids are its own.
func rowFrom(server string, in watcherinfo.Watcher, now time.Time) *row {
	r := &row{id: idOf(server + "\x00" + in.ID), watcher: in.URI, name: short(in.Name), status: in.Status, event: in.Event, remote: true}
	if in.Subscribed != nil {
		r.since = now.Add(-time.Duration(min(*in.Subscribed, 1<<31)) * time.Second)
	}
	if in.Expiration != nil {
		r.until = now.Add(time.Duration(min(*in.Expiration, 1<<31)) * time.Second)
	}
	return r
}

// incomplete says that a server has not told yet who watches a presentity there.
func (w *Winfo) incomplete(presentity string) bool {
	l := w.known(presentity)
	return slices.ContainsFunc(w.others(presentity), func(server string) bool {
		return l == nil || l.remotes[server] == nil || !l.remotes[server].heard
	})
}

// Placed says that the directory has changed about a presentity. It returns at
// once.
func (w *Winfo) Placed(presentity string) {
	if w.known(presentity) == nil {
		return
	}
	w.cfg.Lanes.Do(presentity, func() {
		if l := w.known(presentity); l != nil {
			w.gather(l)
			w.tidy(l)
		}
	})
}
