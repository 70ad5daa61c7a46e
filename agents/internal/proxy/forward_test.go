package proxy

import (
	"slices"
	"strings"
	"testing"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// TestCall walks a call through a proxy whose sides speak different transports:
// INVITE, ringing, 200, ACK, and a BYE from each end.
func TestCall(t *testing.T) {
	bob := startNode(t)
	p := startRouter(t, nil)
	p.node.serve = func(tx *sip.ServerTx) {
		if req := p.Begin(tx, Origin{}); req != nil {
			if to, _ := message.To(req.Message()); to.Tag() != "" {
				req.Relay(nil)
				return
			}
			uri := bob.uri(t, "bob", "UDP")
			uri.Headers = mustURI(t, "sip:x@y?Subject=hidden").Headers
			req.Forward(Target{URI: uri, Edit: func(r *message.Request) {
				message.Set(r, "P-Asserted-Identity", "<sip:alice@example.com>")
			}})
		}
	}
	alice := startNode(t)
	invite := request(t, "INVITE", "sip:bob@example.com", "Contact: <"+uriString(alice.uri(t, "alice", "TCP"))+">", `Subject: one, "two`, "Max-Forwards: 10")
	_, heard := alice.ask(invite, p.target("TCP"))

	tx := recv(t, bob.requests)
	got := tx.Request()
	if got.Recipient.User != "bob" || got.Recipient.Port != int(bob.Addr("UDP").Port()) || message.Get(got, "Max-Forwards") != "9" ||
		message.Get(got, "P-Asserted-Identity") == "" || message.Get(got, "Subject") != `one, "two` || len(message.Values(got, "Via")) != 2 ||
		message.Get(got, "Max-Breadth") != "60" || len(got.Recipient.Headers) != 0 {
		t.Errorf("forwarded:\n%s", message.Bytes(got))
	}
	routes := message.Values(got, "Record-Route")
	if len(routes) != 2 || !strings.Contains(routes[0], "transport=udp;lr>") || !strings.Contains(routes[1], "transport=tcp;lr>") {
		t.Fatalf("Record-Route %q, want one for each side, Bob's on top", routes)
	}
	contact := "Contact: <" + uriString(bob.uri(t, "bob", "UDP")) + ">"
	answer(tx, 180, "bo")
	answer(tx, 200, "bo", contact)
	expect(t, heard, "180 bo")
	ok := expect(t, heard, "200 bo")
	if len(message.Values(ok, "Via")) != 1 || !slices.Equal(message.Values(ok, "Record-Route"), routes) {
		t.Errorf("200:\n%s", message.Bytes(ok))
	}
	if p.Pending() != 0 {
		t.Error("the INVITE is still pending")
	}

	inDialog := func(method, seq string) *message.Request {
		req := request(t, method, uriString(bob.uri(t, "bob", "UDP")), "To: <sip:bob@example.com>;tag=bo",
			"Call-ID: "+message.CallID(invite), "CSeq: "+seq+" "+method)
		for _, r := range slices.Backward(routes) {
			message.Add(req, "Route", r)
		}
		return req
	}
	if err := alice.SendStateless(inDialog("ACK", "1"), p.target("TCP")); err != nil {
		t.Fatal(err)
	}
	if ack := recv(t, bob.acks); message.Has(ack, "Route") || message.Get(ack, "Max-Forwards") != "69" {
		t.Errorf("ACK:\n%s", message.Bytes(ack))
	}
	_, heard = alice.ask(inDialog("BYE", "2"), p.target("TCP"))
	bye := recv(t, bob.requests)
	if message.Has(bye.Request(), "Record-Route") {
		t.Error("BYE with Record-Route")
	}
	answer(bye, 200, "bo")
	expect(t, heard, "200 bo")

	// From Bob's side the route set is the Record-Route as it came.
	back := request(t, "BYE", uriString(alice.uri(t, "alice", "TCP")), "Call-ID: "+message.CallID(invite), "To: <sip:alice@example.com>;tag=al")
	for _, r := range routes {
		message.Add(back, "Route", r)
	}
	_, heard = bob.ask(back, p.target("UDP"))
	answer(recv(t, alice.requests), 200, "al")
	expect(t, heard, "200 al")
}

func uriString(u message.URI) string { return u.String() }

// TestRequestsGoDownTheClientsConnection: a client that nobody can dial gets
// the requests of its dialog down the connection that it came by.
func TestRequestsGoDownTheClientsConnection(t *testing.T) {
	bob := startNode(t)
	p := startRouter(t, to(Target{URI: bob.uri(t, "bob", "TCP")}))
	alice := startNode(t)
	_, heard := alice.ask(request(t, "SUBSCRIBE", "sip:bob@example.com", "Contact: <sip:alice@hidden.invalid;transport=tcp>"), p.target("TCP"))
	tx := recv(t, bob.requests)
	answer(tx, 200, "bo")
	expect(t, heard, "200 bo")
	notify := request(t, "NOTIFY", "sip:alice@hidden.invalid;transport=tcp", "To: <sip:alice@example.com>;tag=al",
		"Call-ID: "+message.CallID(tx.Request()))
	for _, r := range message.Values(tx.Request(), "Record-Route") {
		message.Add(notify, "Route", r)
	}
	_, heard = bob.ask(notify, p.target("TCP"))
	got := recv(t, alice.requests)
	if !message.Has(got.Request(), "Record-Route") {
		t.Error("a NOTIFY is Record-Routed")
	}
	answer(got, 200, "al")
	expect(t, heard, "200 al")
}

// TestLiveConnectionComesFirst: after a reconnection the registrar knows better
// than the dialog's Record-Route.
func TestLiveConnectionComesFirst(t *testing.T) {
	fresh := startNode(t)
	p := startRouter(t, nil, func(c *Config) {
		c.Live = func(req *message.Request) (sip.Target, bool) {
			return fresh.target("TCP"), req.Recipient.Host == "hidden.invalid"
		}
	})
	bob := startNode(t)
	_, heard := bob.ask(request(t, "NOTIFY", "sip:alice@hidden.invalid", "To: <sip:alice@example.com>;tag=al",
		"Call-ID: live", p.passed(t, "live", "")), p.target("TCP"))
	answer(recv(t, fresh.requests), 200, "al")
	expect(t, heard, "200 al")
}

// TestFailover is RFC 3263 section 4.3: a hop that cannot be reached or says
// 503 is followed by the next.
func TestFailover(t *testing.T) {
	closed := newNode(t, nil) // bound, never accepted: closed again before use
	dead := closed.target("TCP")
	closed.run(t)
	busy, good := startNode(t), startNode(t)
	resolve := func(next message.URI, done func([]sip.Target, error)) {
		switch next.Host {
		case "all.example":
			done([]sip.Target{{Transport: "TCP", Addr: dead.Addr, Flow: 99}, busy.target("TCP"), good.target("TCP")}, nil)
		case "busy.example":
			done([]sip.Target{busy.target("TCP")}, nil)
		default:
			done(nil, nil)
		}
	}
	p := startRouter(t, func(r *Request) { r.Forward(Target{URI: r.Message().Recipient}) }, func(c *Config) { c.Resolve = resolve })
	closed.serve = func(tx *sip.ServerTx) { answer(tx, 503, "dead") }
	alice := startNode(t)

	_, heard := alice.ask(request(t, "MESSAGE", "sip:bob@all.example"), p.target("TCP"))
	answer(recv(t, busy.requests), 503, "busy")
	answer(recv(t, good.requests), 200, "good")
	expect(t, heard, "200 good")

	_, heard = alice.ask(request(t, "MESSAGE", "sip:bob@busy.example"), p.target("TCP"))
	tx := recv(t, busy.requests)
	res := message.NewResponse(tx.Request(), 503, "", "busy")
	message.Add(res, "Retry-After", "7 (busy)")
	tx.Respond(res)
	if o := recv(t, heard); o.res == nil || o.res.StatusCode != 500 || message.Get(o.res, "Retry-After") != "7 (busy)" {
		t.Errorf("section 16.7 step 6: a 503 goes up as 500, with its Retry-After, not as %v", o)
	}
	_, heard = alice.ask(request(t, "MESSAGE", "sip:bob@nowhere.example"), p.target("TCP"))
	if o := recv(t, heard); o.res == nil || o.res.StatusCode != 500 {
		t.Errorf("no address: %v", o)
	}
}

// TestOrderWhileResolving: what comes behind a slow look-up must not overtake.
func TestOrderWhileResolving(t *testing.T) {
	bob := startNode(t)
	type question struct{ done func([]sip.Target, error) }
	asked := make(chan question, 1000)
	p := startRouter(t, func(r *Request) { r.Forward(Target{URI: r.Message().Recipient}) }, func(c *Config) {
		c.Resolve = func(_ message.URI, done func([]sip.Target, error)) { asked <- question{done} }
	})
	go func() {
		for q := range asked {
			go q.done([]sip.Target{bob.target("TCP")}, nil)
		}
	}()
	t.Cleanup(func() { close(asked) })
	alice := startNode(t)
	const n = 300
	for i := range n {
		alice.ask(request(t, "NOTIFY", "sip:bob@somewhere.example", "CSeq: "+itoa(i+1)+" NOTIFY"), p.target("TCP"))
	}
	for i := range n {
		tx := recv(t, bob.requests)
		if cseq, _ := message.CSeqOf(tx.Request()); cseq.Seq != uint32(i+1) {
			t.Fatalf("number %d came as number %d", cseq.Seq, i+1)
		}
		answer(tx, 200, "bo")
	}
}
