package event

import (
	"errors"
	"strconv"
	"time"

	"presfed/agents/internal/sip"
)

// answered takes the outcome of a NOTIFY, in the lane.
func (n *Notifier) answered(s *Subscription, o Outcome, final bool) {
	s.inFlight = false
	others := n.leave(s, o.Err == nil)
	switch {
	case s.gone:
	case o.lost():
		if s.durable {
			n.suspend(s)
		} else { // a fetch, or one that has ended: nobody waits for it
			n.drop(s, "unreachable")
		}
	case errors.Is(o.Err, sip.ErrTimeout) && others && s.durable && s.failures < lossesInARow:
		// A message was lost where a connection should lose none, such as in a gateway:
		// the watcher is there. RFC 6665 section 4.2.2 only says SHOULD.
		n.tryAgain(s, n.cfg.Retry)
		s.failures++
	case o.Err != nil || ends(o.Status):
		n.cfg.Log.Info("subscription removed", "resource", s.rec.Resource, "watcher", s.rec.Watcher, "call_id", s.rec.CallID, "status", o.Status, "error", o.Err)
		n.drop(s, "NOTIFY failed "+strconv.Itoa(o.Status))
	case final && (o.Status < 300 || !s.durable):
		n.drop(s, s.reason)
	case o.Status < 300:
		s.failures = 0
		s.dirty = s.dirty || s.more
		n.pump(s)
	case final && s.failures >= lastTries: // it is over, and has been told as well as could be
		n.drop(s, s.reason)
	case o.RetryAfter > 0 || o.Status >= 500 && o.Status < 600:
		// The subscription stays (RFC 5057); what did not arrive is told later.
		n.tryAgain(s, max(o.RetryAfter, n.cfg.Retry<<min(s.failures, 6)))
		s.failures++
	case final:
		n.drop(s, s.reason)
	default: // refused for good; the next change tries anew
		n.cfg.Log.Warn("NOTIFY refused: this watcher has not seen the newest state", "resource", s.rec.Resource, "watcher", s.rec.Watcher, "call_id", s.rec.CallID, "status", o.Status)
		s.full = true
		n.pump(s)
	}
}

// lossesInARow is how often a NOTIFY goes out again that had no answer though others
// on its link had.
const lossesInARow = 2

// lastTries is how often the NOTIFY that ends a subscription goes out again where its
// answers say that it may pass later.
const lastTries = 5

// ends says whether a response to NOTIFY ends the subscription: the codes of RFC
// 6665 section 4.2.2, and 408, which stands for no response at all (RFC 3261
// section 12.2.1.2).
func ends(status int) bool {
	switch status {
	case 404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604:
		return true
	}
	return false
}

// tryAgain tells the whole newest state later.
func (n *Notifier) tryAgain(s *Subscription, d time.Duration) {
	s.dirty, s.full = true, true
	s.unretry()
	s.again = n.after(s, d, func(s *Subscription) {
		s.again = nil
		n.pump(s)
	})
}
