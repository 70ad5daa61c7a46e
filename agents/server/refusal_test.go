package server_test

import (
	"strings"
	"testing"

	"github.com/icholy/digest"

	"presfed/agents/internal/message"
)

// TestWhatEndsHereIsAnswered: the answers of RFC 3261 and 6665 to requests whose
// user agent server is the server itself.
func TestWhatEndsHereIsAnswered(t *testing.T) {
	b := federatedWith(t, believing)
	alice := b.phone("alice", "a", "TCP")
	for _, tt := range []struct {
		method, field, value string
		status               int
		says, what           string
	}{
		{"REGISTER", "Require", "outbound, foo", 420, "Unsupported", "outbound, foo"}, // 8.2.2.3
		{"PUBLISH", "Require", "foo", 420, "Unsupported", "foo"},
		{"SUBSCRIBE", "Require", "eventlist", 420, "Unsupported", "eventlist"},
		{"REGISTER", "To", "<sip:alice@elsewhere.example>", 404, "", ""}, // 10.3 step 5
		{"BYE", "", "", 481, "", ""},                                     // 15.1.2
		{"NOTIFY", "Event", "presence", 481, "", ""},                     // RFC 6665 4.1.3
	} {
		req := alice.request(tt.method, "alice")
		if tt.method != "REGISTER" && tt.method != "BYE" {
			message.Set(req, "Event", "presence")
		}
		if tt.field != "" {
			message.Set(req, tt.field, tt.value)
		}
		res := next(t, alice.ask(req))
		if int(res.StatusCode) != tt.status {
			t.Errorf("%s with %s %s: %d, want %d", tt.method, tt.field, tt.value, res.StatusCode, tt.status)
		} else if got := strings.Join(message.Values(res, tt.says), ", "); tt.says != "" && got != tt.what {
			t.Errorf("%s: %s is %q", tt.method, tt.says, got)
		}
	}
}

// TestAFalseAssertionDoesNotTalk: server-b may speak for bob, not for alice.
func TestAFalseAssertionDoesNotTalk(t *testing.T) {
	b := federatedWith(t, believing)
	alice := b.phone("alice", "a", "TCP")
	alice.register()
	peer := b.peer("bob", "serverb.example.com", "a")
	final(t, peer.ask(peer.request("MESSAGE", "alice", "P-Asserted-Identity", "<sip:alice@example.com>")), 403)
	heard := peer.ask(peer.request("MESSAGE", "alice", "P-Asserted-Identity", "<sip:bob@example.com>"))
	alice.take("MESSAGE", 200)
	final(t, heard, 200)
}

// TestAnUnknownMethodIsCarried: by both servers, to a device of bob's (RFC 3261
// section 16.3); to the server itself it is 501.
func TestAnUnknownMethodIsCarried(t *testing.T) {
	b := federatedWith(t, believing)
	alice, bob := b.phone("alice", "a", "TCP"), b.phone("bob", "b", "TCP")
	bob.register()
	heard := alice.ask(alice.request("FOO", "bob"))
	bob.take("FOO", 200)
	final(t, heard, 200)
	own := alice.request("FOO", "server")
	own.Recipient.User = ""
	if res := final(t, alice.ask(own), 501); !strings.Contains(message.Get(res, "Allow"), "OPTIONS") {
		t.Errorf("Allow: %q", message.Get(res, "Allow"))
	}
}

// TestADigestIsForThisDomain: credentials made for another resource are not taken
// (RFC 7616 section 3.4.6); the domain's and a server's name are one to a proxy.
func TestADigestIsForThisDomain(t *testing.T) {
	b := federated(t)
	alice := b.phone("alice", "a", "TCP")
	for host, status := range map[string]int{"example.com": 200, "servera.example.com": 200, "elsewhere.example": 400} {
		asked := final(t, alice.ask(alice.request("REGISTER", "alice")), 401)
		signed := alice.request("REGISTER", "alice")
		challenge, err := digest.ParseChallenge(message.Raw(asked, "WWW-Authenticate")[0])
		if err != nil {
			t.Fatal(err)
		}
		cred, err := digest.Digest(challenge, digest.Options{Method: "REGISTER", URI: "sip:" + host, Username: "alice", Password: "alice's secret", Count: 1, Cnonce: "c"})
		if err != nil {
			t.Fatal(err)
		}
		final(t, alice.ask(with(signed, "Authorization", cred.String())), status)
	}
}
