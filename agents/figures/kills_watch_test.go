package figures

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// crowd are the devices of many users, who count what they were answered.
type crowd struct {
	*load
	underWay, answered           atomic.Int64
	publish, subscribe, register atomic.Int64 // acknowledged
	decide, rule                 atomic.Int64 // by the operator, by the user herself
	notified                     atomic.Int64

	mu    sync.Mutex
	calls map[string]*watching // by Call-ID
}

func newCrowd(t *testing.T, servers map[string]string) *crowd {
	c := &crowd{load: unheard(t, servers), calls: map[string]*watching{}}
	c.run(c)
	return c
}

// try asks, and counts it if it was acknowledged.
func (c *crowd) try(x string, req *message.Request, acknowledged *atomic.Int64) answer {
	c.underWay.Add(1)
	a := c.ask(x, req)
	c.underWay.Add(-1)
	if a.done() {
		acknowledged.Add(1)
		c.answered.Add(1)
	}
	return a
}

func (a answer) done() bool { return a.status() >= 200 && a.status() < 300 }

// unknown: nobody can tell from it whether the request had its effect.
func (a answer) unknown() bool {
	return a.status() == 0 || a.status() == 408 || a.status() >= 500 && a.status() < 600
}

func (c *crowd) ServeRequest(tx *sip.ServerTx) {
	req := tx.Request()
	status := 481
	c.mu.Lock()
	w := c.calls[message.CallID(req)]
	c.mu.Unlock()
	if w != nil && req.Method == message.NOTIFY {
		status = w.told(req)
	}
	res := message.NewResponse(req, status, "", "")
	message.Add(res, "Contact", "<sip:load@"+c.Addr("TCP").String()+";transport=tcp>")
	_ = tx.Respond(res)
}

// watching subscribes to a person, refreshes and ends that.
type watching struct {
	c       *crowd
	p       *person
	watcher string
	x       string // where it is asked for
	steady  bool   // does not end it

	// Changed by the actor alone, with mu held.
	mu       sync.Mutex
	user     string         // of the person, when it began
	dialog   *dialog.Dialog // nil: none, as far as was answered
	ending   bool           // it was to be ended, and no answer came
	callID   string
	over     bool // NOTIFY said so
	blocked  bool
	cseq     uint32 // the highest of a NOTIFY
	past     uint32 // one above it is to come
	complete bool   // there was a document
	shown    map[string]int
	newest   map[string]int
}

func (w *watching) step(rng *rand.Rand) {
	switch {
	case w.ending:
	case w.dialog == nil:
		w.begin()
	case !w.steady && rng.IntN(4) == 0:
		w.end()
	default:
		w.refresh()
	}
}

// begin subscribes. Without an answer it is given up: what comes of it is 481.
func (w *watching) begin() {
	req, a := w.subscribe("3600")
	if !a.done() {
		w.known(false)
		if !a.unknown() {
			w.c.t.Errorf("SUBSCRIBE of %s: %d", w, a.status())
		}
		return
	}
	d, err := dialog.UAC(req, a.Response)
	if err != nil {
		w.c.t.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dialog = d
}

// subscribe asks anew.
func (w *watching) subscribe(expires string) (req *message.Request, a answer) {
	user := w.p.name()
	req = w.c.request(message.SUBSCRIBE, w.watcher, user, "Event", "presence", "Accept", "application/pidf+xml", "Expires", expires)
	w.mu.Lock()
	w.user = user
	w.callID, w.over, w.cseq, w.past, w.complete = message.CallID(req), false, 0, 0, false
	w.shown, w.newest = nil, map[string]int{}
	w.mu.Unlock()
	w.known(true)
	return req, w.c.try(w.x, req, &w.c.subscribe)
}

// known has NOTIFYs of its call taken, or answered with 481.
func (w *watching) known(yes bool) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if yes {
		w.c.calls[w.callID] = w
	} else {
		delete(w.c.calls, w.callID)
	}
}

func (w *watching) ask(expires string) answer {
	req, err := w.dialog.Request(message.SUBSCRIBE)
	if err != nil {
		w.c.t.Error(err)
		return answer{}
	}
	message.Add(req, "Contact", "<sip:"+w.watcher+"@"+w.c.Addr("TCP").String()+";transport=tcp>")
	message.Add(req, "Event", "presence")
	message.Add(req, "Accept", "application/pidf+xml")
	message.Add(req, "Expires", expires)
	return w.c.try(w.x, req, &w.c.subscribe)
}

// refresh is 200, in the dialog there is, or not known.
func (w *watching) refresh() answer {
	w.mu.Lock()
	was := w.cseq
	w.mu.Unlock()
	a := w.ask("3600")
	switch {
	case a.done():
		w.mu.Lock()
		w.past = was // it brings a NOTIFY
		w.mu.Unlock()
	case !a.unknown() && !w.ending:
		w.c.t.Errorf("refresh of %s: %d", w, a.status())
	}
	return a
}

func (w *watching) end() {
	w.mu.Lock()
	w.ending = true
	w.mu.Unlock()
	switch a := w.ask("0"); {
	case a.done():
		w.ended()
	case !a.unknown():
		w.c.t.Errorf("the end of %s: %d", w, a.status())
	}
}

func (w *watching) ended() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ending, w.dialog = false, nil
}

// goOn refreshes: the dialog is there as it was.
func (w *watching) goOn(*rand.Rand) {
	if w.dialog == nil {
		return
	}
	for end := time.Now().Add(patience); ; {
		switch a := w.refresh(); {
		case a.done():
			w.mu.Lock()
			w.ending = false
			w.mu.Unlock()
		case w.ending && a.status() == 481:
			w.ended()
		case a.unknown() && time.Now().Before(end): // the servers have not met yet
			continue
		default:
			w.c.t.Errorf("refresh of %s after a restart: %d", w, a.status())
		}
		return
	}
}

// told takes a NOTIFY in, and says the status of the answer.
func (w *watching) told(req *message.Request) int {
	w.c.notified.Add(1)
	cseq, err := message.CSeqOf(req)
	if err != nil {
		w.c.t.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if message.CallID(req) != w.callID { // one before this
		return 200
	}
	if cseq.Seq <= w.cseq {
		w.c.t.Errorf("%s: NOTIFY %d after %d", w, cseq.Seq, w.cseq)
	}
	w.cseq = cseq.Seq
	if len(req.Body()) > 0 {
		w.complete, w.shown = true, versions(req.Body())
		delete(w.shown, "offline") // what there is of somebody of whom there is nothing
	}
	for device, n := range w.shown {
		if n < w.newest[device] {
			w.c.t.Errorf("%s: version %d of %s after %d", w, n, device, w.newest[device])
		}
		w.newest[device] = n
	}
	if state := message.Get(req, "Subscription-State"); strings.HasPrefix(state, "terminated") {
		if !w.ending && w.dialog != nil {
			w.c.t.Errorf("%s has ended: %s", w, state)
		}
		w.over = true
	}
	return 200
}

// wrong says in what she is not shown what she is to be; "": in nothing.
func (w *watching) wrong() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.dialog == nil || w.ending:
		return ""
	case !w.complete || w.cseq <= w.past:
		return fmt.Sprintf("%s: no NOTIFY after %d", w, w.past)
	case w.blocked && len(w.shown) > 0:
		return fmt.Sprintf("%s: shown %v, and she may not see", w, w.shown)
	case w.blocked:
		return ""
	}
	if differs := w.p.differs(w.shown); differs != "" {
		return w.String() + ": " + differs
	}
	return ""
}

// whole is what she is shown, if that is all there is.
func (w *watching) whole() (shown map[string]int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.shown), w.dialog != nil && !w.ending && w.complete && !w.blocked
}

// last is what she is shown, and whether that is the last.
func (w *watching) last() (shown map[string]int, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.shown), w.over
}

func (w *watching) isBlocked() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.blocked
}

func (w *watching) block(yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blocked = yes
}

// leave ends what was about a user whom the person is no more.
func (w *watching) leave() {
	if w.dialog != nil {
		w.end()
	}
	w.block(false)
}

func (w *watching) String() string {
	return fmt.Sprintf("%s at server-%s of %s (%s, Call-ID %s)", w.watcher, w.x, w.user, w.p.place.Model, w.callID)
}
