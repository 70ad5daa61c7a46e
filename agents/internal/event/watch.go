package event

import (
	"time"

	"presfed/agents/internal/message"
	"presfed/db/state"
)

// Watch is one subscription as its subscriber holds it. All but its methods
// belongs to its lane.
type Watch struct {
	s    *Subscriber
	key  string
	want Wanted
	on   func(w *Watch, u Update)

	rec      state.Subscription // the dialog; no RemoteTag: a half-dialog, until the first NOTIFY
	cseq     uint32             // last used
	lasts    time.Duration      // the expiry asked for
	since    time.Time          // when the dialog began
	dialog   int                // counts the dialogs there have been
	stored   bool               // it has a row
	asking   bool               // a SUBSCRIBE waits for its response
	attempts int                // credentials and expiries tried for one SUBSCRIBE
	last0    bool               // the latest SUBSCRIBE said Expires 0
	refresh  bool               // another SUBSCRIBE is due as soon as none waits
	ending   bool               // unsubscribe
	bold     bool               // asks although the peer is down
	over     bool
	failures int // since it last worked

	timerN, next, expiry Alarm
}

// begin starts with a new dialog (RFC 6665 section 4.1.2.1).
func (w *Watch) begin() {
	if w.over {
		return
	}
	w.drop()
	w.rec = state.Subscription{
		Half: state.Subscriber, Package: w.want.Package, EventID: w.want.EventID, Resource: w.want.Resource, View: w.want.View,
		Watcher: w.want.Watcher, Peer: w.want.Peer, Contact: w.want.Contact, Headers: w.want.Headers, Extra: w.want.Extra,
		State: string(StatePending), CallID: tag() + tag(), LocalTag: tag(), RemoteAddress: w.want.To, Target: w.want.URI, Routes: w.want.Routes,
	}
	w.rec.ID = state.NewID()
	w.cseq, w.since = 0, w.s.cfg.Clock.Now()
	from, err := message.ParseAddress(w.want.From)
	if err != nil {
		w.finish(Update{Err: err})
		return
	}
	w.rec.LocalAddress = from.WithTag(w.rec.LocalTag).String()
	w.s.mu.Lock()
	w.s.watches[w.rec.LocalTag] = within{w, w.rec.CallID}
	w.s.mu.Unlock()
	w.ask()
}

// drop forgets the dialog there was.
func (w *Watch) drop() {
	w.disarm()
	w.dialog++
	w.asking, w.refresh = false, false
	w.s.mu.Lock()
	if w.s.watches[w.rec.LocalTag].watch == w {
		delete(w.s.watches, w.rec.LocalTag)
	}
	w.s.mu.Unlock()
	w.erase()
}

func (w *Watch) erase() {
	if !w.stored || w.s.cfg.Store == nil {
		return
	}
	w.stored = false
	id := w.rec.ID
	w.s.cfg.Store.Commit(func(tx *state.Tx) error { return tx.DeleteSubscription(state.Subscriber, id) }, func(err error) {
		if err != nil {
			w.s.cfg.Log.Error("an ended subscription stays in the state", "subscription", id, "error", err)
		}
	})
}

// finish tells the last there is to tell.
func (w *Watch) finish(u Update) {
	if w.over {
		return
	}
	w.over = true
	w.drop()
	w.s.mu.Lock()
	delete(w.s.all, w)
	w.s.mu.Unlock()
	u.Over = true
	w.on(w, u)
}

// Want is what was asked for.
func (w *Watch) Want() Wanted { return w.want }

// Refresh asks for the state again now, or makes the attempt that was due later.
func (w *Watch) Refresh() {
	w.s.cfg.Lanes.Do(w.key, func() {
		if w.over {
			return
		}
		w.failures = 0
		if w.rec.RemoteTag == "" && !w.timerN.On() && !w.asking { // between two attempts
			w.begin()
			return
		}
		w.ask()
	})
}

// Unsubscribe ends the subscription; the last update is Over.
func (w *Watch) Unsubscribe() {
	w.s.cfg.Lanes.Do(w.key, func() {
		if w.over || w.ending {
			return
		}
		w.ending = true
		switch {
		case w.rec.RemoteTag != "":
			w.ask()
		case !w.timerN.On() && !w.asking: // between two attempts: nobody knows of it
			w.finish(Update{})
		}
		// Else the first NOTIFY makes the dialog in which to unsubscribe.
	})
}

// arm sets one of the timers.
func (w *Watch) arm(a *Alarm, d time.Duration, f func()) {
	a.Set(w.s.cfg.Clock, w.s.cfg.Lanes, w.key, d, f)
}

func (w *Watch) disarm() {
	w.timerN.Stop()
	w.next.Stop()
	w.expiry.Stop()
}
