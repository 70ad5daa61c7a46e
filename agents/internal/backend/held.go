package backend

import (
	"time"

	"presfed/agents/internal/event"
	"presfed/pidf"
)

// held is one subscription at another server. It belongs to its presentity's lane.
type held struct {
	b          *Backend
	presentity string
	need       Need
	watch      *event.Watch // nil: none is there at present
	told       *Share       // the latest that was told
	agreed     bool         // the latest it said of this watcher was that she may see
	doubted    bool         // a refusal was not believed, once
	refused    int          // times in a row, for another reason than the watcher
	over       bool

	grace  event.Alarm // until the share of a server that is away goes
	linger event.Alarm // until it ends, since nobody needs it
	again  event.Alarm // until a server that refused is asked again
}

// wanted is the subscription as the subscriber takes it.
func (h *held) wanted() (event.Wanted, error) {
	want, err := h.b.cfg.Ask(h.presentity, h.need)
	want.Key, want.Package, want.Accept = h.presentity, "presence", []string{contentType}
	want.Peer, want.Durable = h.need.Server, true
	want.Resource, want.Watcher = h.presentity, h.need.Watcher
	want.Read = func(ctype string, body []byte) (any, error) { return h.b.read(h.presentity, ctype, body) }
	return want, err
}

// ask subscribes.
func (h *held) ask() {
	want, err := h.wanted()
	if err != nil {
		h.b.cfg.Log.Warn("a share cannot be asked for", "presentity", h.presentity, "server", h.need.Server, "error", err)
		h.gone()
		h.later()
		return
	}
	h.watch = h.b.cfg.Subscriber.Subscribe(want, h.on)
}

// on hears what becomes of the subscription.
func (h *held) on(w *event.Watch, u event.Update) {
	if h.over {
		w.Unsubscribe()
		return
	}
	h.watch = w
	if u.Over {
		h.watch = nil
	}
	switch {
	case u.Notified && u.State != event.StateTerminated:
		h.grace.Stop()
		h.refused = 0
		h.notified(u)
	case (u.Status == 404 || u.Status == 480) && (h.again.On() || !h.doubted && h.b.lags()):
		h.doubt()
	case u.Notified && u.Reason == "rejected", u.Status == 403, u.Status == 603:
		h.b.cfg.Log.Info("another server denies its share", "presentity", h.presentity, "server", h.need.Server, "watcher", h.need.Watcher, "status", u.Status)
		h.grace.Stop()
		h.tell(Share{Standing: Denied})
	case u.Over: // it has nothing of her, or does not do this
		h.agreed = h.agreed || u.Reason == "noresource" || u.Status == 404 || u.Status == 410 || u.Status == 604
		h.b.cfg.Log.Info("another server has no share", "presentity", h.presentity, "server", h.need.Server, "status", u.Status, "reason", u.Reason)
		h.gone()
		h.later()
	case h.told == nil || h.told.Standing != Agreed:
		h.gone() // nobody is to wait for it
	case !h.grace.On():
		h.b.cfg.Log.Warn("another server cannot be reached: its share stays for a while", "presentity", h.presentity, "server", h.need.Server, "grace", h.b.cfg.Grace, "error", u.Err)
		h.arm(&h.grace, h.b.cfg.Grace, h.gone)
	}
}

// later asks a server again that refused: soon, for it may only be behind the
// directory, and less often the longer it goes on.
func (h *held) later() {
	h.arm(&h.again, min(h.b.cfg.Lag<<min(h.refused, 16), h.b.cfg.Again), h.ask)
	h.refused++
}

// doubt has a server asked once more that may not know yet what the directory says.
func (h *held) doubt() {
	h.doubted = true
	if h.again.On() {
		return
	}
	h.arm(&h.again, h.b.cfg.Lag, func() {
		if h.watch == nil {
			h.ask()
		} else {
			h.watch.Refresh()
		}
	})
}

// notified is a NOTIFY that leaves the subscription as it is.
func (h *held) notified(u event.Update) {
	s := Share{Standing: Agreed}
	if h.agreed = u.State == event.StateActive; h.agreed {
		s.Document, _ = u.Value.(*pidf.Document)
	} else {
		s.Standing = Undecided
	}
	h.tell(s)
}

// gone: there is no share to be had. A server that has not agreed to a watcher
// does not agree by being away.
func (h *held) gone() {
	h.grace.Stop()
	if h.need.Watcher != "" && !h.agreed {
		h.tell(Share{Standing: Undecided})
		return
	}
	h.tell(Share{Standing: Away})
}

func (h *held) tell(s Share) {
	h.told = &s
	h.b.cfg.Told(h.presentity, h.need, &s)
}

// end lets go of it.
func (h *held) end() {
	h.over = true
	h.disarm()
	if all := h.b.of(h.presentity, false); all[h.need] == h {
		delete(all, h.need)
		h.b.tidy(h.presentity)
	}
	if h.watch != nil {
		h.watch.Unsubscribe()
	}
	h.b.cfg.Told(h.presentity, h.need, nil)
}

// arm sets one of the timers.
func (h *held) arm(a *event.Alarm, d time.Duration, f func()) {
	a.Set(h.b.cfg.Clock, h.b.cfg.Lanes, h.presentity, d, f)
}

func (h *held) disarm() {
	h.grace.Stop()
	h.linger.Stop()
	h.again.Stop()
}
