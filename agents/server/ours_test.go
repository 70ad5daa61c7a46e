package server_test

import (
	"strings"
	"testing"

	"presfed/agents/internal/message"
)

// TestAServersAddressIsNoDevice: neither ours, on any transport, nor another
// server's can be registered; a device on the same host can.
func TestAServersAddressIsNoDevice(t *testing.T) {
	b := federatedWith(t, believing)
	alice := b.phone("alice", "a", "TCP")
	here, there := b.servers["a"], b.servers["b"]
	for _, at := range []string{
		here.Addr("TCP").String(), here.Addr("UDP").String(), here.Addr("TLS").String(), there.Addr("TLS").String(),
		"servera.example.com", "serverb.example.com:5060", "EXAMPLE.com",
	} {
		alice.at = at
		res := final(t, alice.ask(alice.request("REGISTER", "alice")), 403)
		if w := message.Get(res, "Warning"); !strings.Contains(w, "Contact") {
			t.Errorf("%s: Warning %q", at, w)
		}
	}
	alice.at = ""
	alice.register()
	if n := len(here.Bindings("alice@example.com")); n != 1 {
		t.Errorf("%d bindings", n)
	}
}

// TestAnOldContactThatIsUsNow: a server that came to listen where a device was
// does not send to itself.
func TestAnOldContactThatIsUsNow(t *testing.T) {
	b := federatedWith(t, believing)
	was, bob := b.phone("alice", "a", "TCP"), b.phone("bob", "b", "TCP")
	was.register()
	b.stops["a"]()
	was.stop()
	b.listen["a"][1].Addr = was.Addr("TCP")
	b.start("a")
	res := final(t, bob.ask(bob.request("MESSAGE", "alice")), 500)
	if w := message.Get(res, "Warning"); !strings.Contains(w, "cannot be reached") {
		t.Errorf("Warning %q", w)
	}
}

// TestWhatARegisterIsAddressedTo: to the domain or this server, and to nobody
// else (RFC 3261 section 10.2).
func TestWhatARegisterIsAddressedTo(t *testing.T) {
	b := federatedWith(t, believing)
	alice := b.phone("alice", "a", "TCP")
	for uri, status := range map[string]int{
		"sip:example.com": 200, "sip:servera.example.com": 200, "sip:alice@example.com": 200, "sip:%61lice@servera.example.com": 200,
		"sip:bob@example.com": 400, "sip:serverb.example.com": 403, "sip:elsewhere.example": 404,
	} {
		req := alice.request("REGISTER", "alice")
		var err error
		if req.Recipient, err = message.ParseURI(uri); err != nil {
			t.Fatal(err)
		}
		if res := next(t, alice.ask(req)); res.StatusCode != status {
			t.Errorf("%s: %d, want %d", uri, res.StatusCode, status)
		}
	}
}

// TestAClientsRouteIsOursOrRefused: RFC 3261 section 16.6 step 6 knows no third way.
func TestAClientsRouteIsOursOrRefused(t *testing.T) {
	b := federatedWith(t, believing)
	alice, bob := b.phone("alice", "a", "TCP"), b.phone("bob", "b", "TCP")
	bob.register()
	ours := []string{"<sip:" + b.servers["a"].Addr("TCP").String() + ";transport=tcp;lr>", "<sip:servera.example.com;lr>", "<sip:example.com;lr>"}
	for _, route := range ours {
		heard := alice.ask(alice.request("MESSAGE", "bob", "Route", route))
		if got := bob.take("MESSAGE", 200); message.Has(got, "Route") {
			t.Errorf("%s: bob is told of a Route", route)
		}
		final(t, heard, 200)
	}
	for _, route := range []string{"<sip:192.0.2.1;lr>", ours[0] + ", <sip:elsewhere.example;lr>", "<sip:serverb.example.com;lr>"} {
		for _, method := range []string{"MESSAGE", "INVITE", "SUBSCRIBE", "PUBLISH", "REGISTER", "OPTIONS", "FOO"} {
			res := final(t, alice.ask(alice.request(method, "bob", "Route", route)), 403)
			if w := message.Get(res, "Warning"); !strings.Contains(w, "Route") {
				t.Errorf("%s, %s: Warning %q", method, route, w)
			}
		}
	}
	peer := b.peer("alice", "servera.example.com", "b")
	heard := peer.ask(peer.request("MESSAGE", "bob", "P-Asserted-Identity", "<sip:alice@example.com>", "Route", "<sip:192.0.2.1;lr>"))
	bob.take("MESSAGE", 200)
	final(t, heard, 200)
}

// TestAPeersFromIsWhomItAsserts: devices show From. It may be anonymous (RFC 3323).
func TestAPeersFromIsWhomItAsserts(t *testing.T) {
	b := federatedWith(t, believing)
	alice := b.phone("alice", "a", "TCP")
	alice.register()
	peer := b.peer("bob", "serverb.example.com", "a")
	ask := func(method, from string) <-chan *message.Response {
		req := peer.request(method, "alice", "P-Asserted-Identity", "<sip:bob@example.com>", "Event", "presence")
		message.Set(req, "From", from+";tag=1")
		return peer.ask(req)
	}
	for _, method := range []string{"MESSAGE", "INVITE", "SUBSCRIBE", "OPTIONS"} {
		for _, from := range []string{"<sip:carol@example.com>", `"Bob" <sips:alice@EXAMPLE.com>`, "<sip:carol@servera.example.com>"} {
			final(t, ask(method, from), 403)
		}
	}
	for _, from := range []string{"<sip:bob@example.com>", `"Anonymous" <sip:anonymous@anonymous.invalid>`} {
		heard := ask("MESSAGE", from)
		alice.take("MESSAGE", 200)
		final(t, heard, 200)
	}
}

// TestOptionsSaysWhatIsThere: the fields of RFC 3261 section 11.2, an empty
// Supported among them: no extension is (section 20.37).
func TestOptionsSaysWhatIsThere(t *testing.T) {
	b := federatedWith(t, believing)
	alice := b.phone("alice", "a", "TCP")
	req := alice.request("OPTIONS", "server")
	req.Recipient.User = ""
	res := final(t, alice.ask(req), 200)
	for _, name := range []string{"Allow", "Allow-Events", "Accept", "Accept-Encoding", "Accept-Language", "Supported"} {
		if !message.Has(res, name) {
			t.Errorf("no %s in\n%s", name, message.Bytes(res))
		}
	}
}
