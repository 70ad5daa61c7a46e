package event

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// A NOTIFY without an answer goes out again where others on its link are answered,
// for it was lost; where none is, the watcher is gone, as is one who never answers.
func TestALostNotifyIsToldAgain(t *testing.T) {
	var mu sync.Mutex
	losing := map[string]int{} // how many of a Call-ID's NOTIFYs are lost still
	type lost struct{ done func(Outcome) }
	waiting := make(chan lost, 10)
	s := newServer(t, func(cfg *NotifierConfig) {
		send := cfg.Send
		cfg.Send = func(n *Notice, done func(Outcome)) {
			mu.Lock()
			id := callIDOf(n)
			lose := losing[id] > 0
			if lose {
				losing[id]--
			}
			mu.Unlock()
			if lose {
				waiting <- lost{done}
				return
			}
			send(n, done)
		}
	})
	lose := func(call string, n int) {
		mu.Lock()
		defer mu.Unlock()
		losing["call-"+call] = n
	}
	timedOut := func() {
		t.Helper()
		select {
		case l := <-waiting:
			l.done(Outcome{Err: fmt.Errorf("NOTIFY: %w", sip.ErrTimeout)})
		case <-time.After(20 * time.Second):
			t.Fatal("no NOTIFY")
		}
	}
	again := func() { // after the retry
		t.Helper()
		waitFor(t, func() bool {
			n := 0
			s.inLane(func() {
				for _, sub := range s.n.Subscriptions(alice) {
					if sub.again != nil {
						n++
					}
				}
			})
			return n == 1
		})
		s.clock.Advance(5 * time.Second)
	}
	bob, carol := newUA(t, loopback, nil), newUA(t, loopback, nil)
	for ua, call := range map[*ua]string{bob: "b", carol: "c"} {
		ua.call(s.addr(), ua.subscribe(call, 1)...)
		expect(t, ua.notify(), "NOTIFY 1 NOTIFY|active;expires=600|all:one")
	}
	s.settled()

	lose("b", 1)
	s.set("two")
	expect(t, carol.notify(), "NOTIFY 2 NOTIFY|active;expires=600|all:two")
	waitFor(t, func() bool { return flying(s) == 1 })
	timedOut()
	again()
	expect(t, bob.notify(), "NOTIFY 3 NOTIFY|active;expires=595|all:two")
	s.settled()

	lose("b", 3)
	s.set("three")
	for i := range 3 {
		carol.notify()
		waitFor(t, func() bool { return flying(s) == 1 })
		timedOut()
		if i < 2 {
			again()
			s.set(fmt.Sprint("more ", i)) // of which carol hears while bob's is on its way
		}
	}
	waitFor(t, func() bool { return s.n.Count() == 1 })
	s.settled()

	lose("c", 1)
	s.set("four")
	timedOut() // nobody else answers there
	waitFor(t, func() bool { return s.n.Count() == 0 })
}

// flying is how many NOTIFYs wait for their answers.
func flying(s *server) (n int) {
	s.inLane(func() {
		for _, sub := range s.n.Subscriptions(alice) {
			if sub.inFlight {
				n++
			}
		}
	})
	return n
}

func callIDOf(n *Notice) string {
	m, err := message.Parse(n.Bytes("SIP/2.0/TCP a;branch=z9hG4bK1"), message.DefaultLimits)
	if err != nil {
		return ""
	}
	return message.CallID(m)
}
