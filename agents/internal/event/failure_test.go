package event

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db/state"
)

func TestWhatAnAnswerToNotifyDoes(t *testing.T) {
	var log strings.Builder // written to in the lane, read in it
	s := newServer(t, func(cfg *NotifierConfig) {
		cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	})
	bob := newUA(t, loopback, nil)
	for _, c := range []struct {
		status int
		fields []string
		then   string // "", "gone", "next" with the next change, or how long until it comes again
	}{
		{404, nil, "gone"}, {405, nil, "gone"}, {410, nil, "gone"}, {416, nil, "gone"}, {480, nil, "gone"}, {481, nil, "gone"},
		{482, nil, "gone"}, {483, nil, "gone"}, {484, nil, "gone"}, {485, nil, "gone"}, {489, nil, "gone"}, {501, nil, "gone"},
		{604, nil, "gone"}, {408, nil, "gone"},
		{200, nil, "next"}, {202, nil, "next"}, {400, nil, "next"}, {403, nil, "next"}, {603, nil, "next"},
		{500, nil, "5s"}, {503, nil, "5s"}, {503, []string{"Retry-After", "9 (soon)"}, "9s"}, {404, []string{"Retry-After", "9"}, "gone"},
		{406, []string{"Retry-After", "120;duration=60"}, "2m0s"},
	} {
		name := fmt.Sprint(c.status, c.fields)
		bob.call(s.addr(), bob.subscribe(fmt.Sprintf("%x", name), 1)...)
		answer(bob.next(), c.status, c.fields...)
		if c.then == "gone" {
			waitFor(t, func() bool { return s.n.Count() == 0 })
			continue
		}
		waitFor(t, func() bool { // the answer has been taken in
			var flying, again bool
			s.inLane(func() { sub := s.n.Subscriptions(alice)[0]; flying, again = sub.inFlight, sub.again != nil })
			return !flying && again == (c.then != "next")
		})
		var said string
		s.inLane(func() { said = log.String(); log.Reset() })
		if warned := strings.Contains(said, "call_id=") && strings.Contains(said, fmt.Sprint("status=", c.status)); warned != (c.then == "next" && c.status >= 300) {
			t.Errorf("%s: logged %q", name, said)
		}
		if c.then == "next" {
			s.set("more")
		} else {
			d, _ := time.ParseDuration(c.then)
			s.clock.Advance(d - time.Millisecond)
			s.idle()
			bob.quiet()
			s.set("ignored until then")
			s.set("more")
			s.idle()
			bob.quiet()
			s.clock.Advance(time.Millisecond)
		}
		tx := bob.next()
		expect(t, name+" "+string(tx.Request().Body()), name+" all:more")
		answer(tx, 481)
		waitFor(t, func() bool { return s.n.Count() == 0 })
	}
}

// Who cannot be told that a subscription is over is told again for a while, and no longer:
// nothing of it is left then.
func TestTheLastNotifyIsNotToldForEver(t *testing.T) {
	s := newServer(t, nil)
	bob := newUA(t, loopback, nil)
	bob.call(s.addr(), bob.subscribe("a", 1)...)
	bob.notify()
	s.settled()
	s.judge("sip:bob@example.com", Decision{})
	s.n.Redecide(alice)
	for pause := 5 * time.Second; ; pause *= 2 {
		tx := bob.next()
		if state := message.Get(tx.Request(), "Subscription-State"); state != "terminated;reason=rejected" {
			t.Fatal(state)
		}
		answer(tx, 500)
		gone := false
		waitFor(t, func() bool {
			again := false
			s.inLane(func() {
				subs := s.n.Subscriptions(alice)
				gone = len(subs) == 0
				again = !gone && subs[0].again != nil
			})
			return gone || again
		})
		if gone {
			if pause != 160*time.Second {
				t.Errorf("given up before it was told again after %s", pause)
			}
			break
		}
		if pause > time.Hour {
			t.Fatal("told for ever")
		}
		s.clock.Advance(min(pause, 320*time.Second))
	}
	if n := s.n.Count(); n != 0 {
		t.Errorf("%d are left", n)
	}
}

func (s *server) inLane(f func()) {
	done := make(chan struct{})
	s.lanes.Do(alice, func() { defer close(done); f() })
	<-done
}

// settled waits until every NOTIFY has been answered.
func (s *server) settled() {
	s.t.Helper()
	waitFor(s.t, func() bool {
		flying := false
		s.inLane(func() {
			for _, sub := range s.n.Subscriptions(alice) {
				flying = flying || sub.inFlight
			}
		})
		return !flying
	})
}

func TestExpiryTellsAndForgets(t *testing.T) {
	s := newServer(t, nil)
	bob := newUA(t, loopback, nil)
	bob.call(s.addr(), bob.subscribe("a", 1)...)
	bob.notify()
	s.clock.Advance(10*time.Minute - time.Millisecond)
	s.idle()
	bob.quiet()
	s.clock.Advance(time.Millisecond)
	expect(t, bob.notify(), "NOTIFY 2 NOTIFY|terminated;reason=timeout|all:one")
	waitFor(t, func() bool { return s.n.Count() == 0 })
	s.end()
	if rows := loadState(t, s.path); len(rows) != 0 {
		t.Errorf("it left %v", rows)
	}
}

// unreachable makes a link of the server's that can be cut.
type unreachable struct {
	mu  sync.Mutex
	cut bool
	n   int // attempts while it was cut
}

func (u *unreachable) set(cut bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.cut = cut
}

func (u *unreachable) attempts() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.n
}

func (u *unreachable) before(send func(n *Notice, done func(Outcome))) func(n *Notice, done func(Outcome)) {
	return func(n *Notice, done func(Outcome)) {
		u.mu.Lock()
		cut := u.cut
		if cut {
			u.n++
		}
		u.mu.Unlock()
		if cut {
			done(Outcome{Err: fmt.Errorf("link: %w", sip.ErrTransport)})
			return
		}
		send(n, done)
	}
}

func TestALinkThatIsDownSuspends(t *testing.T) {
	var link unreachable
	s := newServer(t, func(cfg *NotifierConfig) { cfg.Send = link.before(cfg.Send) })
	bob := newUA(t, loopback, nil)
	for _, name := range []string{"a", "b", "c"} {
		bob.call(s.addr(), bob.subscribe(name, 1)...)
		bob.notify()
	}
	s.settled()
	link.set(true)
	s.set("two")
	suspended := func(want int) {
		t.Helper()
		waitFor(t, func() (ok bool) {
			s.inLane(func() {
				n := 0
				for _, sub := range s.n.Subscriptions(alice) {
					if sub.Suspended() {
						n++
					}
				}
				ok = n == want
			})
			return ok
		})
	}
	suspended(3)
	s.set("three") // nobody tries
	s.idle()
	if n := link.attempts(); n != 3 {
		t.Errorf("%d attempts", n)
	}
	for range 3 { // one probe each time
		before := link.attempts()
		s.clock.Advance(5 * time.Second)
		waitFor(t, func() bool { return link.attempts() == before+1 })
		suspended(3)
	}
	link.set(false)
	s.clock.Advance(5 * time.Second)
	for range 3 { // the probe gets through, the others follow
		_, rest, _ := strings.Cut(bob.notify(), "|")
		expect(t, rest, "active;expires=580|all:three")
	}
}

func TestSuspendedResumesOnARefreshOrWhenTold(t *testing.T) {
	var link unreachable
	s := newServer(t, func(cfg *NotifierConfig) { cfg.Send = link.before(cfg.Send); cfg.Retry = time.Hour })
	bob := newUA(t, loopback, nil)
	tag := toTag(bob.call(s.addr(), bob.subscribe("a", 1)...))
	bob.notify()
	down := func(text string) {
		s.settled()
		link.set(true)
		s.set(text)
		waitFor(t, func() (ok bool) {
			s.inLane(func() { ok = s.n.Subscriptions(alice)[0].Suspended() })
			return ok
		})
		link.set(false)
	}
	down("two")
	bob.call(s.addr(), bob.subscribe("a", 2, tag)...)
	expect(t, bob.notify(), "NOTIFY 3 NOTIFY|active;expires=600|all:two")
	down("three")
	s.n.Resume("somebody else")
	s.idle()
	bob.quiet()
	s.n.Resume("peer")
	expect(t, bob.notify(), "NOTIFY 5 NOTIFY|active;expires=600|all:three")
	down("four")
	s.clock.Advance(10 * time.Minute)
	waitFor(t, func() bool { return s.n.Count() == 0 })
	s.n.Resume("peer")
	s.idle()
	bob.quiet()
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if len(s.n.peers)+len(s.n.resources)+len(s.n.callers)+len(s.n.watchers) != 0 {
		t.Error("something is left of it")
	}
}

func TestABrokenConnectionSuspendsUntilTheWatcherIsBack(t *testing.T) {
	s := newServer(t, func(cfg *NotifierConfig) { cfg.Retry = time.Hour })
	bob := newUA(t, loopback, nil)
	at := bob.addr()
	bob.call(s.addr(), bob.subscribe("a", 1)...)
	bob.notify()
	s.set("two")
	bob.next()
	bob.stop() // a NOTIFY is in flight
	waitFor(t, func() (ok bool) {
		s.inLane(func() { ok = s.n.Subscriptions(alice)[0].Suspended() })
		return ok
	})
	s.set("three")
	again := newUA(t, at, nil)
	s.n.Resume("peer")
	expect(t, again.notify(), "NOTIFY 3 NOTIFY|active;expires=600|all:three")
}

func TestRestartTellsEveryWatcherAndNumbersGoOn(t *testing.T) {
	s := newServer(t, nil)
	bob := newUA(t, loopback, nil)
	tag := toTag(bob.call(s.addr(), bob.subscribe("a", 1, "Record-Route: <sip:"+bob.addr().String()+";lr>")...))
	bob.notify()
	for range reservation + 20 { // past the first block
		s.set("more")
		bob.notify()
	}
	s.judge("sip:bob@example.com", Decision{Verdict: Pending})
	bob.call(s.addr(), bob.subscribe("p", 1)...)
	bob.notify()
	s.judge("sip:eve@example.com", Decision{Verdict: Active})
	bob.call(s.addr(), bob.subscribe("e", 1, "From: <sip:eve@example.com>;tag=e")...)
	bob.notify()
	bob.call(s.addr(), bob.subscribe("short", 1, "Expires: 60")...)
	bob.notify()
	at := s.addr()
	s.end()

	s = serverAt(t, s.path, at, nil)
	s.clock.Advance(2 * time.Minute)
	s.judge("sip:eve@example.com", Decision{}) // blocked while we were away
	s.n.Restore(s.snap)
	s.n.Start()
	var got []string
	for range 3 {
		tx := bob.next()
		answer(tx, 200)
		got = append(got, message.CallID(tx.Request())+" "+short(tx))
	}
	slices.Sort(got)
	expect(t, got[0], "call-a NOTIFY 201 NOTIFY|active;expires=480|all:one")
	expect(t, got[1], "call-e NOTIFY 101 NOTIFY|terminated;reason=rejected|")
	expect(t, got[2], "call-p NOTIFY 101 NOTIFY|active;expires=480|all:one")
	if res := bob.call(s.addr(), bob.subscribe("a", 1, tag)...); res.StatusCode != 500 {
		t.Errorf("an old CSeq after the restart: %d", res.StatusCode)
	}
	if res := bob.call(s.addr(), bob.subscribe("a", 2, tag)...); res.StatusCode != 200 {
		t.Errorf("a refresh after the restart: %d", res.StatusCode)
	}
	bob.notify()
	waitFor(t, func() bool { return s.n.Count() == 2 })
	s.end()
	if rows := loadState(t, s.path); len(rows) != 2 {
		t.Errorf("%d rows are left", len(rows))
	}
}

func TestCSeqsThatCannotBeReservedAreNotUsed(t *testing.T) {
	s := newServer(t, nil)
	bob := newUA(t, loopback, nil)
	bob.call(s.addr(), bob.subscribe("a", 1)...)
	bob.notify()
	for range reservation - 1 {
		s.set("more")
		bob.notify()
	}
	// The answer to the last one is in, or its turn would fall into the failure.
	waitFor(t, func() bool { s.n.mu.Lock(); defer s.n.mu.Unlock(); return len(s.n.peers) == 0 })
	s.store.set(errors.New("disk"))
	s.set("last")
	s.idle()
	bob.quiet()
	s.store.set(nil)
	s.clock.Advance(5 * time.Second)
	expect(t, bob.notify(), "NOTIFY 101 NOTIFY|active;expires=595|all:last")
}

func TestNoticeBytesAreASipMessage(t *testing.T) {
	s := &Subscription{state: StateTerminated, reason: "giveup", retry: 1500 * time.Millisecond, cseq: 3}
	s.rec = state.Subscription{
		Package: "presence", CallID: "c", Target: "sip:b@h", LocalAddress: "<sip:a@h>;tag=1", RemoteAddress: "<sip:b@h>;tag=2", Contact: "<sip:s>",
	}
	var err error
	if s.head, err = newHead("NOTIFY", &s.rec); err != nil {
		t.Fatal(err)
	}
	m, err := message.Parse(s.notice(start, Body{}).Bytes("SIP/2.0/TCP 1.2.3.4;branch=z9hG4bK1"), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, message.Get(m, "Subscription-State"), "terminated;reason=giveup;retry-after=2")
	if message.Has(m, "Content-Type") || message.Get(m, "Content-Length") != "0" {
		t.Errorf("%s", message.Bytes(m))
	}
}
