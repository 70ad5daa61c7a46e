package client_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
	"presfed/agents/internal/sip"
)

// RFC 4145 section 4.1, RFC 4975 section 5.4: who offers without a=setup, or holds, connects.
// Each way the first message comes by the one connection that there is.
func TestWhoConnectsTheEarlySession(t *testing.T) {
	for _, setup := range []msrp.Setup{"", "holdconn", msrp.SetupActive, msrp.SetupPassive, msrp.SetupActpass} {
		t.Run(cmp.Or(string(setup), "none"), func(t *testing.T) {
			f := newFar(t)
			pc := early{newEnd(t), newEnd(t)}
			alice := newDevice(t, "alice", f.at(), nil)
			call := alice.calls("R u there")
			tx := f.asked("INVITE")
			f.reliably(tx, "pc", 1, func(res *message.Response) {
				several(t, res, part("session", pc.main.described(msrp.SetupPassive)), part("early-session", pc.early.described(setup)))
			})
			prack := f.pracked("pc", 1)
			answer, err := msrp.ParseDescription(prack.Request().Body())
			if err != nil {
				t.Fatalf("%v\n%s", err, message.Bytes(prack.Request()))
			}
			f.answer(prack, 200, "", "")
			role, answered := msrp.Active, msrp.SetupPassive
			if setup == msrp.SetupPassive || setup == msrp.SetupActpass {
				role, answered = msrp.Passive, msrp.SetupActive
			}
			if answer.Setup != answered {
				t.Errorf("answered %q", answer.Setup)
			}
			for n := range uint32(20) { // time enough for one that must not connect
				f.reliably(tx, "pc", 2+n, nil)
				f.answer(f.pracked("pc", 2+n), 200, "", "")
			}
			if role == msrp.Active && len(pc.early.got) > 0 {
				t.Error("both connect")
			}
			if err := pc.early.Start(timeout(t), *answer, role); err != nil {
				t.Error(err)
			}
			pc.early.hears("R u there")
			s := call.returned(t)
			f.answer(tx, 486, "pc", "")
			<-s.Done()
		})
	}
}

// A 2xx right behind the reliable response that has the answer finds it taken,
// whether there was time for the PRACK or not; and what was shown early is told
// before the session is established.
func TestAnswerRightBehindTheReliableResponse(t *testing.T) {
	f := newFar(t)
	alice := newDevice(t, "alice", f.at(), nil)
	for i := range 60 {
		pc := early{newEnd(t), newEnd(t)}
		call := alice.calls("R u there")
		tx := f.pastPracks(message.INVITE)
		rseq := uint32(1 + i) // a PRACK of the call before may still be on its way
		f.reliably(tx, "pc", rseq, pc.foreword)
		shown := i%2 == 0
		if shown {
			for prack := ""; !strings.HasPrefix(prack, fmt.Sprint(rseq, " ")); {
				tx := f.asked("PRACK")
				prack = message.Get(tx.Request(), "RAck")
				f.answer(tx, 200, "", "")
			}
			pc.early.hears("R u there")
		}
		f.answer(tx, 200, "pc", "", "Contact", f.contact())
		f.acked()
		if !shown {
			pc.main.hears("R u there")
		}
		s := call.returned(t)
		if err := s.Answered(timeout(t)); err != nil {
			t.Fatal(err)
		}
		states := []string{alice.next("session").State}
		if shown {
			alice.next("sent")
			states = append(states, alice.next("session").State)
		}
		if got := strings.Join(states, ", "); got != "established" && got != "early, established" {
			t.Fatalf("told %q", got)
		}
		if !shown {
			alice.next("sent")
		}
		done := make(chan error, 1)
		go func() { done <- s.Close(timeout(t)) }()
		f.answer(f.pastPracks(message.BYE), 200, "", "")
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		alice.next("closed")
	}
}

// Once the first reliable response has its PRACK, others may come at once (RFC 3262
// section 3): their PRACKs keep the order.
func TestPracksKeepTheirOrder(t *testing.T) {
	f := newFar(t)
	alice := newDevice(t, "alice", f.at(), nil)
	alice.calls("R u there")
	tx := f.asked("INVITE")
	f.reliably(tx, "pc", 1, nil)
	f.answer(f.pracked("pc", 1), 200, "", "")
	const more = 20
	for n := range uint32(more) {
		f.reliably(tx, "pc", 2+n, nil)
	}
	for n := range uint32(more) {
		f.answer(f.pracked("pc", 2+n), 200, "", "")
	}
	f.answer(tx, 486, "pc", "")
}

// RFC 5621 section 4.2: parts may stand in parts, and alternatives may be of any
// kind as long as one is understood, the last of which counts.
func TestPartsInParts(t *testing.T) {
	picture := message.NewPart([]byte("x"), "Content-Type", "image/png")
	hidden := message.NewPart([]byte("x"), "Content-Type", "multipart/mixed", "Content-Disposition", "render;handling=optional")
	for name, body := range map[string]func(t *testing.T, session, early message.Part) []message.Part{
		"early, session": func(_ *testing.T, session, early message.Part) []message.Part { return []message.Part{early, session} },
		"three": func(_ *testing.T, session, early message.Part) []message.Part {
			return []message.Part{session, hidden, early}
		},
		"nested": func(t *testing.T, session, early message.Part) []message.Part {
			return []message.Part{session, nested(t, "mixed", nested(t, "mixed", early))}
		},
		"alternatives": func(t *testing.T, session, early message.Part) []message.Part {
			other := part("early-session", []byte("v=0\r\n"))
			return []message.Part{nested(t, "alternative", picture, session, picture), nested(t, "alternative", other, early)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFar(t)
			pc := early{newEnd(t), newEnd(t)}
			alice := newDevice(t, "alice", f.at(), nil)
			call := alice.calls("R u there")
			tx := f.asked("INVITE")
			f.reliably(tx, "pc", 1, func(res *message.Response) {
				several(t, res, body(t, part("session", pc.main.described(msrp.SetupPassive)), part("early-session", pc.early.described(msrp.SetupActpass)))...)
			})
			f.answer(f.pracked("pc", 1), 200, "", "")
			pc.early.hears("R u there")
			s := call.returned(t)
			f.answer(tx, 200, "pc", "", "Contact", f.contact())
			f.acked()
			if err := s.Answered(timeout(t)); err != nil {
				t.Fatal(err)
			}
			for _, typ := range []string{"session", "sent", "session"} {
				alice.next(typ)
			}
			f.hangUp(alice, s)
		})
	}
}

// nested is a part of several parts.
func nested(t *testing.T, subtype string, parts ...message.Part) message.Part {
	t.Helper()
	contentType, body, err := message.WriteParts(parts, subtype, nil)
	if err != nil {
		t.Fatal(err)
	}
	return message.NewPart(body, "Content-Type", contentType)
}

// pastPracks is the next request with that method; PRACKs that were on their way
// are answered.
func (f *far) pastPracks(method string) *sip.ServerTx {
	f.t.Helper()
	for {
		tx := within(f.t, f.asks, method)
		if got := tx.Request().Method; got != message.PRACK {
			if got != method {
				f.t.Fatalf("%s, want %s", got, method)
			}
			return tx
		}
		f.answer(tx, 200, "", "")
	}
}
