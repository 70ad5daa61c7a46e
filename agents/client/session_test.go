package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"presfed/agents/client"
	"presfed/agents/internal/message"
	"presfed/agents/internal/wire"
)

// pair is two devices, each the other's server.
func pair(t *testing.T, answer client.Answer) (alice, bob *device) {
	t.Helper()
	bob = newDevice(t, "bob", "tcp:127.0.0.1:9", func(c *client.Config) { c.Answer = answer })
	return newDevice(t, "alice", "tcp:"+bob.Addr("TCP").String(), nil), bob
}

func TestSession(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	tap := func(r wire.Record) {
		line, _, _ := strings.Cut(string(r.Raw), "\r\n")
		if r.Protocol == wire.MSRP {
			line = strings.Fields(line)[2] // MSRP, transaction, method or status
		}
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprint(r.Direction, " ", r.Protocol, " ", line))
	}
	bob := newDevice(t, "bob", "tcp:127.0.0.1:9", func(c *client.Config) { c.Answer = client.AnswerAuto })
	alice := newDevice(t, "alice", "tcp:"+bob.Addr("TCP").String(), func(c *client.Config) { c.Tap = tap })
	s, err := alice.IM(timeout(t), "bob", "Hi Bob")
	if err != nil {
		t.Fatal(err)
	}
	if e := alice.next("session"); e.Peer != "sip:bob@example.com" || e.State != "established" {
		t.Errorf("%+v", e)
	}
	if e := alice.next("sent"); e.Peer != "sip:bob@example.com" || e.Via != "session" {
		t.Errorf("%+v", e)
	}
	if e := bob.next("session"); e.Peer != "sip:alice@example.com" || e.State != "established" {
		t.Errorf("%+v", e)
	}
	if e := bob.next("im"); e.Text != "Hi Bob" || e.From != "sip:alice@example.com" || e.Via != "session" || e.ContentType != "text/plain" {
		t.Errorf("%+v", e)
	}
	reply := bob.Sessions()
	if len(reply) != 1 {
		t.Fatalf("%d sessions at bob's", len(reply))
	}
	if err := reply[0].Send(timeout(t), "Hi Alice"); err != nil {
		t.Fatal(err)
	}
	bob.next("sent")
	if e := alice.next("im"); e.Text != "Hi Alice" {
		t.Errorf("%+v", e)
	}
	if err := s.Close(timeout(t)); err != nil {
		t.Error(err)
	}
	alice.next("closed")
	if e := bob.next("closed"); e.Peer != "sip:alice@example.com" {
		t.Errorf("%+v", e)
	}
	<-reply[0].Done()
	if err := s.Send(timeout(t), "late"); !errors.Is(err, client.ErrClosed) {
		t.Errorf("sent after the end: %v", err)
	}
	if n := len(alice.Sessions()) + len(bob.Sessions()); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	alice.stop()
	// Draft 4.1.4 as Alice sees it: her SEND goes first, without an empty one
	// before. What is written is recorded after the write, so the order of the
	// records is not compared.
	want := map[wire.Protocol][]string{
		wire.SIP:  {"out INVITE", "in 200", "out ACK", "out BYE", "in 200"},
		wire.MSRP: {"out SEND", "in 200", "in SEND", "out 200"},
	}
	for protocol, lines := range want {
		var got []string
		for _, line := range seen {
			if f := strings.Fields(line); f[1] == string(protocol) && f[2] != "SIP/2.0" {
				got = append(got, f[0]+" "+f[2])
			} else if f[1] == string(protocol) {
				got = append(got, f[0]+" "+f[3])
			}
		}
		slices.Sort(got)
		slices.Sort(lines)
		if strings.Join(got, ", ") != strings.Join(lines, ", ") {
			t.Errorf("%s: %v, want %v", protocol, got, lines)
		}
	}
}

func TestSessionEndedByTheInvited(t *testing.T) {
	alice, bob := pair(t, client.AnswerAuto)
	s, err := alice.IM(timeout(t), "bob", "")
	if err != nil {
		t.Fatal(err)
	}
	bob.next("session")
	for i := range 3 { // an empty first message: who connects has bound the session already
		if err := bob.Sessions()[0].Send(timeout(t), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := bob.Close(timeout(t)); err != nil {
		t.Error(err)
	}
	<-s.Done()
	alice.next("session")
	for i := range 3 {
		if e := alice.next("im"); e.Text != fmt.Sprint(i) {
			t.Errorf("%+v", e)
		}
	}
	alice.next("closed")
}

// Over datagrams all the same: the Contact says so, and the dialog stays there.
func TestSessionOverUDP(t *testing.T) {
	bob := newDevice(t, "bob", "udp:127.0.0.1:9", func(c *client.Config) { c.Answer = client.AnswerAuto })
	alice := newDevice(t, "alice", "udp:"+bob.Addr("UDP").String(), nil)
	if _, err := alice.IM(timeout(t), "bob", "Hi"); err != nil {
		t.Fatal(err)
	}
	bob.next("session")
	bob.next("im")
	if err := bob.Sessions()[0].Close(timeout(t)); err != nil {
		t.Error(err)
	}
	alice.next("session")
	alice.next("sent")
	alice.next("closed")
}

func TestNobodyAnswers(t *testing.T) {
	for answer, want := range map[client.Answer]int{client.AnswerBusy: 486, client.AnswerDecline: 603} {
		alice, _ := pair(t, answer)
		_, err := alice.IM(timeout(t), "bob", "Hi")
		var refused *client.RefusedError
		if !errors.As(err, &refused) || refused.Status() != want {
			t.Errorf("%q: %v", answer, err)
		}
		if e := client.Failed(err); e.Type != "failed" || e.Code != want || e.Reason == "" {
			t.Errorf("%+v", e)
		}
	}
}

func TestRinging(t *testing.T) {
	alice, bob := pair(t, client.AnswerRing)
	calling := func(ctx context.Context) chan error {
		done := make(chan error, 1)
		go func() { _, err := alice.IM(ctx, "bob", "Hi"); done <- err }()
		if e := bob.next("session"); e.State != "ringing" {
			t.Errorf("%+v", e)
		}
		alice.next("session")
		return done
	}
	done := calling(timeout(t))
	if err := bob.Sessions()[0].Accept(timeout(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	bob.next("session")
	bob.next("im")
	alice.next("session")
	alice.next("sent")
	alice.Sessions()[0].Close(timeout(t))
	alice.next("closed")
	bob.next("closed")

	done = calling(timeout(t))
	bob.Sessions()[0].Decline(timeout(t), 603)
	var refused *client.RefusedError
	if err := <-done; !errors.As(err, &refused) || refused.Status() != 603 {
		t.Errorf("%v", err)
	}
	bob.next("closed")

	ctx, cancel := context.WithCancel(timeout(t))
	done = calling(ctx)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if e := bob.next("closed"); !strings.Contains(e.Reason, "cancelled") {
		t.Errorf("%+v", e)
	}
	if n := len(bob.Sessions()); n != 0 {
		t.Errorf("%d sessions after the CANCEL", n)
	}
}

const offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" +
	"m=message 9 TCP/MSRP *\r\na=accept-types:text/plain\r\na=path:msrp://127.0.0.1:9/far;tcp\r\na=setup:active\r\n"

// invite is an INVITE by hand.
func (f *far) invite(to *device, body string) *message.Request {
	req := request("INVITE", "sip:"+to.Addr("TCP").String()+";transport=tcp",
		"From", "<sip:carol@example.com>;tag=c", "To", "<sip:bob@example.com>", "Call-ID", fmt.Sprintf("%p", &body), "CSeq", "1 INVITE",
		"Contact", f.contact())
	if body != "" {
		message.SetBody(req, "application/sdp", []byte(body))
	}
	return req
}

func TestInvitationsThatAreRefused(t *testing.T) {
	f := newFar(t)
	bob := newDevice(t, "bob", f.at(), func(c *client.Config) { c.Answer = client.AnswerAuto })
	audio := strings.Replace(offer, "m=message 9 TCP/MSRP *", "m=audio 4000 RTP/AVP 0", 1)
	for name, c := range map[string]struct {
		req     *message.Request
		want    int
		warning string
	}{
		"audio":          {f.invite(bob, audio), 488, "304"},
		"another type":   {f.invite(bob, strings.Replace(offer, "text/plain", "image/png", 1)), 488, "305"},
		"no description": {f.invite(bob, "hello"), 400, "399"},
		"not SDP":        {replaced(f.invite(bob, offer), "Content-Type", "text/plain"), 415, ""},
		"Require":        {replaced(f.invite(bob, offer), "Require", "100rel, precondition"), 420, ""},
		"no dialog":      {replaced(f.invite(bob, offer), "To", "<sip:bob@example.com>;tag=gone"), 481, ""},
		"no Contact":     {without(f.invite(bob, offer), "Contact"), 400, ""},
	} {
		res := f.ask(bob, c.req)
		if res.StatusCode != c.want || !strings.HasPrefix(message.Get(res, "Warning"), c.warning) {
			t.Errorf("%s: %d %s", name, res.StatusCode, message.Get(res, "Warning"))
		}
	}
	if n := len(bob.Sessions()); n != 0 {
		t.Errorf("%d sessions", n)
	}
	bye := request("BYE", "sip:bob@example.com", "From", "<sip:carol@example.com>;tag=c", "To", "<sip:bob@example.com>;tag=x", "Call-ID", "q", "CSeq", "2 BYE")
	if res := f.ask(bob, bye); res.StatusCode != 481 {
		t.Errorf("BYE of nothing: %d", res.StatusCode)
	}
}
