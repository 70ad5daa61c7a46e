package event

import (
	"errors"
	"sync"
	"testing"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
)

// A peer that is away is tried by one watch at a time; all hear of it, and all go
// on once it has answered.
func TestAPeerThatIsDownIsTriedByOne(t *testing.T) {
	away := errors.New("nobody listens")
	var mu sync.Mutex
	sent, first := 0, []func(*message.Response, error){}
	up := false
	manual := clock.NewManual(start)
	lanes := &Lanes{}
	s := NewSubscriber(SubscriberConfig{
		Packages: []string{"presence"}, Lanes: lanes, Clock: manual,
		Send: func(out Outgoing, done func(*message.Response, error)) {
			mu.Lock()
			defer mu.Unlock()
			sent++
			switch {
			case up:
				done(message.NewResponse(out.Request, 200, "", "far"), nil)
			case sent == 3 && first != nil: // the first three, once all have asked
				first = append(first, done)
				for _, done := range first {
					done(nil, away)
				}
				first = nil
			case first != nil:
				first = append(first, done)
			default:
				done(nil, away)
			}
		},
	})
	heard := make(chan string, 100)
	var watches []*Watch
	for _, who := range []string{"a", "b", "c"} {
		watches = append(watches, s.Subscribe(Wanted{Package: "presence", URI: "sip:" + who + "@far", From: "<sip:me@near>", Contact: "<sip:me@near>", Peer: "far"},
			func(w *Watch, u Update) {
				if errors.Is(u.Err, away) && u.Again == 5*time.Second {
					heard <- w.Want().URI
				}
			}))
	}
	told := map[string]bool{}
	for len(told) < 3 {
		told[<-heard] = true
	}
	// Some hear of it twice: by what became of their own SUBSCRIBE, and by another's.
	for range 2 {
		for _, w := range watches {
			done := make(chan struct{})
			lanes.Do(w.key, func() { close(done) })
			<-done
		}
	}
	for len(heard) > 0 {
		<-heard
	}
	tried := func() int {
		mu.Lock()
		defer mu.Unlock()
		n := sent
		sent = 0
		return n
	}
	if n := tried(); n != 3 {
		t.Fatalf("%d tried", n)
	}
	for range 4 {
		manual.Advance(5 * time.Second)
		<-heard // the one that tried
		if n := tried(); n != 1 {
			t.Fatalf("%d tried at once", n)
		}
	}
	mu.Lock()
	up = true
	mu.Unlock()
	manual.Advance(5 * time.Second)
	waitFor(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return sent == 3
	})
	if down := s.Down(); len(down) != 0 {
		t.Errorf("still down: %v", down)
	}
	lanes.Close()
	s.Close()
}

// A NOTIFY that was still on its way when the connection went is no sign that
// the peer is there now: it is asked.
func TestALateNotifyIsNoSignOfLife(t *testing.T) {
	w := setUp(t)
	watch, f := w.established()
	w.settle()
	w.s.cfg.Lanes.Do(watch.key, func() { w.s.lost(watch, errors.New("the connection has gone")) })
	w.update("error again 5s")
	f.want(200, "active;expires=600", "late")
	w.update("active  late")
	answer(w.far.next(), 200, "Expires", "600")
}

// Who asks for something at a peer that is known to be down hears of it at once.
func TestAPeerThatIsKnownToBeDown(t *testing.T) {
	w := setUp(t)
	watch, f := w.established()
	w.settle()
	w.s.cfg.Lanes.Do(watch.key, func() { w.s.lost(watch, errors.New("the connection has gone")) })
	w.update("error again 5s")
	w.s.Subscribe(w.want(), w.hear)
	w.update("error again 5s")
	w.far.quiet()
	f.want(200, "active;expires=600", "there")
	w.update("active  there")
	for range 2 { // both ask: one goes on, one begins
		answer(w.far.next(), 200, "Expires", "600")
	}
}

// What is let go of while its peer is away is ended there once it is back.
func TestLetGoOfWhileThePeerIsAway(t *testing.T) {
	w := setUp(t)
	watch, _ := w.established()
	answered := make(chan struct{})
	w.lanes.Do(alice, func() {
		defer close(answered)
		w.s.lost(watch, errors.New("nobody listens"))
	})
	<-answered
	w.update("error again 5s")
	watch.Unsubscribe()
	w.idle()
	w.far.quiet()
	if w.s.Count() != 1 {
		t.Error("forgotten, while its peer holds it")
	}
	w.s.Reached("far")
	tx := w.far.next()
	expect(t, message.Get(tx.Request(), "Expires"), "0")
	answer(tx, 481)
	w.update("Call/Transaction Does Not Exist  status 481 over")
	if w.s.Count() != 0 {
		t.Error("still held")
	}
}
