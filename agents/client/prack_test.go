package client_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
)

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
