package event

import (
	"fmt"
	"time"

	"presfed/agents/internal/sip"
)

// failed tells of a failure that may pass, and tries again after the pause that
// the peer asked for, or ours where that is longer.
func (w *Watch) failed(u Update, after time.Duration) {
	if w.ending || w.want.Fetch {
		w.finish(u)
		return
	}
	u.Again = max(after, w.pause())
	w.failures++
	w.on(w, u)
	if w.over {
		return
	}
	if w.rec.RemoteTag != "" { // valid until it expires (RFC 6665 section 4.1.2.2)
		w.arm(&w.next, u.Again, w.ask)
		return
	}
	w.startOver(u.Again)
}

// later is failed for what has failed on our side.
func (w *Watch) later(err error, after time.Duration) { w.failed(Update{Err: err}, after) }

// pause doubles with every failure in a row.
func (w *Watch) pause() time.Duration { return w.s.cfg.Retry << min(w.failures, 6) }

// startOver makes a new dialog after a while; the old one is gone.
func (w *Watch) startOver(after time.Duration) {
	w.drop()
	w.rec.RemoteTag = ""
	if after <= 0 {
		w.begin()
		return
	}
	w.arm(&w.next, after, w.begin)
}

// expired: no refresh got through in time.
func (w *Watch) expired() {
	w.rec.RemoteTag = ""
	w.failed(Update{Err: fmt.Errorf("the subscription ran out: %w", sip.ErrTimeout)}, 0)
}

// terminated acts on a NOTIFY that ended the subscription, by its reason (RFC
// 6665 section 4.1.3).
func (w *Watch) terminated(u Update, after time.Duration) {
	if w.ending || w.want.Fetch {
		w.finish(u)
		return
	}
	switch u.Reason {
	case "rejected", "noresource", "invariant":
		w.finish(u)
		return
	case "deactivated", "timeout":
		after = 0
		// At once, unless it did not last: two that disagree must not spin.
		if w.s.cfg.Clock.Now().Sub(w.since) < w.s.cfg.Retry {
			after = w.pause()
			w.failures++
		}
	default: // probation, giveup, and what we do not know
		if after == 0 {
			after = w.pause()
			w.failures++
		}
	}
	u.Again = after
	w.on(w, u)
	if !w.over {
		w.startOver(after)
	}
}
