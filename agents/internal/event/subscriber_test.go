package event

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db/state"
)

func setUp(t *testing.T) *subscriber {
	far := newUA(t, loopback, nil)
	return newSubscriber(t, far, filepath.Join(t.TempDir(), "state.db"))
}

func TestSubscribeRefreshUnsubscribe(t *testing.T) {
	w := setUp(t)
	watch := w.s.Subscribe(w.want(), w.hear)
	tx := w.far.next()
	for name, want := range map[string]string{
		"CSeq": "1 SUBSCRIBE", "Event": "presence", "Expires": "600", "Accept": "application/pidf+xml", "X-Extra": "yes", "Contact": w.contact(),
		"To": "<sip:alice@" + w.far.addr().String() + ">", "Max-Forwards": "70",
	} {
		expect(t, name+" "+message.Get(tx.Request(), name), name+" "+want)
	}
	f := &fork{far: w.far, subscribe: tx, tag: "far"}
	// Before the response, and with the route that all requests take from now on.
	f.want(200, "pending;expires=600", "", "Record-Route: <sip:"+w.far.addr().String()+";lr>")
	w.update("pending")
	answer(tx, 200, "Expires", "300")
	f.want(200, "active;expires=300", "one")
	w.update("active  one")
	f.want(500, "active", "old", "CSeq: 2 NOTIFY")
	f.want(415, "active", "x", "Content-Type: text/plain")
	f.want(489, "active", "", "Event: dialog")
	f.want(481, "active", "", "Event: presence;id=4")
	f.want(481, "active", "", "Call-ID: another")
	f.want(400, "", "", "Subscription-State: ;x=1")
	other := &fork{far: w.far, subscribe: tx, tag: "another fork"}
	other.tag = "otherfork"
	other.want(481, "active", "")
	w.idle()
	w.clock.Advance(240*time.Second - time.Millisecond)
	w.idle()
	w.far.quiet()
	w.clock.Advance(time.Millisecond)
	tx = w.far.next()
	expect(t, message.Get(tx.Request(), "CSeq")+" "+message.Get(tx.Request(), "Route"), "2 SUBSCRIBE <sip:"+w.far.addr().String()+";lr>")
	to, _ := message.To(tx.Request())
	expect(t, to.Tag(), "far")
	expect(t, "<"+tx.Request().Recipient.String()+">", w.far.contact())
	answer(tx, 200, "Expires", "300")
	f.cseq = 20
	f.want(200, "active;expires=300", "two")
	w.update("active  two")
	watch.Unsubscribe()
	tx = w.far.next()
	expect(t, message.Get(tx.Request(), "Expires"), "0")
	answer(tx, 200, "Expires", "0")
	f.want(200, "terminated;reason=timeout", "three")
	w.update("terminated timeout three over")
	f.want(481, "active", "")
	w.end()
	w.end = nil
	if rows := loadState(t, w.path); len(rows) != 0 || w.s.Count() != 0 {
		t.Errorf("%d rows, %d watches are left", len(rows), w.s.Count())
	}
}

func TestWhatAResponseToSubscribeDoes(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []string // status and fields of the answers, one after another
		updates []string
		expires string // of the last SUBSCRIBE seen
	}{
		{"refused", []string{"403"}, []string{"Forbidden  status 403 over"}, "600"},
		{"declined", []string{"603"}, []string{"Decline  status 603 over"}, "600"},
		{"no such user", []string{"404"}, []string{"Not Found  status 404 over"}, "600"},
		{"too brief", []string{"423 Min-Expires 3600", "403"}, []string{"Forbidden  status 403 over"}, "3600"},
		{"too brief for ever", []string{"423 Min-Expires 10"}, []string{"Interval Too Brief  status 423 over"}, "600"},
		{"challenged", []string{"401 WWW-Authenticate realm", "403"}, []string{"Forbidden  status 403 over"}, "600"},
		{"challenged for ever", []string{"401", "401", "401", "401"}, []string{"Unauthorized  status 401 over"}, "600"},
		{"busy", []string{"503 Retry-After 30"}, []string{"Service Unavailable  status 503 again 30s"}, "600"},
		{"broken", []string{"500"}, []string{"Server Internal Error  status 500 again 5s"}, "600"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := setUp(t)
			w.s.Subscribe(w.want(), w.hear)
			var last *sip.ServerTx
			for i, a := range c.answers {
				last = w.far.next()
				expect(t, message.Get(last.Request(), "CSeq"), fmt.Sprint(i+1, " SUBSCRIBE"))
				f := strings.Fields(a)
				var status int
				fmt.Sscan(f[0], &status)
				answer(last, status, f[1:]...)
			}
			for _, u := range c.updates {
				w.update(u)
			}
			expect(t, message.Get(last.Request(), "Expires"), c.expires)
			if c.name == "challenged" {
				expect(t, message.Get(last.Request(), "Authorization"), "Digest for realm")
			}
			w.idle()
			w.far.quiet()
		})
	}
}

func TestNoNotifyInTimeAndAnotherAttempt(t *testing.T) {
	w := setUp(t)
	w.s.Subscribe(w.want(), w.hear)
	tx := w.far.next()
	answer(tx, 200, "Expires", "600")
	w.settle()
	w.clock.Advance(32 * time.Second)
	w.update("error again 5s")
	late := &fork{far: w.far, subscribe: tx, tag: "late"}
	late.want(481, "active", "")
	w.clock.Advance(5 * time.Second)
	second := w.far.next()
	if message.CallID(second.Request()) == message.CallID(tx.Request()) {
		t.Error("the same dialog again")
	}
	answer(second, 500)
	w.update("Server Internal Error  status 500 again 10s")
	w.s.Resume("far")
	answer(w.far.next(), 404)
	w.update("Not Found  status 404 over")
}

// settle waits until no SUBSCRIBE waits for its response.
func (w *subscriber) settle() {
	w.t.Helper()
	waitFor(w.t, func() (ok bool) {
		done := make(chan struct{})
		w.lanes.Do(alice, func() {
			defer close(done)
			w.s.mu.Lock()
			defer w.s.mu.Unlock()
			ok = true
			for watch := range w.s.all {
				ok = ok && !watch.asking
			}
		})
		<-done
		return ok
	})
}

func TestWhatTheEndOfASubscriptionDoes(t *testing.T) {
	for _, c := range []struct{ terminated, update, again string }{
		{"terminated;reason=rejected;retry-after=1", "terminated rejected  over", ""},
		{"terminated;reason=noresource", "terminated noresource  over", ""},
		{"terminated;reason=invariant;retry-after=3", "terminated invariant  over", ""},
		{"terminated;reason=deactivated;retry-after=3", "terminated deactivated", "0s"},
		{"terminated;reason=timeout", "terminated timeout", "0s"},
		{"terminated;reason=probation;retry-after=17", "terminated probation  again 17s", "17s"},
		{"terminated;reason=giveup", "terminated giveup  again 5s", "5s"},
		{"terminated;reason=whatever;retry-after=8", "terminated whatever  again 8s", "8s"},
		{"terminated", "terminated   again 5s", "5s"},
	} {
		t.Run(c.terminated, func(t *testing.T) {
			w := setUp(t)
			_, f := w.established()
			w.clock.Advance(time.Minute)
			f.want(200, c.terminated, "")
			w.update(c.update)
			if c.again == "" {
				w.clock.Advance(time.Hour)
				w.idle()
				w.far.quiet()
				return
			}
			d, _ := time.ParseDuration(c.again)
			w.clock.Advance(d)
			tx := w.far.next()
			if to, _ := message.To(tx.Request()); to.Tag() != "" || message.CallID(tx.Request()) == message.CallID(f.subscribe.Request()) {
				t.Errorf("not a new dialog:\n%s", message.Bytes(tx.Request()))
			}
		})
	}
}

func TestTwoThatDisagreeDoNotSpin(t *testing.T) {
	w := setUp(t)
	w.s.Subscribe(w.want(), w.hear)
	for _, pause := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second} {
		tx := w.far.next()
		answer(tx, 200, "Expires", "600")
		f := &fork{far: w.far, subscribe: tx, tag: "far"}
		f.want(200, "terminated;reason=timeout", "")
		w.update("terminated timeout  again " + pause.String())
		w.clock.Advance(pause)
	}
}

func TestARefreshThatFails(t *testing.T) {
	w := setUp(t)
	watch, f := w.established()
	w.settle()
	watch.Refresh()
	answer(w.far.next(), 500)
	w.update("Server Internal Error  status 500 again 5s")
	f.want(200, "active;expires=600", "still valid") // RFC 6665 section 4.1.2.2
	w.update("active  still valid")
	watch.Refresh()
	answer(w.far.next(), 481)
	w.update("Call/Transaction Does Not Exist  status 481 again 5s")
	f.want(481, "active", "")
	w.clock.Advance(5 * time.Second)
	tx := w.far.next()
	if to, _ := message.To(tx.Request()); to.Tag() != "" {
		t.Error("the old dialog is still in use")
	}
}

func TestUnsubscribeInEveryPhase(t *testing.T) {
	t.Run("before the first NOTIFY", func(t *testing.T) {
		w := setUp(t)
		watch := w.s.Subscribe(w.want(), w.hear)
		tx := w.far.next()
		watch.Unsubscribe()
		w.idle()
		answer(tx, 200, "Expires", "600")
		f := &fork{far: w.far, subscribe: tx, tag: "far"}
		f.want(200, "active", "one")
		w.update("active  one")
		tx = w.far.next()
		expect(t, message.Get(tx.Request(), "Expires"), "0")
		answer(tx, 481)
		w.update("Call/Transaction Does Not Exist  status 481 over")
	})
	t.Run("between attempts", func(t *testing.T) {
		w := setUp(t)
		watch := w.s.Subscribe(w.want(), w.hear)
		answer(w.far.next(), 503)
		w.update("Service Unavailable  status 503 again 5s")
		watch.Unsubscribe()
		w.update("over")
		w.clock.Advance(time.Hour)
		w.idle()
		w.far.quiet()
	})
	t.Run("no final NOTIFY", func(t *testing.T) {
		w := setUp(t)
		watch, _ := w.established()
		watch.Unsubscribe()
		answer(w.far.next(), 200, "Expires", "0")
		w.settle()
		w.clock.Advance(32 * time.Second)
		w.update("error over")
	})
}

func TestAFetch(t *testing.T) {
	w := setUp(t)
	want := w.want()
	want.Fetch = true
	w.s.Subscribe(want, w.hear)
	tx := w.far.next()
	expect(t, message.Get(tx.Request(), "Expires"), "0")
	answer(tx, 200, "Expires", "0")
	f := &fork{far: w.far, subscribe: tx, tag: "far"}
	f.want(200, "terminated;reason=timeout", "one")
	w.update("terminated timeout one over")
}

func TestARestoredWatchGoesOnInItsDialog(t *testing.T) {
	w := setUp(t)
	_, f := w.established()
	w.end()
	w.end = nil
	again := newSubscriber(t, w.far, w.path)
	again.s.Restore(again.snap, func(rec state.Subscription) (Wanted, func(*Watch, Update), bool) {
		if rec.Resource != alice || rec.Peer != "far" {
			t.Errorf("%+v", rec)
		}
		return again.want(), again.hear, true
	})
	tx := w.far.next()
	expect(t, message.CallID(tx.Request()), message.CallID(f.subscribe.Request()))
	to, _ := message.To(tx.Request())
	expect(t, to.Tag()+" "+message.Get(tx.Request(), "CSeq"), "far 102 SUBSCRIBE")
	answer(tx, 200, "Expires", "600")
	f.subscribe = tx
	f.cseq = 50
	f.want(200, "active;expires=600", "again", "From: "+message.Get(tx.Request(), "To"))
	again.update("active  again")
}

func TestARestoredWatchThatNobodyWants(t *testing.T) {
	w := setUp(t)
	w.established()
	w.end()
	w.end = nil
	again := newSubscriber(t, w.far, w.path)
	again.s.Restore(again.snap, func(state.Subscription) (Wanted, func(*Watch, Update), bool) { return Wanted{}, nil, false })
	again.end()
	again.end = nil
	if rows := loadState(t, w.path); len(rows) != 0 {
		t.Errorf("%d rows are left", len(rows))
	}
}

func TestBothHalvesTogether(t *testing.T) {
	s := newServer(t, nil)
	w := newSubscriber(t, s.ua, filepath.Join(t.TempDir(), "watcher.db"))
	want := w.want()
	want.To = "<" + alice + ">"
	watch := w.s.Subscribe(want, w.hear)
	w.update("active  all:one")
	for _, text := range []string{"two", "three"} {
		s.set(text)
		w.update("active  all:" + text)
	}
	w.clock.Advance(9 * time.Minute) // the refresh
	w.update("active  all:three")
	s.judge("sip:bob@example.com", Decision{Verdict: Pending})
	s.n.Redecide(alice)
	w.update("pending")
	watch.Unsubscribe()
	w.update("terminated timeout  over")
	waitFor(t, func() bool { return s.n.Count() == 0 })
}
