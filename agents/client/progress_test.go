package client_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
)

// The 183 was lost: it comes again, until its PRACK and no longer; the 2xx waits
// for that, and says nothing that was said (RFC 3262 sections 3 and 5).
func TestTheAnswerWaitsForThePrack(t *testing.T) {
	manual := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	f := newFar(t)
	bob := earlyDevice(t, f, func(c *client.Config) { c.Clock = manual })
	caller := newEnd(t)
	r := f.rings(bob, string(caller.described(msrp.SetupActpass)), "Supported", knowing)
	first := r.answered(183)
	bob.next("session")
	accepted := make(chan error, 1)
	go func() { accepted <- bob.Sessions()[0].Accept(timeout(t)) }()
	for range 3 {
		manual.Advance(2 * time.Second) // 0.5, 1.5; 3.5; and none
	}
	for range 3 {
		if again := r.answered(183); string(message.Bytes(again)) != string(message.Bytes(first)) {
			t.Errorf("another 183:\n%s\n%s", message.Bytes(first), message.Bytes(again))
		}
	}
	select {
	case err := <-accepted:
		t.Fatalf("accepted without the PRACK: %v", err)
	default:
	}
	if res := r.prack(first, nil); res.StatusCode != 200 {
		t.Fatalf("PRACK: %d", res.StatusCode)
	}
	ok := r.answered(200)
	if len(ok.Body()) != 0 {
		t.Errorf("said again:\n%s", message.Bytes(ok))
	}
	f.tell(bob, f.within("ACK", "1", r.invite, ok))
	if err := within(t, accepted, "Accept"); err != nil {
		t.Fatal(err)
	}
	bob.next("session")
	answer, _ := offers(t, first)
	if err := caller.Start(t.Context(), *answer, msrp.RoleOfOfferer(msrp.SetupActpass, answer.Setup)); err != nil {
		t.Fatal(err)
	}
	if err := bob.Sessions()[0].Send(timeout(t), "here"); err != nil {
		t.Fatal(err)
	}
	caller.hears("here")
	bob.next("sent")
	manual.Advance(time.Hour)
	if len(r.heard) > 0 {
		t.Errorf("after its ACK:\n%s", message.Bytes(<-r.heard))
	}
	if res := f.ask(bob, r.request("BYE", ok)); res.StatusCode != 200 {
		t.Errorf("BYE: %d", res.StatusCode)
	}
	bob.next("closed")
}

// Without a PRACK for 64*T1 the INVITE is refused (RFC 3262 section 3), and what
// was begun ends.
func TestNoPrack(t *testing.T) {
	manual := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	f := newFar(t)
	bob := earlyDevice(t, f, func(c *client.Config) { c.Clock = manual })
	r := f.rings(bob, offer, "Supported", knowing)
	first := r.answered(183)
	bob.next("session")
	manual.Advance(33 * time.Second)
	for range 6 {
		r.answered(183)
	}
	r.answered(504)
	if e := bob.next("closed"); e.Reason != "no PRACK" {
		t.Errorf("%+v", e)
	}
	// A PRACK on its way is good, once and for a while.
	for _, want := range []int{200, 481} {
		if res := r.prack(first, nil); res.StatusCode != want {
			t.Errorf("a PRACK after that: %d, want %d", res.StatusCode, want)
		}
	}
	r = f.rings(bob, offer, "Supported", knowing)
	second := r.answered(183)
	bob.next("session")
	if err := bob.Sessions()[0].Decline(timeout(t), 603); err != nil {
		t.Error(err)
	}
	r.answered(603)
	bob.next("closed")
	manual.Advance(33 * time.Second)
	if res := r.prack(second, nil); res.StatusCode != 481 {
		t.Errorf("much later: %d", res.StatusCode)
	}
	if n := len(bob.Sessions()); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// A message that was shown early is not shown again, though its sender did not
// get to know.
func TestShownOnce(t *testing.T) {
	f := newFar(t)
	bob := earlyDevice(t, f, nil)
	caller, before := newEnd(t), newEnd(t)
	r := f.rings(bob, string(caller.described(msrp.SetupActpass)), "Supported", knowing)
	res := r.answered(183)
	bob.next("session")
	answer, offer := offers(t, res)
	if answer.Port == offer.Port || answer.ID == offer.ID || answer.Setup != msrp.SetupPassive || offer.Setup != msrp.SetupActpass {
		t.Errorf("%+v\n%+v", answer, offer)
	}
	r.prack(res, before.described(msrp.SetupActive))
	say := func(e *end, to *msrp.Description, id, text string) {
		t.Helper()
		if to != nil {
			if err := e.Start(t.Context(), *to, msrp.ActiveSpeaks); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := e.Session.Send(timeout(t), "text/plain", strings.NewReader(text), msrp.SendOptions{MessageID: id}); err != nil {
			t.Fatal(err)
		}
	}
	say(before, offer, "first", "R u there")
	if e := bob.next("im"); e.State != "early" || e.Text != "R u there" || e.From != "sip:carol@example.com" {
		t.Errorf("%+v", e)
	}
	if err := bob.Sessions()[0].Send(timeout(t), "too soon"); err == nil {
		t.Error("sent before it was answered")
	}
	ok := r.accepted()
	bob.next("session")
	<-before.Done() // RFC 3959 section 4: the early session ends at the 2xx
	say(caller, answer, "first", "R u there")
	say(caller, nil, "second", "well?")
	if e := bob.next("im"); e.State != "established" || e.Text != "well?" {
		t.Errorf("%+v", e)
	}
	f.ask(bob, r.request("BYE", ok))
	bob.next("closed")
}

// Cancelled, or ended by a BYE: 487 with the tag of the 183, and the early
// session is over.
func TestEndedWhileItRings(t *testing.T) {
	for _, how := range []string{"CANCEL", "BYE"} {
		t.Run(how, func(t *testing.T) {
			f := newFar(t)
			bob := earlyDevice(t, f, nil)
			before := newEnd(t)
			r := f.rings(bob, offer, "Supported", knowing)
			res := r.answered(183)
			bob.next("session")
			_, early := offers(t, res)
			r.prack(res, before.described(msrp.SetupActive))
			if err := before.Start(context.Background(), *early, msrp.Active); err != nil {
				t.Fatal(err)
			}
			if how == "CANCEL" {
				r.tx.Cancel()
			} else if got := f.ask(bob, r.request("BYE", res)); got.StatusCode != 200 {
				t.Errorf("BYE: %d", got.StatusCode)
			}
			final := r.answered(487)
			if one, two := message.Get(res, "To"), message.Get(final, "To"); one != two {
				t.Errorf("183 to %s, 487 to %s", one, two)
			}
			bob.next("closed")
			<-before.Done()
			if n := len(bob.Sessions()); n != 0 {
				t.Errorf("%d sessions are left", n)
			}
		})
	}
}

// Who does not say that it can is rung as ever; who requires 100rel gets what
// there is reliably.
func TestWhoGetsAnEarlySession(t *testing.T) {
	for name, c := range map[string]struct {
		answer   client.Answer
		body     string
		fields   []string
		status   int // 0: nothing but the 100
		reliable bool
	}{
		"nothing":               {client.AnswerEarly, offer, nil, 180, false},
		"100rel alone":          {client.AnswerEarly, offer, []string{"Supported", "100rel"}, 180, false},
		"early-session alone":   {client.AnswerEarly, offer, []string{"Supported", "early-session"}, 180, false},
		"both":                  {client.AnswerEarly, offer, []string{"Supported", knowing}, 183, true},
		"both, required":        {client.AnswerEarly, offer, []string{"Require", knowing}, 183, true},
		"no offer":              {client.AnswerEarly, "", []string{"Supported", knowing}, 180, false},
		"who only rings":        {client.AnswerRing, offer, []string{"Supported", knowing}, 180, false},
		"who rings, required":   {client.AnswerRing, offer, []string{"Require", "100rel"}, 180, true},
		"no offer, 100rel must": {client.AnswerRing, "", []string{"Require", "100rel"}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFar(t)
			bob := newDevice(t, "bob", f.at(), func(cfg *client.Config) { cfg.Answer = c.answer })
			r := f.rings(bob, c.body, c.fields...)
			bob.next("session")
			if c.status != 0 {
				res := r.answered(c.status)
				if got := message.HasToken(res, "Require", "100rel"); got != c.reliable || message.Has(res, "RSeq") != c.reliable {
					t.Errorf("reliable: %v\n%s", got, message.Bytes(res))
				}
				if c.reliable {
					if got := r.prack(res, nil); got.StatusCode != 200 {
						t.Errorf("PRACK: %d", got.StatusCode)
					}
				}
			}
			ok := r.accepted()
			if hasBody := len(ok.Body()) > 0; hasBody != (c.status != 183) {
				t.Errorf("200:\n%s", message.Bytes(ok))
			}
			bob.next("session")
			f.ask(bob, r.request("BYE", ok))
			bob.next("closed")
		})
	}
}

// An invitation may be declined as soon as it can be found, before the peer has
// been told that it rings.
func TestDeclinedAtOnce(t *testing.T) {
	f := newFar(t)
	bob := earlyDevice(t, f, nil)
	for range 50 {
		declined := make(chan error, 1)
		go func() {
			all := bob.Sessions()
			for ; len(all) == 0; all = bob.Sessions() {
				runtime.Gosched()
			}
			declined <- all[0].Decline(timeout(t), 603)
		}()
		r := f.rings(bob, offer, "Supported", knowing)
		res := within(t, r.heard, "183 or 603")
		if res.StatusCode == 183 {
			res = r.answered(603)
		}
		if err := <-declined; err != nil || res.StatusCode != 603 {
			t.Errorf("%v, heard %d", err, res.StatusCode)
		}
		for within(t, bob.events, "closed").Type != "closed" {
		}
	}
	if n := len(bob.Sessions()); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}
