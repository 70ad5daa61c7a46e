package im

import (
	"fmt"
	"testing"
	"time"

	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/routing"
)

func partitioned() map[string]routing.Place {
	return map[string]routing.Place{
		"alice@example.com": {Model: routing.Partitioned, Servers: []string{"a"}},
		"bob@example.com":   {Model: routing.Partitioned, Servers: []string{"b"}},
	}
}

const offer = "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 h\r\nt=0 0\r\nm=message 7654 TCP/MSRP *\r\na=path:msrp://h:7654/s;tcp\r\n"

func invite(d *device, from, to string, fields ...string) *message.Request {
	req := d.request("INVITE", from, to, fields...)
	message.SetBody(req, "application/sdp", []byte(offer))
	return req
}

// TestPartitionedCall is the draft's 4.1.4: through both servers, to the device
// that can IM, back and forth along the route set.
func TestPartitionedCall(t *testing.T) {
	b := newBed(t, partitioned())
	alice, pc, desk := b.device("alice@example.com", "alice-pc", "a"), b.device("bob@example.com", "bob-pc", "b"), b.device("bob@example.com", "voice", "b")
	req := invite(alice, "alice@example.com", "bob@example.com", "P-Asserted-Identity: <sip:boss@example.com>", "P-Preferred-Identity: <sip:boss@example.com>")
	first := message.Clone(req)
	heard := alice.send(req)
	tx := recv(t, pc.requests)
	got := tx.Request()
	if message.Get(got, "P-Asserted-Identity") != "<sip:alice@example.com>" || message.Has(got, "P-Preferred-Identity") {
		t.Errorf("identity %q", message.Raw(got, "P-Asserted-Identity"))
	}
	if n := len(message.Values(got, "Via")); n != 3 {
		t.Errorf("%d hops", n)
	}
	if asked := recv(t, b.asked); asked != "b" || len(b.asked) != 0 {
		t.Errorf("policy was asked by %s, and %d times more", asked, len(b.asked))
	}
	pc.answer(tx, 200)
	ok := status(t, heard, 200)
	d, err := dialog.UAC(first, ok)
	if err != nil {
		t.Fatal(err)
	}
	ack, err := d.Ack(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.SendStateless(ack, sip.Target{Transport: "TCP", Addr: alice.at.endpoint.Addr("TCP")}); err != nil {
		t.Fatal(err)
	}
	recv(t, pc.acks)
	bye, err := d.Request("BYE")
	if err != nil {
		t.Fatal(err)
	}
	heard = alice.send(bye)
	pc.answer(recv(t, pc.requests), 200)
	status(t, heard, 200)
	if len(desk.requests) != 0 {
		t.Error("the desk phone, which cannot IM, was rung")
	}
}

// TestUnionCall is the draft's 4.2.1.4: the INVITE spirals B -> A -> B, each of
// Alice's devices has an early dialog of its own whose PRACK finds it, the one
// that answers keeps the session, the other is cancelled.
func TestUnionCall(t *testing.T) {
	b := newBed(t, map[string]routing.Place{
		"alice@example.com": {Model: routing.Hierarchical, Servers: []string{"a", "b"}, Root: "a"},
		"bob@example.com":   {Model: routing.Partitioned, Servers: []string{"b"}},
	})
	bob := b.device("bob@example.com", "bob-pc", "b")
	pc, phone := b.device("alice@example.com", "alice-pc", "a"), b.device("alice@example.com", "alice-phone", "b")
	req := invite(bob, "bob@example.com", "alice@example.com", "Supported: early-session, 100rel")
	first := message.Clone(req)
	heard := bob.send(req)
	atPC, atPhone := recv(t, pc.requests), recv(t, phone.requests)
	if asked := recv(t, b.asked); asked != "a" || len(b.asked) != 0 {
		t.Errorf("policy was asked by %s, and %d times more: the root asks, once", asked, len(b.asked))
	}
	if n := len(message.Values(atPhone.Request(), "Via")); n != 4 {
		t.Errorf("the phone is %d hops away, want 4: itself, B, A, B", n)
	}
	calls := dialog.NewFork(first)
	dialogs := map[string]*dialog.Dialog{}
	for _, ring := range []struct {
		device *device
		tx     *sip.ServerTx
	}{{pc, atPC}, {phone, atPhone}} {
		ring.device.answer(ring.tx, 183, "Require: 100rel", "RSeq: 1")
		d, created, err := calls.Receive(status(t, heard, 183))
		if err != nil || !created || d.Remote != ring.device.name {
			t.Fatalf("early dialog %+v, %v, %v", d, created, err)
		}
		dialogs[d.Remote] = d
	}
	for _, to := range []*device{pc, phone} {
		prack, err := dialogs[to.name].Request("PRACK")
		if err != nil {
			t.Fatal(err)
		}
		message.Add(prack, "RAck", "1 1 INVITE")
		answered := bob.send(prack)
		tx := recv(t, to.requests)
		if tx.Request().Method != message.PRACK {
			t.Fatalf("%s got %s", to.name, tx.Request().Method)
		}
		to.answer(tx, 200)
		status(t, answered, 200)
	}
	pc.answer(atPC, 200)
	if d, _, err := calls.Receive(status(t, heard, 200)); err != nil || !d.Confirmed || d.Remote != "alice-pc" {
		t.Fatalf("%+v %v", d, err)
	}
	cancel := recv(t, phone.requests)
	if cancel.Request().Method != message.CANCEL || cancel.Invite() != atPhone {
		t.Fatalf("the phone got %s", cancel.Request().Method)
	}
	phone.answer(cancel, 200)
	phone.answer(atPhone, 487)
	ack, err := dialogs["alice-pc"].Ack(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := bob.SendStateless(ack, sip.Target{Transport: "TCP", Addr: bob.at.endpoint.Addr("TCP")}); err != nil {
		t.Fatal(err)
	}
	recv(t, pc.acks)
}

// TestPeerUnion is the addressing of 4.2.2.3: whoever received the request asks
// the other server for its own share, and nobody asks twice.
func TestPeerUnion(t *testing.T) {
	b := newBed(t, map[string]routing.Place{"alice@example.com": {Model: routing.Peer, Servers: []string{"a", "b"}}})
	bob := b.device("", "bob-pc", "b")
	pc, phone := b.device("alice@example.com", "alice-pc", "a"), b.device("alice@example.com", "alice-phone", "b")
	heard := bob.send(bob.request("MESSAGE", "bob@example.com", "alice@example.com"))
	pc.answer(recv(t, pc.requests), 200)
	phone.answer(recv(t, phone.requests), 200)
	status(t, heard, 200)
	if asked := recv(t, b.asked); asked != "b" || len(b.asked) != 0 || len(pc.requests)+len(phone.requests) != 0 {
		t.Errorf("policy asked by %s, %d times more; %d and %d requests more", asked, len(b.asked), len(pc.requests), len(phone.requests))
	}
}

func TestWhoIsRefused(t *testing.T) {
	b := newBed(t, partitioned())
	alice, eve := b.device("alice@example.com", "alice-pc", "a"), b.device("", "eve-pc", "a")
	pc := b.device("bob@example.com", "bob-pc", "b")
	desk := b.device("carol@example.com", "voice", "b")
	b.places["carol@example.com"] = routing.Place{Model: routing.Partitioned, Servers: []string{"b"}}
	b.refused["bob@example.com eve@example.com"] = 403
	message403 := status(t, eve.send(eve.request("MESSAGE", "eve@example.com", "bob@example.com")), 403)
	if message.Has(message403, "Record-Route") {
		t.Error("a refusal with Record-Route")
	}
	status(t, eve.send(invite(eve, "eve@example.com", "bob@example.com")), 403)
	status(t, alice.send(alice.request("MESSAGE", "alice@example.com", "nobody@example.com")), 404)
	status(t, alice.send(alice.request("MESSAGE", "alice@example.com", "bob@elsewhere.org")), 404)
	status(t, alice.send(alice.request("MESSAGE", "alice@example.com", "carol@example.com")), 480)
	if len(pc.requests)+len(desk.requests) != 0 {
		t.Error("a device was reached")
	}
	// A call without messages is for every device.
	req := alice.request("INVITE", "alice@example.com", "carol@example.com")
	heard := alice.send(req)
	desk.answer(recv(t, desk.requests), 486)
	status(t, heard, 486)
	// A dialog that we never carried is none.
	stray := alice.request("BYE", "alice@example.com", "bob@example.com")
	message.Set(stray, "To", "<sip:bob@example.com>;tag=x")
	status(t, alice.send(stray), 481)
}

// TestPrivacy is RFC 3325 section 7: the servers know who sends, the device does not.
func TestPrivacy(t *testing.T) {
	b := newBed(t, partitioned())
	alice, pc := b.device("alice@example.com", "alice-pc", "a"), b.device("bob@example.com", "bob-pc", "b")
	b.refused["bob@example.com alice@example.com"] = 0
	heard := alice.send(alice.request("MESSAGE", "alice@example.com", "bob@example.com", "Privacy: header; id"))
	tx := recv(t, pc.requests)
	if message.Has(tx.Request(), "P-Asserted-Identity") {
		t.Error("the device is told who sent it")
	}
	pc.answer(tx, 200)
	status(t, heard, 200)
}

// TestMessagesKeepTheirOrder: what one sends to another is not mixed up.
func TestMessagesKeepTheirOrder(t *testing.T) {
	b := newBed(t, partitioned())
	alice, pc := b.device("alice@example.com", "alice-pc", "a"), b.device("bob@example.com", "bob-pc", "b")
	const n = 50
	var answered []chan *message.Response
	for i := range n {
		answered = append(answered, alice.send(alice.request("MESSAGE", "alice@example.com", "bob@example.com", fmt.Sprintf("Subject: %d", i))))
	}
	for i := range n {
		tx := recv(t, pc.requests)
		if got := message.Get(tx.Request(), "Subject"); got != fmt.Sprint(i) {
			t.Fatalf("message %s came as number %d", got, i)
		}
		pc.answer(tx, 200)
	}
	for _, heard := range answered {
		status(t, heard, 200)
	}
}

// What waits for a decision waits for us, and is known as load; what waits for a device
// does not. Where too many wait, it is said when to come again.
func TestWhatWaitsForADecision(t *testing.T) {
	b := newBed(t, partitioned())
	s := b.servers["b"]
	for range cap(b.asked) {
		b.asked <- "" // policy takes its time
	}
	alice, pc := b.device("alice@example.com", "alice-pc", "a"), b.device("bob@example.com", "bob-pc", "b")
	queued := func(when string, want int) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); s.endpoint.Load().Queued != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s there are %d, want %d", when, s.endpoint.Load().Queued, want)
			}
		}
	}
	var heard []chan *message.Response
	for range 3 {
		heard = append(heard, alice.send(alice.request("MESSAGE", "alice@example.com", "bob@example.com")))
	}
	queued("before the decision", 3)
	for range cap(b.asked) + 3 {
		recv(t, b.asked)
	}
	var rings []*sip.ServerTx
	for range heard {
		rings = append(rings, recv(t, pc.requests))
	}
	queued("after it", 0)
	for i := range heard {
		pc.answer(rings[i], 200)
		status(t, heard[i], 200)
	}

	b.servers["a"].im.queues = []chan job{make(chan job)} // nobody reads it
	res := status(t, alice.send(alice.request("MESSAGE", "alice@example.com", "bob@example.com")), 503)
	if message.RetryAfter(res) == 0 {
		t.Errorf("%s", message.Bytes(res))
	}
}

func TestCarriesIM(t *testing.T) {
	for _, tt := range []struct {
		method, body string
		want         bool
	}{
		{"MESSAGE", "", true},
		{"INVITE", offer, true},
		{"INVITE", "", false},
		{"INVITE", "v=0\r\ns=m=message \r\nm=audio 1 RTP/AVP 0\r\n", false},
		{"INVITE", "v=0\nm=audio 1 RTP/AVP 0\nm=message 1 TCP/MSRP *\n", true},
	} {
		req := message.NewRequest(tt.method, message.URI{Scheme: "sip", Host: "h"})
		message.SetBody(req, "application/sdp", []byte(tt.body))
		if carriesIM(req) != tt.want {
			t.Errorf("%s %q", tt.method, tt.body)
		}
	}
}
