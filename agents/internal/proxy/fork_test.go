package proxy

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// fork is Alice calling two devices of Bob through a proxy.
type fork struct {
	p         *router
	alice     *node
	pc, phone *node
	call      *sip.ClientTx
	heard     chan outcome
	atPC      *sip.ServerTx
	atPhone   *sip.ServerTx
}

func startFork(t *testing.T, method string) *fork {
	f := &fork{alice: startNode(t), pc: startNode(t), phone: startNode(t)}
	f.p = startRouter(t, to(Target{URI: f.pc.uri(t, "pc", "TCP")}, Target{URI: f.phone.uri(t, "phone", "UDP")}))
	f.call, f.heard = f.alice.ask(request(t, method, "sip:bob@example.com"), f.p.target("TCP"))
	f.atPC, f.atPhone = recv(t, f.pc.requests), recv(t, f.phone.requests)
	return f
}

// cancelled waits for the CANCEL of an INVITE and answers as a device does.
func cancelled(t *testing.T, device *node, invite *sip.ServerTx, tag string) {
	t.Helper()
	c := recv(t, device.requests)
	if c.Request().Method != message.CANCEL || c.Invite() != invite {
		t.Fatalf("want the CANCEL of the INVITE, have %s", c.Request().Method)
	}
	answer(c, 200, tag)
	answer(invite, 487, tag)
}

// TestEveryEarlyDialogIsPassedOn: each device's provisional responses keep its
// own tag; the first 2xx ends the others by CANCEL.
func TestEveryEarlyDialogIsPassedOn(t *testing.T) {
	f := startFork(t, "INVITE")
	answer(f.atPC, 183, "pc", "RSeq: 1", "Require: 100rel")
	if res := expect(t, f.heard, "183 pc"); message.Get(res, "RSeq") != "1" {
		t.Error("RSeq is lost")
	}
	answer(f.atPhone, 183, "phone")
	expect(t, f.heard, "183 phone")
	answer(f.atPhone, 180, "phone")
	expect(t, f.heard, "180 phone")
	answer(f.atPC, 200, "pc")
	expect(t, f.heard, "200 pc")
	cancelled(t, f.phone, f.atPhone, "phone")
	// A 2xx that comes again goes up again (section 16.7 step 5).
	answer(f.atPC, 200, "pc")
	expect(t, f.heard, "200 pc")
}

// TestBothAnswer: a second device that answers before its CANCEL arrives has a
// dialog too.
func TestBothAnswer(t *testing.T) {
	f := startFork(t, "INVITE")
	answer(f.atPhone, 180, "phone")
	expect(t, f.heard, "180 phone")
	answer(f.atPC, 200, "pc")
	answer(f.atPhone, 200, "phone")
	got := map[string]bool{recv(t, f.heard).String(): true, recv(t, f.heard).String(): true}
	if !got["200 pc"] || !got["200 phone"] {
		t.Errorf("heard %v", got)
	}
}

func TestBestOfTheBranches(t *testing.T) {
	f := startFork(t, "INVITE")
	answer(f.atPC, 486, "pc")
	answer(f.atPhone, 407, "phone", `Proxy-Authenticate: Digest realm="phone"`)
	res := expect(t, f.heard, "407 phone")
	if message.Get(res, "Proxy-Authenticate") == "" {
		t.Error("no challenge")
	}
}

// TestChallengesAreGathered is section 16.7 step 7.
func TestChallengesAreGathered(t *testing.T) {
	f := startFork(t, "INVITE")
	answer(f.atPC, 401, "pc", `WWW-Authenticate: Digest realm="pc", algorithm=SHA-256`, `WWW-Authenticate: Digest realm="pc"`)
	answer(f.atPhone, 407, "phone", `Proxy-Authenticate: Digest realm="phone"`)
	o := recv(t, f.heard)
	if o.res == nil || len(message.Raw(o.res, "WWW-Authenticate")) != 2 || len(message.Raw(o.res, "Proxy-Authenticate")) != 1 {
		t.Errorf("%v:\n%s", o, message.Bytes(o.res))
	}
}

// TestDecline: a 6xx ends the other branches and wins, but waits for them.
func TestDecline(t *testing.T) {
	f := startFork(t, "INVITE")
	answer(f.atPhone, 180, "phone")
	expect(t, f.heard, "180 phone")
	answer(f.atPC, 603, "pc")
	cancelled(t, f.phone, f.atPhone, "phone")
	expect(t, f.heard, "603 pc")
}

// TestDeclineThenAnswer: a 2xx that crosses the CANCEL after a 6xx still counts.
func TestDeclineThenAnswer(t *testing.T) {
	f := startFork(t, "INVITE")
	answer(f.atPhone, 180, "phone")
	expect(t, f.heard, "180 phone")
	answer(f.atPC, 603, "pc")
	recv(t, f.phone.requests) // the CANCEL, too late
	answer(f.atPhone, 200, "phone")
	expect(t, f.heard, "200 phone")
}

func TestCancelFromUpstream(t *testing.T) {
	f := startFork(t, "INVITE")
	answer(f.atPC, 180, "pc")
	expect(t, f.heard, "180 pc")
	f.call.Cancel()
	cancelled(t, f.pc, f.atPC, "pc")
	// RFC 3261 section 9.1: no CANCEL before a provisional response.
	select {
	case tx := <-f.phone.requests:
		t.Fatalf("the phone, which has not rung, got %s", tx.Request().Method)
	default:
	}
	answer(f.atPhone, 180, "phone")
	expect(t, f.heard, "180 phone")
	cancelled(t, f.phone, f.atPhone, "phone")
	if o := recv(t, f.heard); o.res == nil || o.res.StatusCode != 487 {
		t.Errorf("%v", o)
	}
	if f.p.Pending() != 0 {
		t.Error("still pending")
	}
}

// TestCancelBeforeTheDecision: while nobody has said where the INVITE goes.
func TestCancelBeforeTheDecision(t *testing.T) {
	taken := make(chan *Request, 1)
	p := startRouter(t, func(r *Request) { taken <- r })
	bob, alice := startNode(t), startNode(t)
	call, heard := alice.ask(request(t, "INVITE", "sip:bob@example.com"), p.target("TCP"))
	r := recv(t, taken)
	call.Cancel()
	if o := recv(t, heard); o.res == nil || o.res.StatusCode != 487 {
		t.Fatalf("%v", o)
	}
	r.Forward(Target{URI: bob.uri(t, "bob", "TCP")})
	r.Refuse(404, "")
	if len(bob.requests) != 0 || p.Pending() != 0 {
		t.Error("a cancelled INVITE was sent on")
	}
}

func TestCancelOfNothing(t *testing.T) {
	p := startRouter(t, nil)
	_, heard := startNode(t).ask(request(t, "CANCEL", "sip:bob@example.com"), p.target("TCP"))
	if o := recv(t, heard); o.res == nil || o.res.StatusCode != 481 {
		t.Errorf("%v", o)
	}
}

// TestTimerC: a device that rings for ever is cancelled; each provisional
// response but 100 gives it its time again (section 16.7 step 2).
func TestTimerC(t *testing.T) {
	bob, alice := startNode(t), startNode(t)
	p := startRouter(t, to(Target{URI: bob.uri(t, "bob", "TCP")}))
	_, heard := alice.ask(request(t, "INVITE", "sip:bob@example.com"), p.target("TCP"))
	tx := recv(t, bob.requests)
	answer(tx, 180, "bo")
	expect(t, heard, "180 bo")
	p.clock.Advance(179 * time.Second)
	answer(tx, 180, "bo")
	expect(t, heard, "180 bo")
	p.clock.Advance(179 * time.Second)
	// What was sent before comes before this on the connection.
	_, paged := alice.ask(request(t, "MESSAGE", "sip:bob@example.com"), p.target("TCP"))
	page := recv(t, bob.requests)
	if page.Request().Method != message.MESSAGE {
		t.Fatal("cancelled too early")
	}
	answer(page, 200, "bo")
	expect(t, paged, "200 bo")
	p.clock.Advance(3 * time.Second)
	cancelled(t, bob, tx, "bo")
	expect(t, heard, "487 bo")
}

// TestSilence: whom nobody answers gets 408 for an INVITE, and for anything else
// nothing at all (RFC 4320 section 4.2): her own time has run out as well.
func TestSilence(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	alice := startNode(t)
	ended := make(chan error, 2)
	p := startRouter(t, func(r *Request) {
		if r.Message().Method != message.INVITE {
			r.tx.OnEnd(func(err error) { ended <- err })
		}
		r.Forward(Target{URI: mustURI(t, "sip:bob@"+deaf.Addr().String()+";transport=tcp")})
	})
	_, invited := alice.ask(request(t, "INVITE", "sip:bob@example.com"), p.target("TCP"))
	_, paged := alice.ask(request(t, "MESSAGE", "sip:bob@example.com"), p.target("TCP"))
	if o := recv(t, invited); o.res == nil || o.res.StatusCode != 408 {
		t.Errorf("INVITE: %v", o)
	}
	recv(t, ended)
	// Nor is the 408 of another passed on. What follows it shows that none came.
	bob := startNode(t)
	q := startRouter(t, to(Target{URI: bob.uri(t, "bob", "TCP")}))
	_, late := alice.ask(request(t, "MESSAGE", "sip:bob@example.com"), q.target("TCP"))
	answer(recv(t, bob.requests), 408, "bo")
	_, next := alice.ask(request(t, "MESSAGE", "sip:bob@example.com"), q.target("TCP"))
	answer(recv(t, bob.requests), 200, "bo")
	expect(t, next, "200 bo")
	select {
	case o := <-paged:
		t.Errorf("MESSAGE: %v", o)
	case o := <-late:
		t.Errorf("MESSAGE answered 408: %v", o)
	default:
	}
}

// TestForkedMessage: the first 2xx is the one answer.
func TestForkedMessage(t *testing.T) {
	f := startFork(t, "MESSAGE")
	answer(f.atPhone, 480, "phone")
	answer(f.atPC, 200, "pc")
	expect(t, f.heard, "200 pc")
	g := startFork(t, "MESSAGE")
	answer(g.atPhone, 200, "phone")
	expect(t, g.heard, "200 phone")
	answer(g.atPC, 200, "pc")
	select {
	case o := <-g.heard:
		t.Errorf("a second answer: %v", o)
	case <-time.After(20 * time.Millisecond):
	}
}

// TestBest holds the choice to an order written down apart: earlier wins.
func TestBest(t *testing.T) {
	order := []int{603, 300, 401, 404, 487, 500, 503}
	equal := map[int]int{600: 603, 302: 300, 407: 401, 484: 401, 486: 404, 480: 404, 408: 487}
	rank := func(status int) int {
		if e, ok := equal[status]; ok {
			status = e
		}
		for i, s := range order {
			if s == status {
				return i
			}
		}
		t.Fatal(errors.New("no rank"))
		return 0
	}
	all := append([]int{600, 302, 407, 484, 486, 480, 408}, order...)
	req := request(t, "INVITE", "sip:bob@example.com")
	for _, a := range all {
		for _, b := range all {
			got := best([]*message.Response{message.NewResponse(req, a, "", "a"), message.NewResponse(req, b, "", "b")}).StatusCode
			want := a
			if rank(b) < rank(a) {
				want = b
			}
			if got != want {
				t.Errorf("of %d and %d: %d", a, b, got)
			}
		}
	}
}

// TestWhatRingsIsNotRungAgain: an INVITE that was taken and whose connection is
// lost is sent nowhere else.
func TestWhatRingsIsNotRungAgain(t *testing.T) {
	alice, again := startNode(t), startNode(t)
	bob := newNode(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- bob.Run(ctx) }()
	p := startRouter(t, to(Target{URI: again.uri(t, "bob", "TCP"), Hop: bob.target("TCP")}))
	_, heard := alice.ask(request(t, "INVITE", "sip:bob@example.com"), p.target("TCP"))
	answer(recv(t, bob.requests), 180, "bo")
	expect(t, heard, "180 bo")
	stop()
	<-ended
	if o := recv(t, heard); o.res == nil || o.res.StatusCode != 500 {
		t.Errorf("%v", o)
	}
	if len(again.requests) != 0 {
		t.Error("rung twice")
	}
}

// TestAMessageGoesToThemAll, also to who is found only after another one took it.
func TestAMessageGoesToThemAll(t *testing.T) {
	alice, pc, phone := startNode(t), startNode(t), startNode(t)
	later := make(chan func(), 1)
	p := startRouter(t, to(Target{URI: pc.uri(t, "pc", "TCP")}, Target{URI: mustURI(t, "sip:phone@later.example")}), func(c *Config) {
		c.Resolve = func(next message.URI, done func([]sip.Target, error)) {
			if next.Host != "later.example" {
				literal(next, done)
				return
			}
			later <- func() { done([]sip.Target{phone.target("TCP")}, nil) }
		}
	})
	for _, status := range []int{200, 603} {
		_, heard := alice.ask(request(t, "MESSAGE", "sip:bob@example.com"), p.target("TCP"))
		answer(recv(t, pc.requests), status, "pc")
		if status == 200 {
			expect(t, heard, "200 pc")
		}
		recv(t, later)()
		answer(recv(t, phone.requests), 480, "phone")
		if status == 603 {
			expect(t, heard, "603 pc")
		}
	}
}
