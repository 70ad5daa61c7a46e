package interop

import (
	"testing"

	"presfed/agents/programs"
)

// TestLinphoneAndBaresip: two programs that share no code, neither with us, each on
// a server of its own.
func TestLinphoneAndBaresip(t *testing.T) {
	programs.Need(t, "linphonec", "linphone-cli", "what it does with us")
	programs.Need(t, "baresip", "baresip-core", "what it does with us")
	t.Parallel()
	s := newServers(t)
	alice := linphone(t, s, "alice", "udp", "bob")
	bob := baresip(t, s, "bob", "tcp", "alice")
	bob.online()
	alice.await(`Friend "bob"`, "is Online")
	bob.awaitContact("alice", "Online")
	alice.tell("chat sip:bob@example.com hello baresip")
	bob.takes("hello baresip")
	bob.do("message", "hello linphone")
	alice.await("Message received from sip:bob@example.com", "hello linphone")
	alice.tell("quit")
	alice.end()
	bob.awaitContact("alice", "Offline")
}
