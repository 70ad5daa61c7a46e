package server_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
	"presfed/agents/internal/wire"
	"presfed/agents/server"
	"presfed/db"
)

// heardBytes are the bytes that came in at sockets.
type heardBytes struct {
	mu  sync.Mutex
	raw [][]byte
}

func (h *heardBytes) tap(r wire.Record) {
	if r.Direction == wire.In {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.raw = append(h.raw, r.Raw)
	}
}

// at has it hear what comes to that server, at which every client is believed.
func (h *heardBytes) at(name string) func(*server.Config) {
	return func(c *server.Config) {
		believing(c)
		if c.Name == name {
			c.Tap = h.tap
		}
	}
}

// since are those that came since the last call.
func (h *heardBytes) since() [][]byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	raw := h.raw
	h.raw = nil
	return raw
}

// requests are those of a method among messages; "": all but ACK, which may come late.
func requests(raw [][]byte, method string) (out [][]byte) {
	for _, r := range raw {
		word, _, _ := bytes.Cut(r, []byte(" "))
		if string(word) == method || method == "" && string(word) != "ACK" && string(word) != "SIP/2.0" {
			out = append(out, r)
		}
	}
	return out
}

// spelling is one way to write a field that names somebody.
type spelling struct{ name, value string }

// spellings of a field that every server reads as that field: all of it must go. The
// name has a digit that no tag or branch of ours has.
func spellings(name string) []spelling {
	forged := "<sip:forged0@example.com>"
	return []spelling{
		{name, forged}, {strings.ToLower(name), forged}, {strings.ToUpper(name), forged},
		{name + " ", forged}, {name + "\t", forged}, {name + " \t ", forged}, {name + "\r\n ", forged},
		{name, "\r\n " + forged}, {name, "\r\n\t \r\n\t" + forged}, {name + " ", "\t" + forged + "\t"},
		{name, `"Forged0, Inc." ` + forged}, {name, "sip:forged0@example.com"}, {name, forged + ", <tel:+1-555-forged0>"},
		{name, "," + forged + ",,"}, {name, "forged0"}, {name, "<sip:forged0"}, {name, forged + "\r\n" + name + ": " + forged},
	}
}

// notFields are spellings that are no field: the request is refused as a whole.
func notFields(name string) []spelling {
	forged := "<sip:forged0@example.com>"
	return []spelling{
		{name + "\x00", forged}, {name + "\x0b", forged}, {name + "\x1b", forged}, {name + "\x7f", forged}, {"\x01" + name, forged},
		{name + "\u00a0", forged}, {"\u200b" + name, forged}, {"P\u2010" + name[2:], forged}, {name[:3] + " " + name[3:], forged},
		{"Subject: x\n" + name, forged}, {"Subject: x\r" + name, forged}, {"Subject: x\n\t\n" + name, forged}, {name, forged + "\x00"},
	}
}

var identities = []string{"P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"}

var (
	assertions = regexp.MustCompile(`(?im)^\s*p.asserted.identity[^:]*:.*$`)
	claims     = regexp.MustCompile(`(?im)^\s*(p.preferred.identity|remote.party.id)[^:]*:.*$`)
)

// TestAForgedIdentityGoesNoFurther: whatever a client says of who it is, neither the
// next server nor a device hears of it, in a dialog and outside, whatever the
// spelling; and who it really is, is said once.
func TestAForgedIdentityGoesNoFurther(t *testing.T) {
	for _, transport := range []string{"TCP", "UDP"} {
		t.Run(transport, func(t *testing.T) {
			heard := &heardBytes{}
			b := federatedWith(t, heard.at("server-b"))
			bob := b.overheard("bob", "b", transport, heard.tap)
			alice := b.phone("alice", "a", transport)
			bob.register()
			c := dial(t, alice, bob)
			heard.since()
			check := func(what string, s spelling, refused bool) {
				t.Helper()
				all := heard.since()
				for _, raw := range all {
					if bytes.Contains(bytes.ToLower(raw), []byte("forged0")) || claims.Match(raw) {
						t.Errorf("%s with %q: %q: passed on\n%s", what, s.name, s.value, raw)
					}
					for _, line := range assertions.FindAllString(string(raw), -1) {
						if got := strings.TrimSpace(line); got != "P-Asserted-Identity: <sip:alice@example.com>" && got != "P-Asserted-Identity: <sip:bob@example.com>" {
							t.Errorf("%s: asserted is %q", what, got)
						}
					}
					if n := len(assertions.FindAll(raw, -1)); n > 1 {
						t.Errorf("%s: asserted %d times", what, n)
					}
				}
				if n := len(requests(all, "")); refused != (n == 0) && what != "ACK" {
					t.Errorf("%s with %q: %q: %d requests went on, refused %t", what, s.name, s.value, n, refused)
				}
			}
			some := func(i int, methods ...string) []string { // not everything in every way
				if transport == "TCP" && i < len(spellings("")) {
					return methods
				}
				i %= len(methods)
				return methods[i : i+1]
			}
			tried := 0
			for i, name := range identities {
				for _, s := range spellings(name) {
					tried++
					for _, method := range some(tried, "MESSAGE", "OPTIONS", "INVITE", "FOO") {
						answer := alice.ask(alice.request(method, "bob", s.name, s.value))
						bob.take(method, 480)
						final(t, answer, 480)
						check(method, s, false)
					}
					answer := alice.ask(alice.request("SUBSCRIBE", "bob", "Event", "presence", "Expires", "0", s.name, s.value))
					alice.take("NOTIFY", 200)
					final(t, answer, 200)
					check("SUBSCRIBE", s, false)
					for _, method := range some(tried, "INFO", "INVITE", "NOTIFY", "SUBSCRIBE") {
						answer := alice.ask(within(t, c.caller, method, s.name, s.value))
						bob.take(method, 480)
						final(t, answer, 480)
						check(method+" in a dialog", s, false)
					}
					ack, err := c.caller.Ack(c.invite)
					if err != nil {
						t.Fatal(err)
					}
					alice.ack(with(ack, s.name, s.value))
					next(t, bob.acks)
					check("ACK", s, false)
				}
				for j, s := range notFields(name) {
					method := []string{"MESSAGE", "INVITE", "SUBSCRIBE"}[(i+j)%3]
					final(t, alice.ask(alice.request(method, "bob", "Event", "presence", s.name, s.value)), 400)
					check(method, s, true)
					final(t, alice.ask(within(t, c.caller, "INFO", s.name, s.value)), 400)
					check("INFO", s, true)
				}
			}
		})
	}
}

// TestADeviceAssertsNothingInItsAnswer: RFC 3325 section 5 speaks of messages, not of
// requests.
func TestADeviceAssertsNothingInItsAnswer(t *testing.T) {
	heard := &heardBytes{}
	b := federatedWith(t, heard.at("server-a"))
	alice := b.overheard("alice", "a", "TCP", heard.tap)
	bob := b.phone("bob", "b", "TCP")
	bob.register()
	c := dial(t, alice, bob)
	for _, name := range identities {
		for _, s := range spellings(name) {
			heard.since()
			for _, method := range []string{"MESSAGE", "INVITE"} {
				answer := alice.ask(alice.request(method, "bob"))
				bob.take(method, 200, s.name, s.value)
				final(t, answer, 200)
			}
			answer := alice.ask(within(t, c.caller, "INFO"))
			bob.take("INFO", 488, s.name, s.value)
			final(t, answer, 488)
			for _, raw := range heard.since() {
				if bytes.Contains(bytes.ToLower(raw), []byte("forged0")) || claims.Match(raw) {
					t.Errorf("with %q: %q: passed on\n%s", s.name, s.value, raw)
				}
			}
		}
	}
}

// TestPrivacyInEverySpelling: RFC 3325 section 7. The servers are told, the device is
// not; a value that only looks like id hides nothing.
func TestPrivacyInEverySpelling(t *testing.T) {
	link, shown := &heardBytes{}, &heardBytes{}
	b := federatedWith(t, link.at("server-b"))
	bob := b.overheard("bob", "b", "TCP", shown.tap)
	alice := b.phone("alice", "a", "TCP")
	bob.register()
	c := dial(t, alice, bob)
	for _, tt := range []struct {
		fields []string
		hidden bool
	}{
		{[]string{"Privacy", "id"}, true}, {[]string{"privacy", "ID"}, true}, {[]string{"PRIVACY ", "Id"}, true}, {[]string{"Privacy\t", "\tid\t"}, true},
		{[]string{"Privacy\r\n ", "id"}, true}, {[]string{"Privacy", "\r\n id"}, true}, {[]string{"Privacy", "header;\r\n\tid"}, true},
		{[]string{"Privacy", "header;id"}, true}, {[]string{"Privacy", "id;critical"}, true}, {[]string{"Privacy", "user ; id ; critical"}, true},
		{[]string{"Privacy", "header, id"}, true}, {[]string{"Privacy", "header id"}, true}, {[]string{"Privacy", `"id"`}, true}, {[]string{"Privacy", "none;id"}, true},
		{[]string{"Privacy", "header", "Privacy", "id"}, true}, {[]string{"Privacy", "id", "Privacy", "none"}, true},
		{nil, false}, {[]string{"Privacy", "none"}, false}, {[]string{"Privacy", "header;user"}, false}, {[]string{"Privacy", "idle"}, false}, {[]string{"Privacy", ""}, false},
	} {
		for _, method := range []string{"MESSAGE", "INVITE", "re-INVITE"} {
			link.since()
			shown.since()
			method, again := strings.CutPrefix(method, "re-")
			req := alice.request(method, "bob", tt.fields...)
			if again {
				req = within(t, c.caller, method, tt.fields...)
			}
			answer := alice.ask(req)
			bob.take(method, 480)
			final(t, answer, 480)
			if raw := requests(link.since(), method)[0]; len(assertions.FindAll(raw, -1)) != 1 {
				t.Errorf("%s with %q: the next server is told\n%s", method, tt.fields, raw)
			}
			if raw := requests(shown.since(), method)[0]; (len(assertions.FindAll(raw, -1)) == 0) != tt.hidden {
				t.Errorf("%s with %q: her device is told\n%s", method, tt.fields, raw)
			}
		}
	}
}

// TestAnAnswerKeepsItsPrivacy: whom a server asserts in a response is told to clients
// unless they are not to be.
func TestAnAnswerKeepsItsPrivacy(t *testing.T) {
	b := federatedWith(t, believing)
	b.stops["b"]()
	peer := b.peer("bob", "serverb.example.com", "a")
	if err := b.directory.SetServer(t.Context(), db.Server{Name: "server-b",
		URI: "sip:" + peer.Addr("TLS").String() + ";transport=tls", Identity: "serverb.example.com"}); err != nil {
		t.Fatal(err)
	}
	alice := b.phone("alice", "a", "TCP")
	for _, tt := range []struct{ privacy, want string }{{"none", "<sip:bob@example.com>"}, {"header;ID", ""}} {
		answer := alice.ask(alice.request("MESSAGE", "bob"))
		peer.take("MESSAGE", 200, "P-Asserted-Identity", "<sip:bob@example.com>", "Privacy", tt.privacy)
		if got := message.Get(final(t, answer, 200), "P-Asserted-Identity"); got != tt.want {
			t.Errorf("Privacy: %s, and she is told %q", tt.privacy, got)
		}
	}
}

// TestWhatAPeerSaysIsSaidOnce: of what a peer asserts, the user who is placed there
// goes on, alone; all else that names somebody stays behind.
func TestWhatAPeerSaysIsSaidOnce(t *testing.T) {
	b := federatedWith(t, believing)
	heard := &heardBytes{}
	alice := b.overheard("alice", "a", "TCP", heard.tap)
	alice.register()
	peer := b.peer("bob", "serverb.example.com", "a")
	for _, s := range []spelling{
		{"P-Asserted-Identity", "<sip:bob@example.com>"}, {"p-asserted-identity \t", "\r\n \"Forged0\" <sip:bob@example.com>;x=forged0"},
		{"P-Asserted-Identity", "<sip:alice@example.com>, <sip:bob@example.com>"},
		{"P-Asserted-Identity", "<sip:forged0@elsewhere.example>\r\nP-ASSERTED-IDENTITY: <sip:bob@example.com>, <tel:+1-555-forged0>"},
	} {
		heard.since()
		answer := peer.ask(peer.request("MESSAGE", "alice", s.name, s.value, "Remote-Party-ID", "<sip:forged0@example.com>", "P-Preferred-Identity", "<sip:forged0@example.com>"))
		alice.take("MESSAGE", 200)
		final(t, answer, 200)
		raw := heard.since()[0]
		got := assertions.FindAllString(string(raw), -1)
		if len(got) != 1 || !strings.HasSuffix(strings.TrimSpace(got[0]), "<sip:bob@example.com>") || claims.Match(raw) {
			t.Errorf("%q: she is told\n%s", s.value, raw)
		}
	}
	for _, s := range []spelling{
		{"P-Asserted-Identity", "<sip:alice@example.com>"}, {"P-Asserted-Identity", "<sip:nobody@example.com>"}, {"p-asserted-identity\t", "\r\n <sips:alice@EXAMPLE.com:5061;x>"},
		{"P-Asserted-Identity", "<sip:%61lice@example.com>"}, {"P-Asserted-Identity", "<sip:bob@elsewhere.example>"}, {"P-Asserted-Identity", "<sip:bob%40example.com@example.com>"},
		{"P-Asserted-Identity", "<tel:+15550100>"}, {"P-Asserted-Identity", ""}, {"P-Preferred-Identity", "<sip:bob@example.com>"}, {"Remote-Party-ID", "<sip:bob@example.com>"},
	} {
		for _, method := range []string{"MESSAGE", "INVITE", "OPTIONS"} {
			final(t, peer.ask(peer.request(method, "alice", s.name, s.value)), 403)
		}
		final(t, peer.ask(peer.request("SUBSCRIBE", "alice", "Event", "presence", s.name, s.value)), 480)
		final(t, peer.ask(peer.request("PUBLISH", "alice", "Event", "presence", s.name, s.value)), 403)
	}
	if len(alice.requests) > 0 {
		t.Errorf("she got %v", next(t, alice.requests).Request())
	}
}

// TestAssertionsOfAClientAreNotBelieved: neither where the server itself acts on who
// asks, nor in a subscription of its own.
func TestAssertionsOfAClientAreNotBelieved(t *testing.T) {
	b := federatedWith(t, believing)
	alice := b.phone("alice", "a", "TCP")
	alice.register()
	for i, name := range identities {
		for _, field := range []string{name, strings.ToLower(name) + "\t"} {
			forged := []string{field, "<sip:bob@example.com>", "Event", "presence"}
			register := alice.request("REGISTER", "bob", forged...)
			final(t, alice.ask(register), 403)
			final(t, alice.ask(alice.request("PUBLISH", "bob", forged...)), 403)
			subscribe := alice.request("SUBSCRIBE", "alice", append(forged, "Expires", "3600")...)
			answer := alice.ask(subscribe)
			notify := alice.take("NOTIFY", 200)
			final(t, answer, 200)
			watch, err := dialog.ByNotify(subscribe, notify)
			if err != nil {
				t.Fatal(err)
			}
			// Somebody else refreshes it, and says that she is the watcher.
			mallory := b.phone(fmt.Sprint("mallory", i), "a", "TCP")
			refresh := within(t, watch, "SUBSCRIBE", "Event", "presence", "Expires", "60", "Contact", mallory.contact(), field, "<sip:alice@example.com>")
			from, _ := message.From(refresh)
			message.Set(refresh, "From", "<sip:"+mallory.user+"@example.com>;tag="+from.Tag())
			final(t, mallory.ask(refresh), 403)
		}
	}
}
