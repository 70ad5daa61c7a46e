package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/clock"
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

// What a user answers with is sent when the caller has acknowledged the answer, so
// that it does not overtake it; without an ACK there is nobody to send it to.
func TestAcceptWaitsForItsAck(t *testing.T) {
	manual := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	f := newFar(t)
	bob := newDevice(t, "bob", f.at(), func(c *client.Config) { c.Answer, c.Clock = client.AnswerRing, manual })
	for _, acks := range []bool{true, false} {
		got := make(chan *message.Response, 64)
		req := f.invite(bob, offer)
		f.send(bob, message.Clone(req), func(res *message.Response) { got <- res })
		bob.next("session")
		accepted := make(chan error, 1)
		s := bob.Sessions()[0]
		go func() { accepted <- s.Accept(timeout(t)) }()
		answer := <-got
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
		f.tell(bob, request("ACK", "sip:"+bob.Addr("TCP").String(), "From", message.Get(req, "From"), "To", message.Get(answer, "To"), "Call-ID", message.CallID(req), "CSeq", "1 ACK"))
		if err := <-accepted; err != nil {
			t.Error(err)
		}
		closed := make(chan error, 1)
		go func() { closed <- s.Close(timeout(t)) }()
		f.answer(f.asked("BYE"), 200, "", "")
		if err := <-closed; err != nil {
			t.Error(err)
		}
		bob.next("closed")
	}
}

// RFC 3261 section 13.3.1.4: the 2xx comes again, over TCP too, until its ACK;
// without one a BYE ends the session.
func TestAnswerComesAgainUntilItsAck(t *testing.T) {
	manual := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	f := newFar(t)
	bob := newDevice(t, "bob", f.at(), func(c *client.Config) { c.Answer, c.Clock = client.AnswerAuto, manual })
	for _, acks := range []bool{true, false} {
		got := make(chan *message.Response, 64)
		req := f.invite(bob, offer)
		f.send(bob, message.Clone(req), func(res *message.Response) { got <- res })
		first := <-got
		bob.next("session")
		manual.Advance(500 * time.Millisecond)
		again := <-got
		if a, b := message.Bytes(first), message.Bytes(again); string(a) != string(b) {
			t.Errorf("another 2xx:\n%s\n%s", a, b)
		}
		to, _ := message.To(first)
		if !acks {
			manual.Advance(32 * time.Second)
			tx := f.asked("BYE")
			f.answer(tx, 200, "", "")
			if e := bob.next("closed"); e.Reason != "no ACK" {
				t.Errorf("%+v", e)
			}
			continue
		}
		ack := request("ACK", "sip:"+bob.Addr("TCP").String(), "From", message.Get(req, "From"), "To", to.String(), "Call-ID", message.CallID(req), "CSeq", "1 ACK")
		f.tell(bob, ack)
		// An answer to what comes behind it on the connection: it was taken.
		if res := f.ask(bob, request("OPTIONS", "sip:bob@example.com", "From", "<sip:c@d>;tag=1", "To", "<sip:bob@example.com>", "Call-ID", "o", "CSeq", "1 OPTIONS")); res.StatusCode != 200 {
			t.Errorf("OPTIONS: %d", res.StatusCode)
		}
		for len(got) > 0 {
			<-got
		}
		manual.Advance(4 * time.Second)
		bye := request("BYE", "sip:bob@example.com", "From", message.Get(req, "From"), "To", to.String(), "Call-ID", message.CallID(req), "CSeq", "2 BYE")
		if res := f.ask(bob, bye); res.StatusCode != 200 {
			t.Errorf("BYE: %d", res.StatusCode)
		}
		if len(got) > 0 {
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
	done := make(chan error, 1)
	var s *client.Session
	go func() {
		var err error
		s, err = alice.IM(timeout(t), "bob", "")
		done <- err
	}()
	tx := f.asked("INVITE")
	// The answers are active: alice waits for a connection, that never comes.
	answer := strings.Replace(offer, "127.0.0.1:9", carol.MSRPAddr().String(), 1)
	route := "<sip:" + f.Addr("TCP").String() + ";transport=tcp;lr>"
	f.answer(tx, 200, "one", answer, "Contact", f.contact(), "Record-Route", route)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
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
