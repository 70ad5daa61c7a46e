package client_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
)

// RFC 3262 section 4: one PRACK a response, in order, to the early dialog's
// target along its route set, each branch by itself.
func TestPrackOnceInOrderForEachBranch(t *testing.T) {
	f := newFar(t)
	alice := newDevice(t, "alice", f.at(), nil)
	call := alice.calls("R u there")
	tx := f.asked("INVITE")
	if supported := message.Values(tx.Request(), "Supported"); strings.Join(supported, ",") != "early-session,100rel" {
		t.Errorf("Supported: %s", supported)
	}
	route := "<sip:" + f.Addr("TCP").String() + ";transport=tcp;lr;to=pc>"
	routed := func(res *message.Response) { message.Add(res, "Record-Route", route) }
	f.reliably(tx, "pc", 5, routed)
	prack := f.pracked("pc", 5)
	invite, _ := message.CSeqOf(tx.Request())
	if req := prack.Request(); message.Get(req, "RAck") != "5 "+invite.String() || message.Get(req, "Route") != route ||
		"<"+req.Recipient.String()+">" != f.contact() || message.Has(req, "Content-Type") || message.Get(req, "From") != message.Get(tx.Request(), "From") {
		t.Errorf("PRACK:\n%s", message.Bytes(req))
	}
	f.reliably(tx, "pc", 5, routed) // again
	f.reliably(tx, "pc", 7, routed) // a gap
	f.answer(prack, 200, "", "")
	f.reliably(tx, "phone", 90, nil)
	f.answer(f.pracked("phone", 90), 481, "", "") // a device that has forgotten
	f.reliably(tx, "pc", 6, func(res *message.Response) {
		routed(res)
		res.StatusCode, res.Reason = 180, "Ringing"
	})
	second := f.pracked("pc", 6)
	if e := alice.next("session"); e.State != "ringing" {
		t.Errorf("%+v", e)
	}
	one, _ := message.CSeqOf(prack.Request())
	two, _ := message.CSeqOf(second.Request())
	if one.Seq <= invite.Seq || two.Seq <= one.Seq {
		t.Errorf("CSeq %v, %v, %v", invite, one, two)
	}
	f.answer(second, 200, "", "")
	f.takes(call, tx, "phone") // all the same
}

// A reliable response whose body is of no use is acknowledged; the message is
// not lost, but comes on the established session.
func TestResponsesOfNoUseAreAcknowledged(t *testing.T) {
	audio := []byte(strings.Replace(offer, "m=message 9 TCP/MSRP *", "m=audio 4000 RTP/AVP 0", 1))
	image := []byte(strings.Replace(offer, "text/plain", "image/png", 1))
	for name, c := range map[string]struct {
		change func(t *testing.T, res *message.Response)
		refuse string // the m= line that refuses an early offer; "": the PRACK has no body
	}{
		"no body": {func(*testing.T, *message.Response) {}, ""},
		"no boundary": {func(t *testing.T, res *message.Response) {
			several(t, res, part("session", []byte(offer)), part("early-session", []byte(offer)))
			message.Set(res, "Content-Type", "multipart/mixed")
		}, ""},
		"a boundary that is not there": {func(t *testing.T, res *message.Response) {
			message.SetBody(res, "multipart/mixed;boundary=b", []byte(offer))
		}, ""},
		"an extension nobody knows": {func(t *testing.T, res *message.Response) {
			message.Add(res, "Require", "precondition")
			several(t, res, part("early-session", []byte(offer)))
		}, ""},
		"no SDP":         {func(t *testing.T, res *message.Response) { several(t, res, part("early-session", []byte("hello"))) }, ""},
		"early audio":    {func(t *testing.T, res *message.Response) { several(t, res, part("early-session", audio)) }, "m=audio 0 RTP/AVP 0"},
		"early pictures": {func(t *testing.T, res *message.Response) { several(t, res, part("early-session", image)) }, "m=message 0 TCP/MSRP *"},
		"a picture too": {func(t *testing.T, res *message.Response) {
			several(t, res, part("early-session", []byte(offer)), message.NewPart([]byte("x"), "Content-Type", "image/png"))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFar(t)
			alice := newDevice(t, "alice", f.at(), nil)
			call := alice.calls("R u there")
			tx := f.asked("INVITE")
			f.reliably(tx, "pc", 1, func(res *message.Response) { c.change(t, res) })
			prack := f.pracked("pc", 1)
			req := prack.Request()
			if c.refuse == "" && len(req.Body()) != 0 || !strings.Contains(string(req.Body()), c.refuse) ||
				c.refuse != "" && message.Get(req, "Content-Disposition") != "early-session" {
				t.Errorf("PRACK, want %q:\n%s", c.refuse, message.Bytes(req))
			}
			f.answer(prack, 200, "", "")
			f.takes(call, tx, "pc")
		})
	}
}

// Every part of RAck has to match, in the dialog, and once.
func TestPracksThatAreRefused(t *testing.T) {
	f := newFar(t)
	bob := earlyDevice(t, f, nil)
	caller := newEnd(t)
	r := f.rings(bob, string(caller.described(msrp.SetupActpass)), "Supported", knowing)
	res := r.answered(183)
	bob.next("session")
	rseq := message.Get(res, "RSeq")
	n, err := strconv.Atoi(rseq)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := r.request("PRACK", res, "RAck", rseq+" 1 INVITE")
	message.Set(elsewhere, "To", "<sip:bob@example.com>;tag=elsewhere")
	late := r.f.within("PRACK", "1", r.invite, res)
	message.Add(late, "RAck", rseq+" 1 INVITE")
	for name, c := range map[string]struct {
		req  *message.Request
		want int
	}{
		"another response": {r.request("PRACK", res, "RAck", fmt.Sprint(n+1, " 1 INVITE")), 481},
		"another request":  {r.request("PRACK", res, "RAck", rseq+" 2 INVITE"), 481},
		"another method":   {r.request("PRACK", res, "RAck", rseq+" 1 UPDATE"), 481},
		"no RAck":          {r.request("PRACK", res), 400},
		"half a RAck":      {r.request("PRACK", res, "RAck", rseq), 400},
		"another dialog":   {elsewhere, 481},
		"CSeq of before":   {late, 500},
	} {
		// Each comes later than the one before, whatever the order of the map.
		if name != "CSeq of before" {
			r.cseq++
			message.Set(c.req, "CSeq", fmt.Sprint(r.cseq, " PRACK"))
		}
		if got := f.ask(bob, c.req); got.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", name, got.StatusCode, c.want)
		}
	}
	if got := r.prack(res, nil); got.StatusCode != 200 {
		t.Errorf("the right one: %d", got.StatusCode)
	}
	if got := r.prack(res, nil); got.StatusCode != 481 {
		t.Errorf("the right one again: %d", got.StatusCode)
	}
	if err := bob.Sessions()[0].Decline(timeout(t), 603); err != nil {
		t.Error(err)
	}
	r.answered(603)
	bob.next("closed")
}

// What a PRACK says besides may be missing or broken: it rings on, and the
// session is none the worse.
func TestPracksWithoutAUsableAnswer(t *testing.T) {
	refused := strings.Replace(offer, "m=message 9 ", "m=message 0 ", 1)
	for name, c := range map[string]struct {
		change func(t *testing.T, prack *message.Request, offered string)
		media  string // the m= line of the 200; "": it has no body
	}{
		"no body":      {func(*testing.T, *message.Request, string) {}, ""},
		"not multiple": {func(_ *testing.T, p *message.Request, _ string) { message.SetBody(p, "multipart/mixed", []byte("x")) }, ""},
		"not SDP":      {func(_ *testing.T, p *message.Request, _ string) { message.SetBody(p, "text/plain", []byte("x")) }, ""},
		"refused": {func(_ *testing.T, p *message.Request, _ string) {
			message.SetBody(p, "application/sdp", []byte(refused))
			message.Add(p, "Content-Disposition", "early-session")
		}, ""},
		"a new offer":    {func(_ *testing.T, p *message.Request, _ string) { message.SetBody(p, "application/sdp", []byte(offer)) }, "m=message 0 "},
		"the same offer": {func(_ *testing.T, p *message.Request, o string) { message.SetBody(p, "application/sdp", []byte(o)) }, "m=message "},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFar(t)
			bob := earlyDevice(t, f, nil)
			caller := newEnd(t)
			offered := string(caller.described(msrp.SetupActpass))
			r := f.rings(bob, offered, "Supported", knowing)
			res := r.answered(183)
			bob.next("session")
			answer, _ := offers(t, res)
			req := r.request("PRACK", res, "RAck", message.Get(res, "RSeq")+" 1 INVITE")
			c.change(t, req, offered)
			got := f.ask(bob, req)
			if got.StatusCode != 200 || c.media == "" && len(got.Body()) > 0 || !strings.Contains(string(got.Body()), c.media) {
				t.Errorf("want 200 with %q:\n%s", c.media, message.Bytes(got))
			}
			if name == "the same offer" && !strings.Contains(string(got.Body()), answer.Path.String()) {
				t.Errorf("another answer:\n%s", got.Body())
			}
			ok := r.accepted()
			bob.next("session")
			if err := caller.Start(t.Context(), *answer, msrp.ActiveSpeaks); err != nil {
				t.Fatal(err)
			}
			if _, err := caller.Send(timeout(t), "text/plain", strings.NewReader("R u there"), msrp.SendOptions{}); err != nil {
				t.Fatal(err)
			}
			if e := bob.next("im"); e.State != "established" || e.Text != "R u there" {
				t.Errorf("%+v", e)
			}
			f.ask(bob, r.request("BYE", ok))
			bob.next("closed")
		})
	}
}
