package server_test

import (
	"fmt"
	"testing"

	"presfed/agents/internal/message"
	"presfed/routing"
)

// TestForWhomAPeerSpeaks: a server that says who sends is believed for its own
// users, her root for everybody, who may ask for an own share for the presentity
// alone; and nobody for anything else.
func TestForWhomAPeerSpeaks(t *testing.T) {
	rooted := func(root string) routing.Place { return hierarchy(root, "server-a", "server-b") }
	for _, tt := range []struct {
		place  routing.Place
		peer   string // which sends to server-b
		method string
		to     string
		as     string
		status int
	}{
		{rooted("server-a"), "a", message.MESSAGE, "alice@serverb.example.com", "bob", 200},
		{rooted("server-a"), "a", message.MESSAGE, "alice@serverb.example.com", "cleo", 200},
		{rooted("server-a"), "a", message.INVITE, "alice@serverb.example.com", "bob", 200},
		{rooted("server-a"), "a", message.INVITE, "alice@example.com", "bob", 200},
		{rooted("server-a"), "a", message.SUBSCRIBE, "alice@serverb.example.com", "bob", 200},
		{rooted("server-a"), "a", message.SUBSCRIBE, "alice@serverb.example.com", "alice", 200},
		{rooted("server-a"), "a", message.MESSAGE, "alice@serverb.example.com", "nowhere", 403},
		{rooted("server-a"), "a", message.MESSAGE, "alice@serverb.example.com", "nobody", 403},
		// A root is the root of her alone.
		{rooted("server-a"), "a", message.MESSAGE, "bob@serverb.example.com", "ann", 200},
		{rooted("server-a"), "a", message.MESSAGE, "bob@serverb.example.com", "cleo", 403},
		{rooted("server-a"), "a", message.INVITE, "bob@serverb.example.com", "bob", 403},
		{rooted("server-a"), "a", message.SUBSCRIBE, "bob@serverb.example.com", "bob", 480},
		// A child speaks for its own users, also to the root.
		{rooted("server-b"), "a", message.MESSAGE, "alice@example.com", "ann", 200},
		{rooted("server-b"), "a", message.MESSAGE, "alice@example.com", "bob", 403},
		{rooted("server-b"), "a", message.INVITE, "alice@serverb.example.com", "cleo", 403},
		{rooted("server-b"), "a", message.SUBSCRIBE, "alice@serverb.example.com", "cleo", 480},
		// One that does not serve her gets no own share, and so nothing in her name.
		{rooted("server-b"), "c", message.MESSAGE, "alice@example.com", "cleo", 200},
		{rooted("server-b"), "c", message.SUBSCRIBE, "alice@serverb.example.com", "alice", 480},
		{rooted("server-a"), "c", message.MESSAGE, "alice@serverb.example.com", "alice", 403},
		// Among peers any server may act as root, for what its own users send.
		{peers("server-a", "server-b"), "a", message.INVITE, "alice@serverb.example.com", "ann", 200},
		{peers("server-a", "server-b"), "a", message.INVITE, "alice@serverb.example.com", "cleo", 403},
		{peers("server-a", "server-b"), "c", message.INVITE, "alice@serverb.example.com", "cleo", 200},
		{peers("server-a", "server-b"), "c", message.INVITE, "alice@serverb.example.com", "bob", 403},
		{peers("server-a", "server-b"), "c", message.SUBSCRIBE, "alice@serverb.example.com", "alice", 200},
		{peers("server-a", "server-b"), "c", message.SUBSCRIBE, "alice@example.com", "alice", 480},
		{peers("server-a", "server-b"), "c", message.MESSAGE, "alice@serverb.example.com", "alice", 403},
		{peers("server-a", "server-b"), "c", message.INVITE, "alice@serverb.example.com", "alice", 403},
	} {
		t.Run(fmt.Sprintf("%s/%s/%s-%s-as-%s", tt.place, tt.peer, tt.method, tt.to, tt.as), func(t *testing.T) {
			b := unionOf(t, tt.place)
			alice, bob := b.phone("alice", "b", "TCP"), b.phone("bob", "b", "TCP")
			alice.register()
			bob.register()
			b.stops["a"]()
			b.stops["c"]()
			peer := b.peer(tt.as, "server"+tt.peer+".example.com", "b")
			req := peer.says(tt.method, "x", "P-Asserted-Identity", "<sip:"+tt.as+"@example.com>")
			var err error
			if req.Recipient, err = message.ParseURI("sip:" + tt.to); err != nil {
				t.Fatal(err)
			}
			if tt.method == message.SUBSCRIBE {
				with(req, "Event", "presence", "Expires", "600")
			}
			heard := peer.ask(req)
			if tt.status == 200 && tt.method != message.SUBSCRIBE {
				to := map[string]*phone{"alice": alice, "bob": bob}[req.Recipient.User]
				to.take(tt.method, 200)
			}
			final(t, heard, tt.status)
		})
	}
}

// TestAToTagMakesNoDialog: whom a MESSAGE is for stands in its Request-URI, so
// that a root is not believed for others by naming her in To.
func TestAToTagMakesNoDialog(t *testing.T) {
	b := unionOf(t, hierarchy("server-a", "server-a", "server-b"))
	b.stops["a"]()
	peer := b.peer("cleo", "servera.example.com", "b")
	req := peer.says(message.MESSAGE, "bob", "P-Asserted-Identity", "<sip:cleo@example.com>")
	message.Set(req, "To", "<sip:alice@example.com>;tag=1")
	final(t, peer.ask(req), 403)
}
