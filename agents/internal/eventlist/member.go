package eventlist

import (
	"cmp"
	"time"

	"presfed/agents/internal/event"
	"presfed/agents/internal/rlmi"
)

// member is one on a list, with the subscription to her.
type member struct {
	uri     string
	end     func()         // of the subscription
	asked   int            // counts the subscriptions
	state   *rlmi.Instance // nil: nothing is known
	heard   bool           // something has been: a state, a refusal, a failure
	told    bool           // watchers have been told that she is on the list
	refused time.Time      // when she did so for good; zero: she did not
	lost    time.Time      // since when her server cannot be reached, while what she showed stays
}

// leave ends the subscription to one who is not on the list any more.
func (m *member) leave() {
	m.asked++
	m.end()
}

// ask subscribes to a member. She refuses, is watched, or is tried again by the
// subscription itself.
func (l *list) ask(m *member) {
	m.asked++
	this := m.asked
	m.refused, m.lost = time.Time{}, time.Time{}
	m.end = l.lists.cfg.Subscribe(l.uri, l.owner, m.uri, func(u event.Update) {
		if !l.over && m.asked == this {
			l.hear(m, u)
		}
	})
}

// hear takes what came of the subscription to a member.
func (l *list) hear(m *member, u event.Update) {
	if u.Over {
		m.refused = l.lists.cfg.Clock.Now()
	}
	if !u.Notified && !u.Over && m.state != nil && m.state.State == rlmi.Active {
		l.lose(m) // a refresh has failed; another attempt is due
		return
	}
	m.lost = time.Time{}
	if now, told := l.instance(m, u); told {
		l.shows(m, now)
	}
}

// lose gives a server that cannot be reached a while to come back.
func (l *list) lose(m *member) {
	if !m.lost.IsZero() {
		return
	}
	since, asked := l.lists.cfg.Clock.Now(), m.asked
	m.lost = since
	l.after(l.lists.cfg.Grace, func() {
		if m.lost.Equal(since) && m.asked == asked {
			m.lost = time.Time{}
			l.shows(m, &rlmi.Instance{ID: one, State: rlmi.Terminated, Reason: "probation"})
		}
	})
}

// shows takes in what is known of a member now.
func (l *list) shows(m *member, now *rlmi.Instance) {
	before := m.state
	m.state, m.heard = now, true
	if before == nil || !alike(before, now) {
		l.changed(m)
	}
	l.settling()
}

// one is the instance of every resource: one subscription, never a fork.
const one = "1"

// instance is the member's state after an update; false where that tells
// nothing.
func (l *list) instance(m *member, u event.Update) (*rlmi.Instance, bool) {
	now := &rlmi.Instance{ID: one}
	switch {
	case u.Notified && u.State == event.StateTerminated:
		now.State, now.Reason = rlmi.Terminated, cmp.Or(u.Reason, "giveup")
	case u.Notified && u.State == event.StateActive:
		if len(u.Body) == 0 { // what is known stays until there is more
			return m.state, m.state != nil && m.state.State == rlmi.Active
		}
		now.State, now.Type, now.Body = rlmi.Active, u.ContentType, u.Body
		if most := l.lists.largest(m.uri); len(u.Body) > most {
			l.lists.cfg.Log.Warn("a member's state is too large for a NOTIFY", "list", l.uri, "member", m.uri, "bytes", len(u.Body), "most", most)
			now = &rlmi.Instance{ID: one, State: rlmi.Terminated, Reason: "giveup"}
		}
	case u.Notified:
		now.State = rlmi.Pending
	case u.Status != 0 && u.Over:
		now.State, now.Reason = rlmi.Terminated, reasonOf(u.Status)
	case u.Over:
		now.State, now.Reason = rlmi.Terminated, "giveup"
	default: // it is tried again (RFC 4662 section 4.5)
		now.State, now.Reason = rlmi.Terminated, "probation"
	}
	return now, true
}

// reasonOf is a refusal as a reason of RFC 6665 section 4.1.3.
func reasonOf(status int) string {
	switch status {
	case 403, 603:
		return "rejected"
	case 404, 410, 484, 604:
		return "noresource"
	}
	return "giveup"
}

func alike(a, b *rlmi.Instance) bool {
	return a.State == b.State && a.Reason == b.Reason && a.Type == b.Type && string(a.Body) == string(b.Body)
}
