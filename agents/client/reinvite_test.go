package client_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"presfed/agents/client"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
)

// within is a request of the far end in the dialog that its INVITE made.
func (f *far) within(method, cseq string, invite *message.Request, res *message.Response) *message.Request {
	to, _ := message.To(res)
	contact, err := message.AddressOf(res, "Contact")
	if err != nil {
		f.t.Fatal(err)
	}
	return request(method, contact.URI.String(), "From", message.Get(invite, "From"), "To", to.String(),
		"Call-ID", message.CallID(invite), "CSeq", cseq+" "+method, "Contact", f.contact())
}

func withSDP(req *message.Request, body string) *message.Request {
	message.SetBody(req, "application/sdp", []byte(body))
	return req
}

// RFC 3261 section 14.2: a session that is asked to change may stay as it is.
func TestSessionKeepsItsPath(t *testing.T) {
	f := newFar(t)
	bob := newDevice(t, "bob", f.at(), func(c *client.Config) { c.Answer = client.AnswerAuto })
	invite := f.invite(bob, offer)
	res := f.ask(bob, message.Clone(invite))
	bob.next("session")
	if early := f.ask(bob, withSDP(f.within("INVITE", "2", invite, res), offer)); early.StatusCode != 500 {
		t.Errorf("before the ACK: %d", early.StatusCode)
	}
	f.tell(bob, f.within("ACK", "1", invite, res))
	again := f.ask(bob, withSDP(f.within("INVITE", "3", invite, res), offer))
	if again.StatusCode != 200 || string(again.Body()) != string(res.Body()) {
		t.Errorf("%d\n%s\nwas\n%s", again.StatusCode, again.Body(), res.Body())
	}
	f.tell(bob, f.within("ACK", "3", invite, res))
	for name, req := range map[string]*message.Request{
		"another path": withSDP(f.within("INVITE", "4", invite, res), strings.Replace(offer, "9/far", "9/elsewhere", 1)),
		"no offer":     f.within("INVITE", "4", invite, res),
	} {
		if refused := f.ask(bob, req); refused.StatusCode != 488 {
			t.Errorf("%s: %d", name, refused.StatusCode)
		}
	}
	merged := message.Clone(invite) // the first one again, by another way
	if res := f.ask(bob, merged); res.StatusCode != 482 {
		t.Errorf("merged: %d", res.StatusCode)
	}
	if res := f.ask(bob, f.within("BYE", "5", invite, res)); res.StatusCode != 200 {
		t.Errorf("BYE: %d", res.StatusCode)
	}
	bob.next("closed")
}

// RFC 3261 section 13.2.1: an INVITE without an offer gets one in the 2xx, and
// answers it in the ACK.
func TestOfferInTheAnswer(t *testing.T) {
	f := newFar(t)
	bob := newDevice(t, "bob", f.at(), func(c *client.Config) { c.Answer = client.AnswerAuto })
	end, err := msrp.Listen(msrp.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	running(t, end.Run)
	media, err := end.NewSession(msrp.SessionConfig{AcceptTypes: []string{"text/plain"}})
	if err != nil {
		t.Fatal(err)
	}
	invite := f.invite(bob, "")
	res := f.ask(bob, message.Clone(invite))
	bob.next("session")
	theirs, err := msrp.ParseDescription(res.Body())
	if err != nil || theirs.Setup != msrp.SetupActpass {
		t.Fatalf("%v\n%s", err, res.Body())
	}
	ours, err := media.Describe("").Answering(theirs, msrp.SetupPassive)
	if err != nil {
		t.Fatal(err)
	}
	body, err := ours.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := media.Start(context.Background(), *theirs, msrp.Passive); err != nil {
		t.Fatal(err)
	}
	f.tell(bob, withSDP(f.within("ACK", "1", invite, res), string(body)))
	if _, err := media.Send(timeout(t), "text/plain", strings.NewReader("Hi"), msrp.SendOptions{}); err != nil {
		t.Fatal(err)
	}
	if e := bob.next("im"); e.Text != "Hi" || e.From != "sip:carol@example.com" {
		t.Errorf("%+v", e)
	}
	if res := f.ask(bob, f.within("BYE", "2", invite, res)); res.StatusCode != 200 {
		t.Errorf("BYE: %d", res.StatusCode)
	}
	bob.next("closed")
}
