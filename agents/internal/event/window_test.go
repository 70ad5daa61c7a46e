package event

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/sip"
)

func TestTheWindowOfALink(t *testing.T) {
	s := newServer(t, func(cfg *NotifierConfig) { cfg.Window = 2 })
	bob := newUA(t, loopback, nil)
	const watchers = 9
	for i := range watchers {
		bob.call(s.addr(), bob.subscribe(fmt.Sprint("w", i), 1)...)
		bob.notify()
	}
	s.idle()
	s.set("two")
	first, second := bob.next(), bob.next()
	s.idle()
	bob.quiet()
	s.set("three") // those that still wait tell this only
	s.idle()
	answer(first, 200)
	answer(second, 200)
	seen := map[string]int{}
	for range watchers {
		tx := bob.next()
		answer(tx, 200)
		seen[string(tx.Request().Body())]++
	}
	s.idle()
	if seen["all:three"] != watchers || len(seen) != 1 {
		t.Errorf("%v", seen)
	}
	waitFor(t, func() bool { s.n.mu.Lock(); defer s.n.mu.Unlock(); return len(s.n.peers) == 0 })
	bob.quiet()
}

// A link holds so many bytes that wait for answers, and one NOTIFY at least; those
// that a link's failure suspended come back no faster than that.
func TestTheWindowInBytes(t *testing.T) {
	var link unreachable
	s := newServer(t, func(cfg *NotifierConfig) {
		cfg.WindowBytes = 25_000
		cfg.Retry = time.Hour
		cfg.Send = link.before(cfg.Send)
	})
	bob := newUA(t, loopback, nil)
	const watchers = 9
	for i := range watchers {
		bob.call(s.addr(), bob.subscribe(fmt.Sprint("w", i), 1)...)
		bob.notify()
	}
	s.settled()
	one := func() { // each answer lets one more in
		t.Helper()
		for range watchers {
			tx := bob.next()
			s.idle()
			bob.quiet()
			answer(tx, 200)
		}
		s.settled()
		bob.quiet()
	}
	s.set(strings.Repeat("x", 30_000))
	one()
	link.set(true)
	s.set(strings.Repeat("y", 30_000))
	waitFor(t, func() bool { return link.attempts() == watchers })
	s.settled()
	link.set(false)
	s.n.Resume("peer")
	one()
	waitFor(t, func() bool { s.n.mu.Lock(); defer s.n.mu.Unlock(); return len(s.n.peers) == 0 })
	s.set("small") // all fit
	var all []*sip.ServerTx
	for range watchers {
		all = append(all, bob.next())
	}
	for _, tx := range all {
		answer(tx, 200)
	}
}
