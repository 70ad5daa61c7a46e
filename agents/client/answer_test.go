package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
)

// What a user answers with is sent when the caller has acknowledged the answer, so
// that it does not overtake it; without an ACK there is nobody to send it to.
func TestAcceptWaitsForItsAck(t *testing.T) {
	manual := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	f := newFar(t)
	bob := newDevice(t, "bob", f.at(), func(c *client.Config) { c.Answer, c.Clock = client.AnswerRing, manual })
	for _, acks := range []bool{true, false} {
		call := f.rings(bob, offer)
		call.answered(180)
		bob.next("session")
		s := bob.Sessions()[0]
		accepted := later(func() error { return s.Accept(timeout(t)) })
		answer := call.answered(200)
		bob.next("session")
		select {
		case err := <-accepted:
			t.Fatalf("before its ACK: %v", err)
		default:
		}
		if !acks {
			manual.Advance(32 * time.Second)
			f.answer(f.asked("BYE"), 200, "", "")
			if err := <-accepted; !errors.Is(err, client.ErrClosed) {
				t.Errorf("without an ACK: %v", err)
			}
			return
		}
		f.tell(bob, f.within("ACK", "1", call.invite, answer))
		if err := <-accepted; err != nil {
			t.Error(err)
		}
		f.hangUp(bob, s)
	}
}

// RFC 3261 section 13.3.1.4: the 2xx comes again, over TCP too, until its ACK;
// without one a BYE ends the session.
func TestAnswerComesAgainUntilItsAck(t *testing.T) {
	manual := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	f := newFar(t)
	bob := newDevice(t, "bob", f.at(), func(c *client.Config) { c.Answer, c.Clock = client.AnswerAuto, manual })
	for _, acks := range []bool{true, false} {
		call := f.rings(bob, offer)
		first := call.answered(200)
		bob.next("session")
		manual.Advance(500 * time.Millisecond)
		again := call.answered(200)
		if a, b := message.Bytes(first), message.Bytes(again); string(a) != string(b) {
			t.Errorf("another 2xx:\n%s\n%s", a, b)
		}
		if !acks {
			manual.Advance(32 * time.Second)
			f.answer(f.asked("BYE"), 200, "", "")
			if e := bob.next("closed"); e.Reason != "no ACK" {
				t.Errorf("%+v", e)
			}
			continue
		}
		f.tell(bob, f.within("ACK", "1", call.invite, first))
		// An answer to what comes behind it on the connection: it was taken.
		if res := f.ask(bob, request("OPTIONS", "sip:bob@example.com", "From", "<sip:c@d>;tag=1", "To", "<sip:bob@example.com>", "Call-ID", "o", "CSeq", "1 OPTIONS")); res.StatusCode != 200 {
			t.Errorf("OPTIONS: %d", res.StatusCode)
		}
		for len(call.heard) > 0 {
			<-call.heard
		}
		manual.Advance(4 * time.Second)
		if res := f.ask(bob, call.request("BYE", first)); res.StatusCode != 200 {
			t.Errorf("BYE: %d", res.StatusCode)
		}
		if len(call.heard) > 0 {
			t.Errorf("the 2xx came again after its ACK")
		}
		bob.next("closed")
	}
}

// RFC 3261 section 13.2.2.4: of two answers from two forks the later one is
// acknowledged and ended.
func TestSecondForkIsEnded(t *testing.T) {
	f := newFar(t)
	alice := newDevice(t, "alice", f.at(), nil)
	carol := newDevice(t, "carol", f.at(), nil) // lends her end for messages
	call := alice.calls("")
	tx := f.asked("INVITE")
	// The answers are active: alice waits for a connection, that never comes.
	answer := strings.Replace(offer, "127.0.0.1:9", carol.MSRPAddr().String(), 1)
	route := "<sip:" + f.Addr("TCP").String() + ";transport=tcp;lr>"
	f.answer(tx, 200, "one", answer, "Contact", f.contact(), "Record-Route", route)
	s := call.returned(t)
	ack := f.acked()
	if to, _ := message.To(ack); to.Tag() != "one" || message.Get(ack, "Route") != route {
		t.Errorf("ACK:\n%s", message.Bytes(ack))
	}
	f.answer(tx, 200, "one", answer, "Contact", f.contact(), "Record-Route", route)
	if to, _ := message.To(f.acked()); to.Tag() != "one" {
		t.Errorf("the repeated 2xx: ACK to %q", to.Tag())
	}
	f.answer(tx, 200, "two", answer, "Contact", f.contact())
	if to, _ := message.To(f.acked()); to.Tag() != "two" {
		t.Errorf("the second fork: ACK to %q", to.Tag())
	}
	bye := f.asked("BYE")
	if to, _ := message.To(bye.Request()); to.Tag() != "two" {
		t.Errorf("BYE to %q", to.Tag())
	}
	f.answer(bye, 200, "", "")
	go s.Close(timeout(t))
	bye = f.asked("BYE")
	if to, _ := message.To(bye.Request()); to.Tag() != "one" || message.Get(bye.Request(), "Route") != route {
		t.Errorf("BYE:\n%s", message.Bytes(bye.Request()))
	}
	f.answer(bye, 200, "", "")
	alice.next("session")
	alice.next("closed")
}

// A 2xx that crosses our CANCEL is acknowledged and ended.
func TestAnswerAfterGivingUp(t *testing.T) {
	f := newFar(t)
	alice := newDevice(t, "alice", f.at(), nil)
	ctx, cancel := context.WithCancel(timeout(t))
	done := make(chan error, 1)
	go func() { _, err := alice.IM(ctx, "bob", "Hi"); done <- err }()
	tx := f.asked("INVITE")
	f.answer(tx, 180, "one", "")
	alice.next("session")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	f.answer(f.asked("CANCEL"), 200, "one", "")
	f.answer(tx, 200, "one", offer, "Contact", f.contact())
	f.acked()
	f.answer(f.asked("BYE"), 200, "", "")
}

// An answer that is no MSRP is acknowledged and ended, and nothing stays.
func TestUnusableAnswer(t *testing.T) {
	f := newFar(t)
	alice := newDevice(t, "alice", f.at(), nil)
	done := make(chan error, 1)
	go func() { _, err := alice.IM(timeout(t), "bob", "Hi"); done <- err }()
	f.answer(f.asked("INVITE"), 200, "one", "v=0\r\n", "Contact", f.contact())
	f.acked()
	f.answer(f.asked("BYE"), 200, "", "")
	if err := <-done; err == nil {
		t.Error("a session out of nothing")
	}
	if n := len(alice.Sessions()); n != 0 {
		t.Errorf("%d sessions", n)
	}
}
