package server_test

import (
	"strings"
	"testing"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db"
)

// TestNobodyAnswersForAServer: who gets a request further down reads the branch by
// which its answer is known in every Via. To what a server was asked, that server
// answers and nobody else, neither a device that connects to us nor another server.
func TestNobodyAnswersForAServer(t *testing.T) {
	b := federatedWith(t, believing)
	alice, bob := b.phone("alice", "a", "TCP"), b.phone("bob", "b", "TCP")
	bob.register()
	for _, forger := range []*phone{b.phone("mallory", "a", "TCP"), b.peer("mallory", "serverx.example.com", "a")} {
		for _, method := range []string{"MESSAGE", "INVITE", "OPTIONS"} {
			heard := alice.ask(alice.request(method, "bob"))
			asked := next(t, bob.requests)
			for _, status := range []int{180, 200} {
				forged := message.NewResponse(asked.Request(), status, "", "forged")
				message.RemoveFirst(forged, "Via") // of bob's own server
				message.Add(forged, "P-Asserted-Identity", "<sip:forged@example.com>")
				message.Add(forged, "Contact", forger.contact())
				if err := forger.SendStateless(forged, sip.Target{Transport: forger.transport, Addr: forger.server, ServerName: forger.identity}); err != nil {
					t.Fatal(err)
				}
			}
			ping := forger.request("OPTIONS", "server")
			ping.Recipient.User = ""
			final(t, forger.ask(ping), 200) // what it sent before has been read
			if err := asked.Respond(message.NewResponse(asked.Request(), 480, "", "bob")); err != nil {
				t.Fatal(err)
			}
			if res := next(t, heard); res.StatusCode != 480 {
				t.Errorf("%s, answered by %s too: alice hears\n%s", method, forger.transport, message.Bytes(res))
			}
		}
	}
}

// TestAServerAnswersForItsUsers: of what its response asserts, a user who is placed there
// is told, alone.
func TestAServerAnswersForItsUsers(t *testing.T) {
	b := federatedWith(t, believing)
	b.stops["b"]()
	peer := b.peer("bob", "serverb.example.com", "a")
	if err := b.directory.SetServer(t.Context(), db.Server{Name: "server-b",
		URI: "sip:" + peer.Addr("TLS").String() + ";transport=tls", Identity: "serverb.example.com"}); err != nil {
		t.Fatal(err)
	}
	alice := b.phone("alice", "a", "TCP")
	for asserted, told := range map[string]string{
		"<sip:bob@example.com>": "<sip:bob@example.com>", `"Bob" <sip:%62ob@EXAMPLE.com>`: `"Bob" <sip:%62ob@EXAMPLE.com>`,
		"<sip:alice@example.com>, <sip:bob@example.com>, <sip:bob@example.com>": "<sip:bob@example.com>",
		"<sip:alice@example.com>": "", "<sip:nobody@example.com>": "", "<tel:+15550100>": "", "forged": "", "<sip:bob@elsewhere.example>": "",
	} {
		for _, method := range []string{"MESSAGE", "INVITE"} {
			answer := alice.ask(alice.request(method, "bob"))
			peer.take(method, 200, "P-Asserted-Identity", asserted)
			if got := strings.Join(message.Raw(final(t, answer, 200), "P-Asserted-Identity"), " and "); got != told {
				t.Errorf("%s: %s is asserted, and she is told %q, want %q", method, asserted, got, told)
			}
		}
	}
}
