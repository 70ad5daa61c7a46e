package winfo

import (
	"slices"
	"time"

	"presfed/agents/internal/event"
	"presfed/agents/internal/watcherinfo"
)

// remote is what another server tells of those who watch a presentity there.
type remote struct {
	end   func()
	heard bool            // it has said something, or will not
	rows  map[string]*row // by id
}

// began and ended keep who is told of all watchers: as long as somebody is, the
// other servers are asked for theirs.
func (w *Winfo) began(s *event.Subscription) {
	if s.View() == View {
		l := w.of(s.Resource())
		l.viewers[s] = true
		w.gather(l)
	}
}

func (w *Winfo) ended(s *event.Subscription, _ string) {
	viewerOf(s).stop()
	if l := w.known(s.Resource()); l != nil && l.viewers[s] {
		delete(l.viewers, s)
		w.gather(l)
		w.tidy(l)
	}
}

// gather asks the servers that are to be asked, and no others.
func (w *Winfo) gather(l *list) {
	var servers []string
	if len(l.viewers) > 0 {
		servers = w.others(l.aor)
	}
	for server, r := range l.remotes {
		if !slices.Contains(servers, server) {
			w.lose(l, server, r)
			r.end()
		}
	}
	for _, server := range servers {
		if l.remotes[server] != nil {
			continue
		}
		r := &remote{rows: map[string]*row{}}
		l.remotes[server] = r
		r.end = w.cfg.Subscribe(l.aor, server, func(u event.Update) {
			if l.remotes[server] == r {
				w.heard(l, server, r, u)
			}
		})
	}
}

func (w *Winfo) others(presentity string) []string {
	if w.cfg.Others == nil {
		return nil
	}
	return w.cfg.Others(presentity)
}

// lose forgets what a server told.
func (w *Winfo) lose(l *list, server string, r *remote) {
	delete(l.remotes, server)
	for _, gone := range r.rows {
		w.over(l, gone, watcherinfo.Deactivated)
	}
}

// heard takes in what a server tells. While it cannot be reached, what it told last
// stands.
func (w *Winfo) heard(l *list, server string, r *remote, u event.Update) {
	r.heard = r.heard || u.Notified || u.Over || u.Err != nil || u.Status != 0
	if d, ok := u.Value.(*watcherinfo.Document); ok {
		w.merge(l, r, *d)
	}
	if u.Over {
		w.lose(l, server, r)
		w.tidy(l)
	}
	if !slices.ContainsFunc(w.others(l.aor), func(s string) bool { return l.remotes[s] != nil && !l.remotes[s].heard }) {
		w.notifier.Changed(l.aor, w.Name(), func(s *event.Subscription) bool { // who waits for that
			return s.View() == View && viewerOf(s).last.IsZero()
		})
	}
}

// merge brings a document in: rows that are new, have changed, or are gone. Versions
// are of a dialog, within which nothing comes out of order.
func (w *Winfo) merge(l *list, r *remote, d watcherinfo.Document) {
	now := w.cfg.Clock.Now()
	still := map[string]bool{}
	for _, told := range d.Lists {
		for _, in := range told.Watchers {
			still[in.ID] = true
			was, next := r.rows[in.ID], rowFrom(in, now)
			r.rows[in.ID] = next
			switch {
			case in.Status == watcherinfo.Terminated:
				delete(r.rows, in.ID)
				w.news(l, next)
			case was == nil || was.status != next.status || was.name != next.name:
				w.news(l, next)
			}
		}
	}
	for id, row := range r.rows {
		if d.Full && !still[id] {
			delete(r.rows, id)
			w.over(l, row, watcherinfo.Timeout)
		}
	}
}

// rowFrom is a row that another server tells.
func rowFrom(in watcherinfo.Watcher, now time.Time) *row {
	r := &row{id: in.ID, watcher: in.URI, name: short(in.Name), status: in.Status, event: in.Event, remote: true}
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
