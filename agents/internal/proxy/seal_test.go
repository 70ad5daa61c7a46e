package proxy

import (
	"slices"
	"strings"
	"testing"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// TestSeal: what is sealed is read again for its dialog alone, by who has the
// key, and a connection only by the process that wrote it.
func TestSeal(t *testing.T) {
	p := startRouter(t, nil)
	q := startRouter(t, nil, func(c *Config) { c.Key = p.key }) // p after a restart
	r := startRouter(t, nil)
	hop := sip.Target{Flow: 7, Transport: "TCP"}
	alice := hashUser("alice@example.com")
	for _, e := range []end{{}, {user: alice}, {hop: hop}, {user: alice, hop: hop}} {
		uri := message.URI{Scheme: "sip", User: p.seal("a call", e), Host: "us"}
		if len(uri.User) > 50 {
			t.Errorf("a seal of %d bytes", len(uri.User))
		}
		if got, ok := p.sealed(uri, "a call"); !ok || got != e {
			t.Errorf("%+v is read as %+v, %v", e, got, ok)
		}
		if got, ok := q.sealed(uri, "a call"); !ok || got != (end{user: e.user}) {
			t.Errorf("after a restart %+v is read as %+v, %v", e, got, ok)
		}
		if _, ok := p.sealed(uri, "another call"); ok {
			t.Error("another dialog's seal holds")
		}
		if _, ok := r.sealed(uri, "a call"); ok {
			t.Error("another's seal holds")
		}
		for i := range uri.User {
			forged := uri
			forged.User = uri.User[:i] + string('A'+(uri.User[i]-'A'+1)%26) + uri.User[i+1:]
			if got, ok := p.sealed(forged, "a call"); ok && got != e {
				t.Errorf("changed at %d, it is read as %+v", i, got)
			}
		}
	}
}

// TestASealIsHandedOn: what a request within a dialog brought is what goes on in the
// Record-Route for the same ends; for any other, and where there was none, one is made.
func TestASealIsHandedOn(t *testing.T) {
	p := &Proxy{cfg: Config{Own: func(u message.URI) bool { return u.Host == "us" }}, key: make([]byte, 32)}
	alice := end{user: hashUser("alice@example.com"), hop: sip.Target{Flow: 7, Transport: "TCP"}}
	hers, servers := p.seal("a call", alice), p.seal("a call", end{})
	req := request(t, "NOTIFY", "sip:bob@b", "Call-ID: a call", "Route: <sip:"+hers+"@us;lr>", "Route: <sip:"+servers+"@us;lr>")
	found, err := p.takeRoutes(req)
	if err != nil || !found.sealed {
		t.Fatalf("%+v, %v", found, err)
	}
	for _, tt := range []struct {
		e    end
		want string
	}{
		{alice, hers}, {end{}, servers}, {end{hop: sip.Target{Transport: "UDP"}}, servers},
		{end{user: alice.user}, ""}, {end{user: hashUser("bob@example.com"), hop: alice.hop}, ""},
		{end{user: alice.user, hop: sip.Target{Flow: 8, Transport: "TCP"}}, ""},
	} {
		if got := found.seal(tt.e); got != tt.want {
			t.Errorf("%+v has the seal %q, want %q", tt.e, got, tt.want)
		}
	}
	forged := request(t, "NOTIFY", "sip:bob@b", "Call-ID: another call", "Route: <sip:"+hers+"@us;lr>", "Route: <sip:"+servers+"@us;lr>")
	if found, _ := p.takeRoutes(forged); found.seal(alice) != "" || found.seal(end{}) != "" {
		t.Error("another call's seal is handed on")
	}
}

func BenchmarkSealsOfANotify(b *testing.B) {
	p := &Proxy{cfg: Config{Own: func(u message.URI) bool { return u.Host == "us" }}, key: make([]byte, 32)}
	alice := end{user: hashUser("alice@example.com")}
	bare := message.NewRequest("NOTIFY", message.URI{Scheme: "sip", User: "alice", Host: "b"})
	message.Add(bare, "Call-ID", "a call")
	for _, e := range []end{{}, alice} {
		message.Add(bare, "Route", "<sip:"+p.seal("a call", e)+"@us;lr>")
	}
	b.ReportAllocs()
	for b.Loop() {
		r := &Request{proxy: p}
		r.route, _ = p.takeRoutes(message.Clone(bare))
		_, _ = r.sealFor("a call", end{}), r.sealFor("a call", alice)
	}
}

// TestWhoMaySpeakInADialog: Alice and Bob are clients of one proxy. Requests of
// their dialog pass from each of them; not from a third, not without our seal,
// not with another dialog's.
func TestWhoMaySpeakInADialog(t *testing.T) {
	bob := startNode(t)
	p := startRouter(t, nil)
	p.node.serve = func(tx *sip.ServerTx) {
		from, _ := message.From(tx.Request())
		r := p.Begin(tx, Origin{User: from.URI.User})
		if r == nil {
			return
		}
		if to, _ := message.To(r.Message()); to.Tag() != "" {
			r.Relay(nil)
			return
		}
		r.Forward(Target{URI: bob.uri(t, "bob", "TCP"), User: "bob"})
	}
	alice := startNode(t)
	call := func() (callID string, routes []string) { // as they stand in the INVITE
		invite := request(t, "INVITE", "sip:bob@example.com")
		_, heard := alice.ask(invite, p.target("TCP"))
		tx := recv(t, bob.requests)
		answer(tx, 200, "bo", "Contact: <"+uriString(bob.uri(t, "bob", "TCP"))+">")
		expect(t, heard, "200 bo")
		return message.CallID(invite), message.Values(tx.Request(), "Record-Route")
	}
	callID, ofBob := call()
	_, elsewhere := call()
	ofAlice := slices.Clone(ofBob)
	slices.Reverse(ofAlice)
	slices.Reverse(elsewhere)
	var bare []string
	for _, r := range ofAlice {
		_, host, _ := strings.Cut(r, "@")
		bare = append(bare, "<sip:"+host)
	}
	aliceURI, bobURI := uriString(alice.uri(t, "alice", "TCP")), uriString(bob.uri(t, "bob", "TCP"))
	for _, test := range []struct {
		name, who, uri string
		routes         []string
		want           string
	}{
		{"Alice", "alice", bobURI, ofAlice, "200 x"},
		{"Bob", "bob", aliceURI, ofBob, "200 x"},
		{"Mallory as Alice", "mallory", bobURI, ofAlice, "403"},
		{"Mallory as Bob", "mallory", aliceURI, ofBob, "403"},
		{"Bob on Alice's side", "bob", bobURI, ofAlice, "403"},
		{"no Route", "alice", bobURI, nil, "481"},
		{"no seal", "alice", bobURI, bare, "481"},
		{"another dialog's seal", "alice", bobURI, elsewhere, "481"},
	} {
		for _, method := range []string{"BYE", "SUBSCRIBE", "NOTIFY", "INVITE"} {
			req := request(t, method, test.uri, "To: <sip:x@example.com>;tag=x", "Call-ID: "+callID)
			message.Set(req, "From", "<sip:"+test.who+"@example.com>;tag=y")
			for _, r := range test.routes {
				message.Add(req, "Route", r)
			}
			_, heard := alice.ask(req, p.target("TCP"))
			if test.want == "200 x" {
				end := map[string]*node{bobURI: bob, aliceURI: alice}[test.uri]
				tx := recv(t, end.requests)
				if recorded := message.Values(tx.Request(), "Record-Route"); method == "NOTIFY" && len(recorded) != 2 {
					t.Errorf("%s: NOTIFY has Record-Route %q", test.name, recorded)
				}
				answer(tx, 200, "end")
				expect(t, heard, test.want)
			} else if o := recv(t, heard); !strings.HasPrefix(o.String(), test.want) {
				t.Errorf("%s: %s is answered %v, want %s", test.name, method, o, test.want)
			}
		}
	}
	if n := len(alice.requests) + len(bob.requests); n != 0 {
		t.Errorf("%d requests got through", n)
	}
	// ACKs: of those that lead to Bob, only the last one may.
	for i, routes := range [][]string{bare, elsewhere, ofAlice} {
		ack := request(t, "ACK", bobURI, "To: <sip:bob@example.com>;tag=bo", "Call-ID: "+callID, "CSeq: "+itoa(i+1)+" ACK")
		for _, r := range routes {
			message.Add(ack, "Route", r)
		}
		if err := alice.SendStateless(ack, p.target("TCP")); err != nil {
			t.Fatal(err)
		}
	}
	if got := recv(t, bob.acks); message.Get(got, "CSeq") != "3 ACK" {
		t.Errorf("passed on:\n%s", message.Bytes(got))
	}
}

func BenchmarkSealed(b *testing.B) {
	p := &Proxy{key: make([]byte, 32)}
	uri := message.URI{User: p.seal("a84b4c76e66710@pc33.atlanta.com", end{user: hashUser("alice@example.com"), hop: sip.Target{Flow: 7, Transport: "TCP"}})}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := p.sealed(uri, "a84b4c76e66710@pc33.atlanta.com"); !ok {
			b.Fatal("not ours")
		}
	}
}
