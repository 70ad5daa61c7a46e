package winfo

import (
	"maps"
	"math"
	"slices"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/event"
	"presfed/agents/internal/watcherinfo"
)

// viewer is what one subscriber to watcher information has been told.
type viewer struct {
	told  map[string]bool // the rows that she knows of
	news  map[string]*row // by id: what she does not know yet
	last  time.Time       // when she was told something
	due   bool            // she will be told
	timer clock.Timer
}

// viewerOf is a subscription's, which is its lane's.
func viewerOf(s *event.Subscription) *viewer {
	v, ok := s.Data.(*viewer)
	if !ok {
		v = &viewer{told: map[string]bool{}, news: map[string]*row{}}
		s.Data = v
	}
	return v
}

func (v *viewer) stop() {
	if v.timer != nil {
		v.timer.Stop()
	}
}

// news has a row told that is new or has changed. It keeps it as it is now.
func (w *Winfo) news(l *list, r *row) {
	for s, all := range l.viewers {
		if (all || !r.remote) && s.State() != event.StateTerminated {
			viewerOf(s).add(*r)
			w.tell(s)
		}
	}
}

// add puts a row in the place of what was to be told of it before. One that she
// never heard of and is over is none of hers.
func (v *viewer) add(r row) {
	if r.status == watcherinfo.Terminated && !v.told[r.id] {
		delete(v.news, r.id)
		return
	}
	v.news[r.id] = &r
}

// tell has a subscriber told what is new to her, after the job that is under way
// in the lane, and not before its time.
func (w *Winfo) tell(s *event.Subscription) {
	v := viewerOf(s)
	if v.due {
		return
	}
	v.due = true
	now := func() {
		w.cfg.Lanes.Do(s.Resource(), func() {
			v.due = false
			switch {
			case len(v.news) == 0:
			case w.early(v) > 0: // she has just been told something else
				w.tell(s)
			default:
				w.notifier.Changed(s.Resource(), w.Name(), func(o *event.Subscription) bool { return o == s })
			}
		})
	}
	if wait := w.early(v); wait > 0 {
		v.timer = w.cfg.Clock.AfterFunc(wait, now)
		return
	}
	now()
}

// early is how long a subscriber is not to be told anything.
func (w *Winfo) early(v *viewer) time.Duration { return w.cfg.Gap - w.cfg.Clock.Now().Sub(v.last) }

// body is the document of one NOTIFY. What does not fit it goes into the next,
// which follows at once.
func (w *Winfo) body(s *event.Subscription, full bool, version uint64) (event.Body, error) {
	v, now := viewerOf(s), w.cfg.Clock.Now()
	rows := slices.SortedFunc(maps.Values(v.news), older)
	if full {
		rows, v.told = nil, map[string]bool{}
		if l := w.known(s.Resource()); l != nil {
			rows = l.rows(s.View() == Here)
		}
	}
	clear(v.news)
	v.last = now
	watchers, room := []watcherinfo.Watcher{}, w.cfg.Room
	for i, r := range rows {
		written := r.written(now)
		if room -= written.Size(); room < 0 && i > 0 {
			for _, rest := range rows[i:] {
				kept := *rest
				v.news[rest.id] = &kept
			}
			break
		}
		if r.status == watcherinfo.Terminated {
			delete(v.told, r.id)
		} else {
			v.told[r.id] = true
		}
		watchers = append(watchers, written)
	}
	doc := watcherinfo.Document{Version: uint32(min(version, math.MaxUint32)), Full: full, Lists: []watcherinfo.List{{
		Resource: s.Resource(), Package: w.cfg.Package, Watchers: watchers,
	}}}
	return event.Body{Bytes: doc.Bytes(), More: len(v.news) > 0}, nil
}
