package server_test

import (
	"testing"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
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
