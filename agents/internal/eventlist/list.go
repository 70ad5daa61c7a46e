package eventlist

import (
	"slices"
	"time"

	"presfed/agents/internal/event"
)

// list is one that somebody is subscribed to. All of it belongs to its lane.
type list struct {
	lists   *Lists
	uri     string
	owner   string
	order   []*member
	members map[string]*member // by URI
	over    bool

	settle event.Alarm // until new members are told, heard of or not; off: none is new
	gather event.Alarm // until changes are told; off: there are none
	idle   event.Alarm
}

// told is what one subscription has yet to hear.
type told struct {
	full    bool            // all of it: somebody is on the list no more
	changed map[string]bool // by URI
}

// do queues a job in the list's lane, for as long as it is open.
func (l *list) do(job func()) {
	l.lists.cfg.Lanes.Do(l.uri, func() {
		if !l.over {
			job()
		}
	})
}

// after has a job done later, if the list is still open.
func (l *list) after(d time.Duration, job func()) {
	l.lists.cfg.Clock.AfterFunc(d, func() { l.do(job) })
}

// arm sets one of the timers.
func (l *list) arm(a *event.Alarm, d time.Duration, job func()) {
	a.Set(l.lists.cfg.Clock, l.lists.cfg.Lanes, l.uri, d, job)
}

// set makes these the members.
func (l *list) set(uris []string) {
	x := l.lists
	if n := x.fitting(uris); n < len(uris) {
		x.cfg.Log.Warn("a list is too long: the rest of it is not watched", "list", l.uri, "members", len(uris), "watched", n)
		uris = uris[:n]
	}
	first := l.order == nil
	before, added := l.members, false
	l.order, l.members = make([]*member, 0, len(uris)), make(map[string]*member, len(uris))
	for _, uri := range uris {
		if l.members[uri] != nil {
			continue
		}
		m := before[uri]
		if m == nil {
			m, added = &member{uri: uri}, true
			l.ask(m)
		}
		l.order, l.members[uri] = append(l.order, m), m
	}
	removed := false
	for uri, m := range before {
		if l.members[uri] == nil {
			removed = true
			m.leave()
		}
	}
	if removed { // RFC 4662 has no other way to say it than the whole list
		l.each(func(t *told) { t.full = true })
		l.soon()
	}
	if added || first {
		l.arm(&l.settle, x.cfg.Wait, l.settled)
		l.settling()
	}
}

// each calls f for every subscription that has been told something before.
func (l *list) each(f func(*told)) {
	for _, s := range l.lists.notifier.Subscriptions(l.uri) {
		if t, ok := s.Data.(*told); ok {
			f(t)
		}
	}
}

// wait is how long a first NOTIFY may wait: long enough for settled to end it.
func (l *list) wait() time.Duration {
	if !l.settle.On() {
		return 0
	}
	return 2 * l.lists.cfg.Wait
}

// settling ends the time that new members are given, once each has been heard of.
func (l *list) settling() {
	if l.settle.On() && !slices.ContainsFunc(l.order, func(m *member) bool { return !m.heard }) {
		l.settled()
	}
}

// settled tells of new members, also of those who have not been heard of.
func (l *list) settled() {
	l.settle.Stop()
	for _, m := range l.order {
		if !m.told {
			m.told = true
			l.each(func(t *told) { t.changed[m.uri] = true })
		}
	}
	l.tell()
}

// changed notes that something else is known of a member now.
func (l *list) changed(m *member) {
	if !m.told {
		return // with the other new ones
	}
	l.each(func(t *told) { t.changed[m.uri] = true })
	l.soon()
}

// soon tells what has changed, and what else changes until then.
func (l *list) soon() {
	if !l.gather.On() {
		l.arm(&l.gather, l.lists.cfg.Gather, l.tell)
	}
}

func (l *list) tell() {
	l.lists.notifier.Changed(l.uri, l.lists.cfg.Name, func(s *event.Subscription) bool {
		t, ok := s.Data.(*told)
		if !ok { // it waits for its first one
			return !l.settle.On()
		}
		return t.full || len(t.changed) > 0
	})
}

// retry asks those again who refused that long ago: these, or all for nil.
func (l *list) retry(ago time.Duration, members ...string) {
	now := l.lists.cfg.Clock.Now()
	for _, m := range l.order {
		if !m.refused.IsZero() && now.Sub(m.refused) >= ago && (members == nil || slices.Contains(members, m.uri)) {
			l.ask(m)
		}
	}
}

// close ends the list once nobody watches it; else it looks again later.
func (l *list) close() {
	if len(l.lists.notifier.Subscriptions(l.uri)) > 0 {
		l.arm(&l.idle, l.lists.cfg.Linger, l.close)
		return
	}
	l.over = true
	l.stop()
	for _, m := range l.order {
		m.leave()
	}
	l.lists.mu.Lock()
	defer l.lists.mu.Unlock()
	delete(l.lists.open, l.uri)
}

func (l *list) stop() {
	l.settle.Stop()
	l.gather.Stop()
	l.idle.Stop()
}
