package event

import (
	"fmt"
	"testing"
	"time"

	"presfed/agents/internal/message"
)

// counting is a variant of presence for the view "list": its bodies come in two
// pieces, each with a type of its own.
func counting(asked *int) Package {
	return Package{
		Name: "presence", View: "list", Extension: "eventlist", Types: []string{"multipart/related"},
		Decide: func(*Subscription) (Decision, error) { return Decision{Verdict: Active, Wait: time.Second}, nil },
		Body: func(_ *Subscription, full bool, version uint64) (Body, error) {
			*asked++
			return Body{Bytes: fmt.Appendf(nil, "%t %d", full, version), Type: fmt.Sprint("multipart/related;n=", version), More: full}, nil
		},
	}
}

func TestAVariantOfAPackage(t *testing.T) {
	asked := 0
	s := newServer(t, func(cfg *NotifierConfig) { cfg.Packages = append(cfg.Packages, counting(&asked)) })
	expect(t, s.n.AllowEvents(), "presence, presence.winfo")
	bob := newUA(t, loopback, nil)
	res := bob.call(s.addr(), bob.subscribe("old", 1, "X-View: list")...)
	if res.StatusCode != 421 || message.Get(res, "Require") != "eventlist" {
		t.Errorf("without the extension:\n%s", message.Bytes(res))
	}
	if res = bob.call(s.addr(), bob.subscribe("old", 1, "Supported: eventlist")...); res.StatusCode != 200 || message.Has(res, "Require") {
		t.Errorf("another view, which does not need it:\n%s", message.Bytes(res))
	}
	bob.notify()
	list := []string{"X-View: list", "Supported: 100rel, eventlist", "Accept: multipart/related, application/pidf+xml"}
	res = bob.call(s.addr(), bob.subscribe("a", 1, list...)...)
	expect(t, message.Get(res, "Require"), "eventlist")
	s.clock.Advance(time.Second) // the first one waits
	for i, want := range []string{"true 0", "false 1"} {
		tx := bob.next()
		expect(t, short(tx), fmt.Sprintf("NOTIFY %d NOTIFY|active;expires=599|%s", i+1, want))
		expect(t, message.Get(tx.Request(), "Content-Type"), fmt.Sprint("multipart/related;n=", i))
		expect(t, message.Get(tx.Request(), "Require"), "eventlist")
		answer(tx, 200)
	}
	res = bob.call(s.addr(), bob.subscribe("a", 2, append(list, toTag(res))...)...) // no second wait
	expect(t, message.Get(res, "Require"), "eventlist")
	expect(t, bob.notify(), "NOTIFY 3 NOTIFY|active;expires=600|true 2")
	expect(t, bob.notify(), "NOTIFY 4 NOTIFY|active;expires=600|false 3")
	s.idle()
	bob.quiet()
}

func TestWhoRefusesTheFirstPieceIsNotSentTheNext(t *testing.T) {
	asked := 0
	s := newServer(t, func(cfg *NotifierConfig) { cfg.Packages = append(cfg.Packages, counting(&asked)) })
	bob := newUA(t, loopback, nil)
	bob.call(s.addr(), bob.subscribe("a", 1, "X-View: list", "Supported: eventlist")...)
	s.clock.Advance(time.Second)
	answer(bob.next(), 400)
	s.settled()
	s.idle()
	bob.quiet()
}

func TestAVariantAfterARestart(t *testing.T) {
	asked := 0
	with := func(cfg *NotifierConfig) { cfg.Packages = append(cfg.Packages, counting(&asked)) }
	s := newServer(t, with)
	bob := newUA(t, loopback, nil)
	bob.call(s.addr(), bob.subscribe("a", 1, "X-View: list", "Supported: eventlist")...)
	s.clock.Advance(time.Second)
	bob.notify()
	bob.notify()
	s.settled()
	at := s.addr()
	s.end()
	s = serverAt(t, s.path, at, with)
	s.n.Restore(s.snap)
	s.n.Start()
	s.idle()
	bob.quiet() // what it is made of may still be on its way
	s.clock.Advance(time.Second)
	expect(t, bob.notify(), "NOTIFY 101 NOTIFY|active;expires=599|true 100")
	expect(t, bob.notify(), "NOTIFY 102 NOTIFY|active;expires=599|false 101")
}
