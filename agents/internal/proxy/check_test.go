package proxy

import (
	"slices"
	"strconv"
	"testing"

	"presfed/agents/internal/message"
)

func itoa(n int) string { return strconv.Itoa(n) }

// TestRefused is RFC 3261 section 16.3.
func TestRefused(t *testing.T) {
	p := startRouter(t, func(r *Request) {
		if r.Message().Recipient.User == "alice" {
			r.Forward(Target{URI: message.URI{Scheme: "sip", Host: "127.0.0.1", Port: 1}})
			return
		}
		r.Refuse(404, "")
	})
	alice := startNode(t)
	for _, test := range []struct {
		name   string
		req    *message.Request
		status int
	}{
		{"taken up", request(t, "INVITE", "sip:bob@example.com"), 404},
		{"last hop", request(t, "INVITE", "sip:alice@example.com", "Max-Forwards: 0"), 483},
		{"last hop, and nowhere to go", request(t, "INVITE", "sip:bob@example.com", "Max-Forwards: 0"), 404},
		{"extension", request(t, "INVITE", "sip:bob@example.com", "Proxy-Require: foo, bar"), 420},
		{"scheme", request(t, "INVITE", "tel:+358555"), 416},
	} {
		_, heard := alice.ask(test.req, p.target("TCP"))
		o := recv(t, heard)
		if o.res == nil || o.res.StatusCode != test.status {
			t.Errorf("%s: %v, want %d", test.name, o, test.status)
			continue
		}
		if test.status == 420 && message.Get(o.res, "Unsupported") != "foo, bar" {
			t.Errorf("Unsupported: %q", message.Get(o.res, "Unsupported"))
		}
	}
}

// TestLoopAndSpiral is RFC 5393 section 4.2: the same request with the same
// Request-URI, Route and origin is a loop; with another Request-URI or Route
// it is a spiral.
func TestLoopAndSpiral(t *testing.T) {
	bob := startNode(t)
	var p *router
	rounds := 0
	p = startRouter(t, func(r *Request) {
		self := p.uri(t, r.Message().Recipient.User, "TCP")
		switch u := r.Message().Recipient.User; {
		case u == "loop":
			if rounds++; rounds > 3 {
				r.Refuse(500, "no loop found")
				return
			}
			r.Forward(Target{URI: self})
		case u == "spiral":
			self.User = "bob"
			r.Forward(Target{URI: self})
		case u == "route" && message.Get(r.Message(), "Turn") == "":
			r.Forward(Target{URI: r.Message().Recipient, Route: []string{"<" + uriString(p.uri(t, "a", "TCP")) + ";lr>"},
				Edit: func(copy *message.Request) { message.Set(copy, "Turn", "1") }})
		default:
			r.Forward(Target{URI: bob.uri(t, "bob", "TCP")})
		}
	})
	alice := startNode(t)
	ask := func(user string) chan outcome {
		_, heard := alice.ask(request(t, "MESSAGE", "sip:"+user+"@"+p.node.Addr("TCP").String()+";transport=tcp"), p.target("TCP"))
		return heard
	}
	if o := recv(t, ask("loop")); o.res == nil || o.res.StatusCode != 482 {
		t.Errorf("loop: %v", o)
	}
	if rounds > 2 {
		t.Errorf("went round %d times", rounds)
	}
	for _, user := range []string{"spiral", "route"} {
		heard := ask(user)
		answer(recv(t, bob.requests), 200, "bo")
		expect(t, heard, "200 bo")
	}
	p.loops.mu.Lock()
	defer p.loops.mu.Unlock()
	if len(p.loops.value) != 0 {
		t.Errorf("%d loop values kept", len(p.loops.value))
	}
}

func TestLoopValue(t *testing.T) {
	base := func(fields ...string) *message.Request {
		return request(t, "INVITE", "sip:bob@b", append([]string{"Call-ID: c"}, fields...)...)
	}
	same := loopValue(base("Via: SIP/2.0/TCP x;branch=z9hG4bK1"), "client")
	if loopValue(base("Via: SIP/2.0/TCP y;branch=z9hG4bK2", "Via: SIP/2.0/TCP x;branch=z9hG4bK1", "Max-Forwards: 3"), "client") != same {
		t.Error("varies with Via or Max-Forwards")
	}
	seen := []uint64{same}
	for name, v := range map[string]uint64{
		"origin": loopValue(base(), "peer"),
		"route":  loopValue(base("Route: <sip:a;lr>"), "client"),
		"routes": loopValue(base("Route: <sip:a;lr>", "Route: <sip:b;lr>"), "client"),
		"uri":    loopValue(request(t, "INVITE", "sip:bob@c", "Call-ID: c"), "client"),
		"call":   loopValue(request(t, "INVITE", "sip:bob@b", "Call-ID: d"), "client"),
	} {
		if slices.Contains(seen, v) {
			t.Errorf("does not vary with %s", name)
		}
		seen = append(seen, v)
	}
	if loopValue(request(t, "ACK", "sip:bob@b", "Call-ID: c"), "client") != same {
		t.Error("varies with the method")
	}
}

// TestTakeRoutes is RFC 3261 section 16.4.
func TestTakeRoutes(t *testing.T) {
	p := &Proxy{cfg: Config{Own: func(u message.URI) bool { return u.Host == "us" }}}
	for _, test := range []struct {
		name, uri string
		routes    []string
		wantURI   string
		want      []string
	}{
		{"none", "sip:bob@b", nil, "sip:bob@b", nil},
		{"ours", "sip:bob@b", []string{"<sip:us;lr>"}, "sip:bob@b", nil},
		{"ours doubled", "sip:bob@b", []string{"<sip:us;transport=tcp;lr>", "<sip:us;lr>", "<sip:them;lr>"}, "sip:bob@b", []string{"<sip:them;lr>"}},
		{"another's first", "sip:bob@b", []string{"<sip:them;lr>", "<sip:us;lr>"}, "sip:bob@b", []string{"<sip:them;lr>", "<sip:us;lr>"}},
		{"spiral", "sip:bob@b", []string{"<sip:us;lr>", "<sip:them;lr>", "<sip:us;lr>"}, "sip:bob@b", []string{"<sip:them;lr>", "<sip:us;lr>"}},
		{"strict router before us", "sip:us;lr", []string{"<sip:them;lr>", "<sip:bob@b>"}, "sip:bob@b", []string{"<sip:them;lr>"}},
	} {
		req := request(t, "BYE", test.uri)
		for _, r := range test.routes {
			message.Add(req, "Route", r)
		}
		if _, err := p.takeRoutes(req); err != nil || req.Recipient.String() != test.wantURI || !slices.Equal(message.Values(req, "Route"), test.want) {
			t.Errorf("%s: %s %q %v", test.name, req.Recipient.String(), message.Values(req, "Route"), err)
		}
	}
}

func TestNextHop(t *testing.T) {
	for _, test := range []struct {
		name     string
		routes   []string
		hop, uri string
		want     []string
	}{
		{"no route", nil, "sip:bob@b", "sip:bob@b", nil},
		{"loose", []string{"<sip:a;lr>", "<sip:c;lr>"}, "sip:a;lr", "sip:bob@b", []string{"<sip:a;lr>", "<sip:c;lr>"}},
		{"strict", []string{"<sip:a>", "<sip:c;lr>"}, "sip:a", "sip:a", []string{"<sip:c;lr>", "<sip:bob@b>"}},
	} {
		req := request(t, "BYE", "sip:bob@b")
		for _, r := range test.routes {
			message.Add(req, "Route", r)
		}
		hop, err := nextHop(req)
		if err != nil || hop.String() != test.hop || req.Recipient.String() != test.uri || !slices.Equal(message.Values(req, "Route"), test.want) {
			t.Errorf("%s: hop %s, to %s by %q, %v", test.name, hop.String(), req.Recipient.String(), message.Values(req, "Route"), err)
		}
	}
}

func TestShares(t *testing.T) {
	for breadth := 1; breadth <= 8; breadth++ {
		for n := range 10 {
			got := shares(breadth, n)
			if (n == 0 || n > breadth) != (got == nil) {
				t.Fatalf("%d among %d: %v", breadth, n, got)
			}
			sum := 0
			for _, s := range got {
				if sum += s; s < 1 {
					t.Errorf("%d among %d: %v", breadth, n, got)
				}
			}
			if got != nil && sum != breadth {
				t.Errorf("%d among %d: %v", breadth, n, got)
			}
		}
	}
	bob := startNode(t)
	p := startRouter(t, to(Target{URI: bob.uri(t, "a", "TCP")}, Target{URI: bob.uri(t, "b", "TCP")}))
	for _, little := range []string{"1", "0", "00"} {
		_, heard := startNode(t).ask(request(t, "MESSAGE", "sip:bob@example.com", "Max-Breadth: "+little), p.target("TCP"))
		if o := recv(t, heard); o.res == nil || o.res.StatusCode != 440 {
			t.Errorf("RFC 5393 section 5.3.3: Max-Breadth %s: %v", little, o)
		}
	}
	_, heard := startNode(t).ask(request(t, "MESSAGE", "sip:bob@example.com", "Max-Breadth: 3"), p.target("TCP"))
	for range 2 {
		tx := recv(t, bob.requests)
		if want := map[string]string{"a": "1", "b": "2"}[tx.Request().Recipient.User]; message.Get(tx.Request(), "Max-Breadth") != want {
			t.Errorf("%s: Max-Breadth %s", tx.Request().Recipient.User, message.Get(tx.Request(), "Max-Breadth"))
		}
		answer(tx, 200, "x")
	}
	expect(t, heard, "200 x")
}

func FuzzTakeRoutes(f *testing.F) {
	f.Add("<sip:us;lr>, <sip:them;lr>", "sip:bob@b")
	f.Add("<sip:us>", "sip:us;lr")
	f.Add(`"a, <b>" <sip:us;lr>;x="y`, "sip:us;lr")
	p := &Proxy{cfg: Config{Own: func(u message.URI) bool { return u.Host == "us" }}}
	f.Fuzz(func(t *testing.T, routes, uri string) {
		u, err := message.ParseURI(uri)
		if err != nil {
			t.Skip()
		}
		req := message.NewRequest("BYE", u)
		message.Add(req, "Route", routes)
		before := message.Values(req, "Route")
		found, err := p.takeRoutes(req)
		if found.sealed {
			t.Fatal("a seal without a key")
		}
		if err != nil {
			return
		}
		// What is left is a run of what was there, and does not begin with us.
		left := message.Values(req, "Route")
		if len(left) > len(before) {
			t.Fatalf("%q from %q", left, before)
		}
		if len(left) > 0 {
			if a, err := message.ParseAddress(left[0]); err != nil || a.URI.Host == "us" {
				t.Fatalf("%q is left", left[0])
			}
		}
	})
}
