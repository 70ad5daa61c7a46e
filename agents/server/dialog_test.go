package server_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
	"presfed/agents/internal/wire"
	"presfed/agents/server"
	"presfed/routing"
)

func believing(c *server.Config) { c.NoAuth = true }

// TestADialogIsItsUsers: only with our seal for it, and only by the user whose
// dialog it is, a request gets through the server.
func TestADialogIsItsUsers(t *testing.T) {
	b := federatedWith(t, believing)
	for _, transport := range []string{"TCP", "UDP"} {
		alice, bob, mallory := b.phone("alice", "a", transport), b.phone("bob", "b", transport), b.phone("mallory", "a", transport)
		bob.register()
		c, other := dial(t, alice, bob), dial(t, alice, bob)
		var bare []string
		for _, r := range c.caller.Routes {
			_, host, found := strings.Cut(r, "@")
			if !found {
				t.Fatalf("Record-Route %s is not sealed", r)
			}
			bare = append(bare, "<sip:"+host)
		}
		ack := func(routes []string, mark string) {
			req, err := c.caller.Ack(c.invite)
			if err != nil {
				t.Fatal(err)
			}
			alice.ack(with(reroute(req, routes), "X-Mark", mark, "P-Asserted-Identity", "<sip:carol@example.com>"))
		}
		ack(bare, "bare")
		ack(other.caller.Routes, "other")
		ack(c.caller.Routes, "good")
		if got := next(t, bob.acks); message.Get(got, "X-Mark") != "good" || message.Has(got, "P-Asserted-Identity") {
			t.Errorf("%s: bob got\n%s", transport, message.Bytes(got))
		}
		for _, method := range []string{"BYE", "SUBSCRIBE", "INVITE", "NOTIFY", "UPDATE", "PRACK"} {
			final(t, alice.ask(reroute(within(t, c.caller, method), bare)), 481)
			final(t, alice.ask(reroute(within(t, c.caller, method), other.caller.Routes)), 481)
			hers := within(t, c.caller, method)
			from, _ := message.From(hers)
			message.Set(hers, "From", "<sip:mallory@example.com>;tag="+from.Tag())
			final(t, mallory.ask(hers), 403)
		}
		if n := len(bob.requests) + len(bob.acks); n != 0 {
			t.Errorf("%s: %d of them got through", transport, n)
		}
		heard := alice.ask(within(t, c.caller, "BYE"))
		bob.take("BYE", 200)
		final(t, heard, 200)
	}
}

// TestWhoIsAssertedInADialog: what a client says of itself goes no further; the
// server says who she is where a dialog is made or refreshed.
func TestWhoIsAssertedInADialog(t *testing.T) {
	b := federatedWith(t, believing)
	alice, bob := b.phone("alice", "a", "TCP"), b.phone("bob", "b", "UDP")
	bob.register()
	c := dial(t, alice, bob)
	for method, want := range map[string][]string{
		"INVITE": {"<sip:alice@example.com>"}, "SUBSCRIBE": {"<sip:alice@example.com>"}, "NOTIFY": {"<sip:alice@example.com>"},
		"BYE": nil, "PRACK": nil, "INFO": nil,
	} {
		heard := alice.ask(within(t, c.caller, method, "P-Asserted-Identity", "<sip:carol@example.com>", "P-Preferred-Identity", "<sip:carol@example.com>"))
		got := bob.take(method, 200)
		if !slices.Equal(message.Raw(got, "P-Asserted-Identity"), want) || message.Has(got, "P-Preferred-Identity") {
			t.Errorf("%s: bob is told it is of %q", method, message.Raw(got, "P-Asserted-Identity"))
		}
		final(t, heard, 200)
	}
	heard := alice.ask(within(t, c.caller, "INVITE", "Privacy", "id"))
	if got := bob.take("INVITE", 200); message.Has(got, "P-Asserted-Identity") {
		t.Error("a device is told who asked for privacy")
	}
	final(t, heard, 200)
}

// TestWhoWasCalledInServerForm: she is From in what she sends in the dialog.
func TestWhoWasCalledInServerForm(t *testing.T) {
	b := federatedWith(t, believing)
	alice, bob := b.phone("alice", "a", "TCP"), b.phone("bob", "b", "TCP")
	bob.register()
	invite := alice.request("INVITE", "bob")
	invite.Recipient.Host = "serverb.example.com"
	message.Set(invite, "To", "<sip:bob@serverb.example.com>")
	heard := alice.ask(invite)
	callee, err := dialog.UAS(bob.take("INVITE", 200), bob.user)
	if err != nil {
		t.Fatal(err)
	}
	final(t, heard, 200)
	heard = bob.ask(within(t, callee, "BYE"))
	alice.take("BYE", 200)
	final(t, heard, 200)
}

// TestDialogsSurviveRestarts: both servers are started again between the 2xx and
// the ACK; call and subscription go on as if nothing had been.
func TestDialogsSurviveRestarts(t *testing.T) {
	var mu sync.Mutex
	var refreshes []*message.Request // on the link
	b := federatedWith(t, func(c *server.Config) {
		believing(c)
		if c.Name != "server-b" {
			return
		}
		c.Tap = func(r wire.Record) {
			msg, err := message.Parse(r.Raw, message.DefaultLimits)
			if req, ok := msg.(*message.Request); err == nil && ok && r.Direction == wire.In && req.Method == message.SUBSCRIBE {
				mu.Lock()
				defer mu.Unlock()
				refreshes = append(refreshes, req)
			}
		}
	})
	alice, bob := b.phone("alice", "a", "TCP"), b.phone("bob", "b", "TCP")
	bob.register()
	c := dial(t, alice, bob)
	subscribe := alice.request("SUBSCRIBE", "bob", "Event", "presence", "Expires", "3600")
	heard := alice.ask(subscribe)
	notify := alice.take("NOTIFY", 200)
	final(t, heard, 200)
	watch, err := dialog.ByNotify(subscribe, notify)
	if err != nil {
		t.Fatal(err)
	}

	for _, name := range []string{"a", "b"} {
		b.stops[name]()
		b.start(name)
	}
	alice.take("NOTIFY", 200) // after a restart everybody is told
	ack, err := c.caller.Ack(c.invite)
	if err != nil {
		t.Fatal(err)
	}
	alice.ack(ack)
	next(t, bob.acks)
	heard = bob.ask(within(t, c.callee, "INFO"))
	alice.take("INFO", 200)
	final(t, heard, 200)
	heard = alice.ask(within(t, c.caller, "BYE"))
	bob.take("BYE", 200)
	final(t, heard, 200)

	refresh := within(t, watch, "SUBSCRIBE", "Event", "presence", "Expires", "1800", "Contact", alice.contact())
	final(t, alice.ask(refresh), 200)
	alice.take("NOTIFY", 200)
	mu.Lock()
	defer mu.Unlock()
	last := refreshes[len(refreshes)-1]
	if len(refreshes) != 2 || message.Get(last, "P-Asserted-Identity") != "<sip:alice@example.com>" {
		t.Errorf("%d SUBSCRIBEs, the last one\n%s", len(refreshes), message.Bytes(last))
	}
}

// TestWhomAPeerAssertsInADialog: the server of a watcher may leave her out within
// the dialog, but name nobody else.
func TestWhomAPeerAssertsInADialog(t *testing.T) {
	b := federatedWith(t, believing)
	b.stops["a"]()
	peer := b.peer("alice", "servera.example.com", "b")
	subscribe := peer.request("SUBSCRIBE", "bob", "Event", "presence", "Expires", "3600", "P-Asserted-Identity", "<sip:alice@example.com>")
	heard := peer.ask(subscribe)
	notify := peer.take("NOTIFY", 200)
	final(t, heard, 200)
	watch, err := dialog.ByNotify(subscribe, notify)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		asserted string
		status   int
	}{
		{"alice", 200}, {"", 200},
		{"bob", 403},   // placed elsewhere
		{"carol", 403}, // nobody
	} {
		refresh := within(t, watch, "SUBSCRIBE", "Event", "presence", "Expires", "1800", "Contact", peer.contact())
		if test.asserted != "" {
			with(refresh, "P-Asserted-Identity", "<sip:"+test.asserted+"@example.com>")
		}
		res := next(t, peer.ask(refresh))
		if res == nil || res.StatusCode != test.status {
			t.Errorf("asserting %q: %v", test.asserted, res)
		}
		if test.status == 200 {
			peer.take("NOTIFY", 200)
		}
	}
	// She has moved, which her former server may not know yet: nobody denies her.
	if err := b.directory.Assign(t.Context(), "alice@example.com", routing.Place{Model: routing.Partitioned, Servers: []string{"server-b"}}); err != nil {
		t.Fatal(err)
	}
	status := 200
	for ctx := timeout(t); status == 200 && ctx.Err() == nil; {
		status = next(t, peer.ask(within(t, watch, "SUBSCRIBE", "Event", "presence", "Expires", "1800", "Contact", peer.contact(),
			"P-Asserted-Identity", "<sip:alice@example.com>"))).StatusCode
		if status == 200 {
			peer.take("NOTIFY", 200)
		}
	}
	if status != 480 {
		t.Errorf("asserting her who has moved: %d", status)
	}
}

// TestARootSaysWhomItShows: the root of a user tells her watchers of her, also where it
// is none of the servers that she is placed at.
func TestARootSaysWhomItShows(t *testing.T) {
	b := federatedWith(t, believing)
	if err := b.directory.Assign(t.Context(), "alice@example.com", hierarchy("server-a", "server-b")); err != nil {
		t.Fatal(err)
	}
	bob := b.phone("bob", "b", "TCP")
	status := 0
	for ctx := timeout(t); status != 200 && ctx.Err() == nil; { // until the servers have heard of it
		status = next(t, bob.ask(bob.request("SUBSCRIBE", "alice", "Event", "presence", "Expires", "0"))).StatusCode
	}
	notify := bob.take("NOTIFY", 200)
	if got := message.Get(notify, "P-Asserted-Identity"); got != "<sip:alice@example.com>" {
		t.Errorf("the NOTIFY is from %q", got)
	}
}
