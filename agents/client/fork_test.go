package client_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
)

// early is a device by hand that shows first messages.
type early struct{ main, early *end }

func (e early) foreword(res *message.Response) {
	several(e.main.t, res, part("session", e.main.described(msrp.SetupPassive)), part("early-session", e.early.described(msrp.SetupActpass)))
}

// The answer that came reliably counts: the 2xx may have none, and what it has
// is not looked at (RFC 3261 section 13.2.1). What was shown early is not sent
// again, and the connection is bound without words.
func TestTheAnswerIsInTheReliableResponse(t *testing.T) {
	for name, body := range map[string]string{"none in the 2xx": "", "another in the 2xx": offer} {
		t.Run(name, func(t *testing.T) {
			f := newFar(t)
			pc := early{newEnd(t), newEnd(t)}
			alice := newDevice(t, "alice", f.at(), nil)
			call := alice.calls("R u there")
			tx := f.asked("INVITE")
			theirs, err := msrp.ParseDescription(tx.Request().Body())
			if err != nil {
				t.Fatal(err)
			}
			f.reliably(tx, "pc", 1, pc.foreword)
			f.answer(f.pracked("pc", 1), 200, "", "")
			pc.early.hears("R u there")
			s := call.returned(t)
			alice.next("session")
			alice.next("sent")
			if err := s.Send(timeout(t), "more"); !errors.Is(err, client.ErrNotAnswered) {
				t.Errorf("sent before anybody has answered: %v", err)
			}
			if err := pc.main.Start(context.Background(), *theirs, msrp.Passive); err != nil {
				t.Fatal(err)
			}
			f.answer(tx, 200, "pc", body, "Contact", f.contact())
			f.acked()
			if err := s.Answered(timeout(t)); err != nil {
				t.Fatal(err)
			}
			alice.next("session")
			if _, err := pc.main.Send(timeout(t), "text/plain", strings.NewReader("here"), msrp.SendOptions{}); err != nil {
				t.Fatal(err)
			}
			if e := alice.next("im"); e.State != "established" {
				t.Errorf("%+v", e)
			}
			// What comes before the answer to the BYE is no early message either.
			done := make(chan error, 1)
			go func() { done <- s.Close(timeout(t)) }()
			bye := f.asked("BYE")
			if _, err := pc.main.Send(timeout(t), "text/plain", strings.NewReader("wait"), msrp.SendOptions{}); err != nil {
				t.Fatal(err)
			}
			if e := alice.next("im"); e.State != "established" {
				t.Errorf("%+v", e)
			}
			f.answer(bye, 200, "", "")
			if err := <-done; err != nil {
				t.Error(err)
			}
			alice.next("closed")
			if len(pc.main.got) > 0 || len(pc.early.got) > 0 {
				t.Error("the first message came again")
			}
		})
	}
}

// Where the early session fails, the message goes by the established one, by the
// same Message-ID, so that a device that has it all the same can tell.
func TestNotShownEarlyIsSentAgain(t *testing.T) {
	f := newFar(t)
	pc := early{newEnd(t), newEnd(t)}
	alice := newDevice(t, "alice", f.at(), nil)
	call := alice.calls("R u there")
	tx := f.asked("INVITE")
	f.reliably(tx, "pc", 1, pc.foreword)
	prack := f.pracked("pc", 1)
	pc.early.Close()
	f.answer(prack, 200, "", "")
	f.answer(tx, 200, "pc", "", "Contact", f.contact())
	f.acked()
	first := pc.main.hears("R u there")
	s := call.returned(t)
	alice.next("session")
	alice.next("sent")
	f.hangUp(alice, s)

	// The same call to a device that shows it: one Message-ID in all its sessions.
	pc, phone := early{newEnd(t), newEnd(t)}, early{newEnd(t), newEnd(t)}
	call = alice.calls("R u there")
	tx = f.asked("INVITE")
	f.reliably(tx, "pc", 1, pc.foreword)
	f.answer(f.pracked("pc", 1), 200, "", "")
	one := pc.early.hears("R u there")
	f.reliably(tx, "phone", 1, phone.foreword)
	f.answer(f.pracked("phone", 1), 200, "", "")
	if two := phone.early.hears("R u there"); one.ID != two.ID || one.ID == first.ID {
		t.Errorf("Message-IDs %q, %q, %q", first.ID, one.ID, two.ID)
	}
	s = call.returned(t)
	alice.next("session")
	alice.next("sent")
	alice.next("sent")
	// Both answer: the second is acknowledged and ended, past what its PRACK counted.
	f.answer(tx, 200, "pc", "", "Contact", f.contact())
	if to, _ := message.To(f.acked()); to.Tag() != "pc" {
		t.Errorf("ACK to %q", to.Tag())
	}
	f.answer(tx, 200, "phone", "", "Contact", f.contact())
	if to, _ := message.To(f.acked()); to.Tag() != "phone" {
		t.Errorf("ACK to %q", to.Tag())
	}
	bye := f.asked("BYE")
	invite, _ := message.CSeqOf(tx.Request())
	if cseq, _ := message.CSeqOf(bye.Request()); cseq.Seq < invite.Seq+2 {
		t.Errorf("BYE %v after INVITE %v and a PRACK", cseq, invite)
	}
	f.answer(bye, 200, "", "")
	alice.next("session")
	<-phone.early.Done()
	f.hangUp(alice, s)
}

// Nobody answers: the call is given up after its time, or by hand, the early
// sessions end, and a 2xx that comes all the same is ended too.
func TestACallThatNobodyAnswers(t *testing.T) {
	for name, byHand := range map[string]bool{"by hand": true, "by time": false} {
		t.Run(name, func(t *testing.T) {
			manual := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
			f := newFar(t)
			pc := early{newEnd(t), newEnd(t)}
			alice := newDevice(t, "alice", f.at(), func(c *client.Config) {
				if !byHand {
					c.Clock = manual
				}
			})
			call := alice.calls("R u there")
			tx := f.asked("INVITE")
			f.reliably(tx, "pc", 1, pc.foreword)
			f.answer(f.pracked("pc", 1), 200, "", "")
			pc.early.hears("R u there")
			s := call.returned(t)
			alice.next("session")
			alice.next("sent")
			if all := alice.Sessions(); len(all) != 1 || all[0] != s || !s.Calling() {
				t.Errorf("sessions %v", all)
			}
			soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if err := s.Answered(soon); !errors.Is(err, client.ErrNotAnswered) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Answered: %v", err)
			}
			if byHand {
				if err := s.Close(timeout(t)); err != nil {
					t.Error(err)
				}
			} else {
				// Not past the time that the INVITE has once its CANCEL is out (RFC
				// 3261 section 9.1), which may be as soon as the call's is up.
				manual.Advance(201 * time.Second)
				if e := alice.next("failed"); !strings.Contains(e.Reason, "nobody has answered") {
					t.Errorf("%+v", e)
				}
			}
			f.answer(f.asked("CANCEL"), 200, "pc", "")
			alice.next("closed")
			if byHand { // else its connection stands as long as the clock does
				<-pc.early.Done()
			}
			f.answer(tx, 200, "pc", "", "Contact", f.contact())
			f.acked()
			f.answer(f.asked("BYE"), 200, "", "")
			if n := len(alice.Sessions()); n != 0 {
				t.Errorf("%d sessions are left", n)
			}
		})
	}
}

// A refusal after the message was shown is told by an event, for IM has returned.
func TestRefusedAfterItWasShown(t *testing.T) {
	f := newFar(t)
	pc := early{newEnd(t), newEnd(t)}
	alice := newDevice(t, "alice", f.at(), nil)
	call := alice.calls("R u there")
	tx := f.asked("INVITE")
	f.reliably(tx, "pc", 1, pc.foreword)
	f.answer(f.pracked("pc", 1), 200, "", "")
	pc.early.hears("R u there")
	s := call.returned(t)
	f.answer(tx, 480, "pc", "")
	var refused *client.RefusedError
	if err := s.Answered(timeout(t)); !errors.As(err, &refused) || refused.Status() != 480 {
		t.Errorf("%v", err)
	}
	alice.next("session")
	alice.next("sent")
	if e := alice.next("failed"); e.Code != 480 {
		t.Errorf("%+v", e)
	}
	alice.next("closed")
	<-pc.early.Done()
}

// A device that answers and takes no messages: its dialog has ended when IM says so.
func TestMessageRefused(t *testing.T) {
	f := newFar(t)
	at, err := msrp.Listen(msrp.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	running(t, at.Run)
	deaf, err := at.NewSession(msrp.SessionConfig{}) // 403
	if err != nil {
		t.Fatal(err)
	}
	text, err := deaf.Describe(msrp.SetupPassive).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	alice := newDevice(t, "alice", f.at(), nil)
	call := alice.calls("R u there")
	f.answer(f.asked("INVITE"), 200, "pc", string(text), "Contact", f.contact())
	f.acked()
	bye := f.asked("BYE")
	if len(call.done) > 0 {
		t.Error("IM returned before its BYE was answered")
	}
	f.answer(bye, 200, "", "")
	var refused *msrp.StatusError
	if err := within(t, call.done, "the end of IM"); !errors.As(err, &refused) || refused.Code != 403 {
		t.Errorf("%v", err)
	}
	alice.next("session")
	if e := alice.next("closed"); !strings.Contains(e.Reason, "403") {
		t.Errorf("%+v", e)
	}
}
