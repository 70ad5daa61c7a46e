package server_test

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/agents/server"
	"presfed/db"
)

// answer is how a test answers a challenge; what is empty is as it should be.
type answer struct {
	user, password      string
	algorithm, realm    string // that it is made with
	says                string // the algorithm it claims instead, "none" for no claim
	count               int
	asked               *message.Response
	method, uri, cnonce string
}

// signs gives a request an answer to the challenge.
func signs(t *testing.T, req *message.Request, a answer) *message.Request {
	t.Helper()
	ask, field := "WWW-Authenticate", "Authorization"
	if a.asked.StatusCode == 407 {
		ask, field = "Proxy-Authenticate", "Proxy-Authorization"
	}
	for _, value := range message.Raw(a.asked, ask) {
		c, err := digest.ParseChallenge(value)
		if err != nil {
			t.Fatal(err)
		}
		if a.algorithm != "" && c.Algorithm != a.algorithm {
			continue
		}
		if a.says != "" && !strings.HasSuffix(a.says, "-sess") {
			c.Algorithm = strings.TrimPrefix(a.says, "none")
		}
		c.Realm = cmp.Or(a.realm, c.Realm)
		cred, err := digest.Digest(c, digest.Options{Method: cmp.Or(a.method, req.Method), URI: cmp.Or(a.uri, "sip:example.com"),
			Username: a.user, Password: cmp.Or(a.password, a.user+"'s secret"), Count: max(1, a.count), Cnonce: cmp.Or(a.cnonce, "c")})
		if err != nil {
			t.Fatal(err)
		}
		value := cred.String()
		if strings.HasSuffix(a.says, "-sess") { // which the library does not make
			value = strings.ReplaceAll(value, "algorithm="+a.algorithm, "algorithm="+a.says)
		}
		return with(req, field, value)
	}
	t.Fatalf("no challenge of %q in\n%s", a.algorithm, message.Bytes(a.asked))
	return nil
}

// stale is what the challenges of a response say of the nonce that was used.
func stale(res *message.Response) bool {
	all := strings.Join(append(message.Raw(res, "WWW-Authenticate"), message.Raw(res, "Proxy-Authenticate")...), "\n")
	return strings.Contains(strings.ToLower(all), "stale=true")
}

// TestAnAnswerCountsOnce: RFC 7616 section 3.4 (nc), from anywhere and for anything.
func TestAnAnswerCountsOnce(t *testing.T) {
	b := federated(t)
	alice, mallory := b.phone("alice", "a", "TCP"), b.phone("alice", "a", "UDP")
	asked := final(t, alice.ask(alice.request("REGISTER", "alice")), 401)
	signed := func(p *phone, count int) *message.Request {
		return signs(t, p.request("REGISTER", "alice", "Expires", "600"), answer{user: "alice", asked: asked, count: count})
	}
	final(t, alice.ask(signed(alice, 1)), 200)
	for _, tt := range []struct {
		who    *phone
		count  int
		status int
	}{
		{mallory, 1, 401}, {alice, 1, 401}, {alice, 3, 200}, {alice, 2, 200}, {mallory, 2, 401}, {mallory, 3, 401},
		{alice, 200, 200}, {alice, 137, 200}, {alice, 136, 401}, {alice, 4, 401}, {alice, 200, 401}, {alice, 201, 200},
	} {
		res := next(t, tt.who.ask(signed(tt.who, tt.count)))
		if res.StatusCode != tt.status || stale(res) != (tt.status == 401) {
			t.Errorf("count %d: %d, stale %t; want %d", tt.count, res.StatusCode, stale(res), tt.status)
		}
	}
	// For another method, or another user, it was never made.
	for _, method := range []string{"PUBLISH", "SUBSCRIBE", "MESSAGE", "INVITE"} {
		res := next(t, mallory.ask(signs(t, mallory.request(method, "alice", "Event", "presence"), answer{user: "alice", asked: asked, count: 300, method: "REGISTER"})))
		if res.StatusCode != 401 && res.StatusCode != 407 || stale(res) {
			t.Errorf("what was signed as REGISTER, as %s: %d, stale %t", method, res.StatusCode, stale(res))
		}
	}
}

// TestAnOldNonceIsSaidToBeOld: to who knows the secret, and to nobody else (RFC 7616
// section 3.3).
func TestAnOldNonceIsSaidToBeOld(t *testing.T) {
	hand := clock.NewManual(time.Now())
	b := federatedWith(t, func(c *server.Config) {
		if c.Name == "server-a" {
			c.Clock = hand
		}
	})
	alice := b.phone("alice", "a", "TCP")
	ask := func(a answer, count int) *message.Response {
		a.count = count
		return next(t, alice.ask(signs(t, alice.request("REGISTER", "alice"), a)))
	}
	asked := final(t, alice.ask(alice.request("REGISTER", "alice")), 401)
	if stale(asked) {
		t.Error("stale without an answer")
	}
	right, wrong := answer{user: "alice", asked: asked}, answer{user: "alice", password: "guess", asked: asked}
	if res := ask(right, 1); res.StatusCode != 200 {
		t.Errorf("fresh: %d", res.StatusCode)
	}
	hand.Advance(6 * time.Minute)
	for what, a := range map[string]answer{"right": right, "wrong": wrong, "of nobody": {user: "nobody", asked: asked}} {
		if res := ask(a, 2); res.StatusCode != 401 || stale(res) != (what == "right") {
			t.Errorf("old nonce, %s secret: %d, stale %t", what, res.StatusCode, stale(res))
		}
	}
	again := ask(right, 3)
	if res := ask(answer{user: "alice", asked: again}, 1); res.StatusCode != 200 {
		t.Errorf("with the new nonce: %d", res.StatusCode)
	}
	b.stops["a"]()
	b.start("a")
	if res := ask(answer{user: "alice", asked: again}, 2); res.StatusCode != 401 || !stale(res) {
		t.Errorf("a nonce of before the restart: %d, stale %t", res.StatusCode, stale(res))
	}
	made := message.CloneResponse(again)
	message.Set(made, "WWW-Authenticate", `Digest realm="example.com", nonce="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", algorithm=SHA-256, qop="auth"`)
	if res := ask(answer{user: "alice", asked: made}, 1); res.StatusCode != 401 || !stale(res) {
		t.Errorf("a nonce of her own making: %d, stale %t", res.StatusCode, stale(res))
	}
}

// TestNoWeakerDigest: an answer counts with the algorithm that its nonce was made for,
// and with one that the server asks for.
func TestNoWeakerDigest(t *testing.T) {
	for _, algorithms := range []string{"SHA-256", "SHA-256,MD5", "SHA-512-256,SHA-256"} {
		b := federatedWith(t, func(c *server.Config) { c.Algorithms = algorithms })
		alice := b.phone("alice", "a", "TCP")
		for _, a := range []struct {
			answer
			status int
		}{
			{answer{algorithm: "SHA-256"}, 200},
			{answer{algorithm: "SHA-256", says: "MD5"}, 401},
			{answer{algorithm: "SHA-256", says: "none"}, 401}, // which is MD5
			{answer{algorithm: "SHA-256", says: "MD5-sess"}, 401},
			{answer{algorithm: "SHA-256", says: "SHA-256-sess"}, 401},
		} {
			a.asked = final(t, alice.ask(alice.request("REGISTER", "alice")), 401)
			a.user = "alice"
			res := next(t, alice.ask(signs(t, alice.request("REGISTER", "alice"), a.answer)))
			if res.StatusCode != a.status {
				t.Errorf("%s asked for, answered as %q: %d, want %d", algorithms, a.says, res.StatusCode, a.status)
			}
		}
		asked := final(t, alice.ask(alice.request("REGISTER", "alice")), 401)
		var names []string
		for _, value := range message.Raw(asked, "WWW-Authenticate") {
			c, err := digest.ParseChallenge(value)
			if err != nil || len(c.QOP) != 1 || c.QOP[0] != "auth" {
				t.Errorf("%q, %v", value, err)
			}
			names = append(names, c.Algorithm)
		}
		if got := strings.Join(names, ","); got != algorithms {
			t.Errorf("asked for %s, want %s", got, algorithms)
		}
		// RFC 2069, without qop, would let one answer count for ever.
		bare := signs(t, alice.request("REGISTER", "alice"), answer{user: "alice", asked: asked})
		value := regexp.MustCompile(`, (qop|nc|cnonce)=("[^"]*"|[^,]*)`).ReplaceAllString(message.Get(bare, "Authorization"), "")
		message.Set(bare, "Authorization", value)
		final(t, alice.ask(bare), 400)
	}
}

// TestAnotherRealmIsNoProof: and its credentials are not taken from whom they are for.
func TestAnotherRealmIsNoProof(t *testing.T) {
	heard := &heardBytes{}
	b := federatedWith(t, func(c *server.Config) {
		if c.Name == "server-b" {
			c.Tap = heard.tap
		}
	})
	alice, bob := b.phone("alice", "a", "TCP"), b.phone("bob", "b", "TCP")
	bob.signs("REGISTER", "bob", 200)
	asked := final(t, alice.ask(alice.request("MESSAGE", "bob")), 407)
	elsewhere := message.CloneResponse(asked)
	message.Set(elsewhere, "Proxy-Authenticate", strings.ReplaceAll(message.Get(asked, "Proxy-Authenticate"), `"example.com"`, `"elsewhere.example"`))
	for _, realm := range []string{"elsewhere.example", "EXAMPLE.COM", "example.com.", " example.com", " "} {
		final(t, alice.ask(signs(t, alice.request("MESSAGE", "bob"), answer{user: "alice", asked: asked, realm: realm})), 407)
	}
	// Made for another realm, and said to be for this one.
	forged := signs(t, alice.request("MESSAGE", "bob"), answer{user: "alice", asked: elsewhere})
	message.Set(forged, "Proxy-Authorization", strings.ReplaceAll(message.Get(forged, "Proxy-Authorization"), "elsewhere.example", "example.com"))
	if res := final(t, alice.ask(forged), 407); stale(res) {
		t.Error("a secret of another realm was taken for hers")
	}
	heard.since()
	both := signs(t, alice.request("MESSAGE", "bob"), answer{user: "alice", asked: elsewhere})
	signs(t, both, answer{user: "alice", asked: asked, count: 1})
	result := alice.ask(both)
	bob.take("MESSAGE", 200)
	final(t, result, 200)
	for _, raw := range requests(heard.since(), "MESSAGE") {
		if strings.Contains(string(raw), `realm="example.com"`) || !strings.Contains(string(raw), `realm="elsewhere.example"`) {
			t.Errorf("the next server is sent\n%s", raw)
		}
	}
}

// signs asks, answers the challenge, and takes the status that is wanted.
func (p *phone) signs(method, to string, status int, fields ...string) *message.Response {
	p.t.Helper()
	asked := next(p.t, p.ask(p.request(method, to, fields...)))
	return final(p.t, p.ask(signs(p.t, p.request(method, to, fields...), answer{user: p.user, asked: asked})), status)
}

// TestFromMustBeYouInEverySpelling: who has proved to be alice speaks as alice, or as
// nobody (RFC 3323 section 4.1.1.3), whatever it sends.
func TestFromMustBeYouInEverySpelling(t *testing.T) {
	b := federated(t)
	alice, bob := b.phone("alice", "a", "TCP"), b.phone("bob", "b", "TCP")
	alice.signs("REGISTER", "alice", 200)
	bob.signs("REGISTER", "bob", 200)
	for _, tt := range []struct {
		from string
		ok   bool
	}{
		{"<sip:bob@example.com>", false}, {"sip:bob@example.com", false}, {"<sips:bob@example.com>", false}, {`"alice" <sip:bob@example.com>`, false},
		{"<sip:%62ob@example.com>", false}, {"<sip:bob@servera.example.com>", false}, {"<sip:bob@serverb.example.com>", false}, {"<sip:bob@EXAMPLE.com:5060;x=y>", false},
		{"<sip:ALICE@example.com>", false}, {"<sip:alice@elsewhere.example>", false}, {"<sip:alice%40example.com@example.com>", false}, {"<sip:alice:x@example.com>", true},
		{"<sip:nobody@example.com>", false}, {"<sip:example.com>", false}, {"<tel:+15550100>", false}, {"<sip:alice%00@example.com>", false}, {"\r\n <sip:bob@example.com>", false},
		{`"<sip:alice@example.com>" <sip:bob@example.com>`, false}, {"<sip:bob@example.com>;x=\"<sip:alice@example.com>\"", false},
		{"<sip:alice@example.com>", true}, {"<sip:%61lice@EXAMPLE.com>", true}, {`"Alice" <sips:alice@example.com:5061;x=y>`, true},
		{"<sip:alice@servera.example.com>", true}, {"<sip:alice@serverb.example.com>", true},
		{"<sip:anonymous@anonymous.invalid>", true}, {`"Anonymous" <sip:x@ANONYMOUS.invalid>`, true},
	} {
		for _, method := range []string{"REGISTER", "PUBLISH", "SUBSCRIBE", "MESSAGE", "OPTIONS", "INVITE"} {
			to := "bob"
			if method == "REGISTER" || method == "PUBLISH" {
				to = "alice"
			}
			req := func() *message.Request {
				req := alice.request(method, to, "Event", "presence", "Expires", "0")
				message.Set(req, "From", tt.from+";tag=1")
				return req
			}
			asked := next(t, alice.ask(req()))
			heard := alice.ask(signs(t, req(), answer{user: "alice", asked: asked}))
			if tt.ok && (method == "MESSAGE" || method == "OPTIONS" || method == "INVITE") {
				if got, want := message.Get(bob.take(method, 480), "From"), tt.from+";tag=1"; got != want {
					t.Errorf("%s: From is %s, was %s", method, got, want)
				}
			}
			if tt.ok && method == "SUBSCRIBE" {
				alice.take("NOTIFY", 200)
			}
			if res := next(t, heard); (res.StatusCode == 403) == tt.ok {
				t.Errorf("%s from %s: %d", method, tt.from, res.StatusCode)
			}
		}
	}
	if len(bob.requests) > 0 {
		t.Errorf("bob got\n%s", message.Bytes(next(t, bob.requests).Request()))
	}
}

var changing = regexp.MustCompile(`nonce="[^"]*"|;tag=[0-9A-Za-z]+|;branch=[^;\r]+|Call-ID: \S+|CSeq: \d+|;r?port=\d+|127\.0\.0\.1:\d+`)

// TestWhoExistsIsNotTold: before somebody has proved who it is, the answer is the same
// in every byte, and as quick, whoever is asked for and whoever it says it is.
func TestWhoExistsIsNotTold(t *testing.T) {
	b := federated(t)
	if err := b.directory.AddUser(t.Context(), db.User{AOR: "nowhere@example.com"}); err != nil {
		t.Fatal(err)
	}
	names := []string{"alice", "bob", "nowhere", "nobody", "no%00body", "%27--"} // here, at the other server, at none, and nobody
	phone := b.phone("alice", "a", "TCP")
	same := func(what string, heard map[string]string) {
		t.Helper()
		for _, name := range slices.Sorted(maps.Keys(heard)) {
			if heard[name] != heard["alice"] {
				t.Errorf("%s: for %s\n%s\nfor alice\n%s", what, name, heard[name], heard["alice"])
			}
		}
	}
	for _, method := range []string{"REGISTER", "PUBLISH", "SUBSCRIBE", "MESSAGE", "OPTIONS", "INVITE", "REFER", "FOO", "NOTIFY", "BYE", "CANCEL"} {
		for _, host := range []string{"example.com", "servera.example.com", "serverb.example.com"} {
			for _, list := range []bool{false, method == "SUBSCRIBE"} {
				request := func(to, from string) *message.Request {
					req := phone.request(method, to, "Event", "presence")
					req.Recipient.Host = host
					if list {
						req.Recipient.UriParams.Add("list", "buddies")
					}
					message.Set(req, "From", "<sip:"+from+"@example.com>;tag=1")
					return req
				}
				plain := func(req *message.Request, user ...string) string {
					raw := changing.ReplaceAllString(string(message.Bytes(next(t, phone.ask(req)))), "-")
					for _, u := range user {
						raw = strings.ReplaceAll(raw, u, "USER")
					}
					return raw
				}
				unsigned, targets, senders := map[string]string{}, map[string]string{}, map[string]string{}
				for _, name := range names {
					unsigned[name] = plain(request(name, name), name)
					if method == "NOTIFY" || method == "BYE" || method == "CANCEL" {
						continue
					}
					asked := next(t, phone.ask(request("bob", "bob")))
					targets[name] = plain(signs(t, request(name, "alice"), answer{user: "alice", password: "guess", asked: asked}), name, "alice")
					senders[name] = plain(signs(t, request("bob", "alice"), answer{user: name, password: "guess", asked: asked}), "alice")
				}
				what := fmt.Sprint(method, " at ", host)
				same(what+", unsigned", unsigned)
				same(what+", to, with a wrong password", targets)
				same(what+", as, with a wrong password", senders)
			}
		}
	}
	took := map[string][]time.Duration{}
	for range 60 {
		for _, name := range []string{"alice", "bob", "nobody"} {
			asked := final(t, phone.ask(phone.request("MESSAGE", "bob")), 407)
			req := signs(t, phone.request("MESSAGE", "bob"), answer{user: name, password: "guess", asked: asked})
			began := time.Now()
			final(t, phone.ask(req), 407)
			took[name] = append(took[name], time.Since(began))
		}
	}
	median := func(name string) time.Duration { slices.Sort(took[name]); return took[name][len(took[name])/2] }
	for _, name := range []string{"alice", "bob"} {
		if here, not := median(name), median("nobody"); max(here, not) > 5*min(here, not)+5*time.Millisecond {
			t.Errorf("answered to %s in %s, to nobody in %s", name, here, not)
		}
	}
}
