package server_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/clock"
	"presfed/agents/internal/locate"
	"presfed/agents/internal/message"
	"presfed/agents/server"
	"presfed/db"
	"presfed/routing"
)

// TestAModeSetBeforeAnybodyWatches: the mode that is known when she published is
// not taken for the one there is when she is watched, or a server's own policy
// would be walked around.
func TestAModeSetBeforeAnybodyWatches(t *testing.T) {
	b := unionOf(t, hierarchy("server-a", "server-a", "server-b"))
	c := b.child()
	b.rule("ann", db.MatchDefault, "", db.Confirm)
	cleo, heard := b.device("cleo", "c")
	if _, err := cleo.Subscribe(timeout(t), "ann", client.SubscribeOptions{Expires: time.Hour}); err != nil {
		t.Fatal(err)
	}
	known := func(h db.Handling, state string) { // server-a has seen all changes so far
		t.Helper()
		b.rule("ann", db.MatchDefault, "", h)
		await(t, heard, state, func(e client.Event) bool { return e.State == state })
	}
	known(db.Allow, "active")
	pc, _ := b.device("alice", "a")
	publishes(t, pc, "", documentOf("alice", "pc", "open", ""))
	if err := b.directory.SetDomain(t.Context(), db.Domain{Name: "example.com", PolicyMode: db.DistributedPolicy}); err != nil {
		t.Fatal(err)
	}
	known(db.Confirm, "pending")
	b.watches("ann", "a")
	if id := message.Get(c.asked(200), "P-Asserted-Identity"); id != "<sip:ann@example.com>" {
		t.Errorf("asserted: %s", id)
	}
}

// TestAnOwnShareIsWithheld from a server that may not ask for it any more, as soon
// as the directory says so and however it would go on refreshing.
func TestAnOwnShareIsWithheld(t *testing.T) {
	for _, to := range []routing.Place{
		{Model: routing.Partitioned, Servers: []string{"server-a"}}, hierarchy("server-a", "server-a", "server-b"), hierarchy("server-b", "server-a", "server-b"),
	} {
		b := unionOf(t, peers("server-a", "server-b"))
		b.stops["c"]()
		pc, _ := b.device("alice", "a")
		publishes(t, pc, "", documentOf("alice", "pc", "open", ""))
		peer := b.peer("alice", "serverc.example.com", "a")
		req := peer.request("SUBSCRIBE", "alice", "Event", "presence", "Expires", "600", "P-Asserted-Identity", "<sip:alice@example.com>")
		req.Recipient.Host = "servera.example.com"
		final(t, peer.ask(req), 200)
		if got := peer.take("NOTIFY", 200); !strings.Contains(string(got.Body()), "pc") {
			t.Fatalf("the own share is\n%s", got.Body())
		}
		if err := b.directory.Assign(t.Context(), "alice@example.com", to); err != nil {
			t.Fatal(err)
		}
		if got := peer.take("NOTIFY", 200); message.Get(got, "Subscription-State") != "terminated;reason=probation" || len(got.Body()) > 0 {
			t.Errorf("%s: %s\n%s", to, message.Get(got, "Subscription-State"), got.Body())
		}
	}
}

// TestAServerThatLags: one that does not know yet that she is served by several
// refuses its share, which denies nobody.
func TestAServerThatLags(t *testing.T) {
	b := unionOf(t, routing.Place{Model: routing.Partitioned, Servers: []string{"server-b"}})
	change, late := b.change, clock.NewManual(time.Now())
	b.change = func(c *server.Config) {
		change(c)
		c.Clock, c.Synchronised = late, true
	}
	b.stops["b"]()
	b.start("b")
	if err := b.directory.Assign(t.Context(), "alice@example.com", hierarchy("server-a", "server-b", "server-c")); err != nil {
		t.Fatal(err)
	}
	_, heard := b.watches("ann", "a")
	await(t, heard, "a NOTIFY without a body", func(e client.Event) bool {
		if e.Type == "presence" && (e.State != "active" || e.Body != "") {
			t.Errorf("%s %s: %s", e.State, e.Reason, e.Body)
		}
		return e.Type == "presence"
	})
	late.Advance(locate.Poll)
	await(t, heard, "her", func(e client.Event) bool {
		if e.State != "active" {
			t.Errorf("%s %s", e.State, e.Reason)
		}
		return e.Body != ""
	})
}

// TestAWatcherBehindAServerThatLags: a server that takes a user to be another's alone
// passes a watcher on in server form, who is no server to be shown an own share.
func TestAWatcherBehindAServerThatLags(t *testing.T) {
	for _, place := range []routing.Place{peers("server-a", "server-c"), hierarchy("server-a", "server-a", "server-c"), hierarchy("server-c", "server-a", "server-c")} {
		b := unionOf(t, routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}})
		change := b.change
		b.change = func(c *server.Config) {
			change(c)
			c.Clock, c.Synchronised = clock.NewManual(time.Now()), true
		}
		b.stops["b"]()
		b.start("b")
		if err := b.directory.Assign(t.Context(), "alice@example.com", place); err != nil {
			t.Fatal(err)
		}
		pc, _ := b.device("alice", "a")
		phone, _ := b.device("alice", "c")
		publishes(t, pc, "", documentOf("alice", "pc", "open", ""))
		publishes(t, phone, "", documentOf("alice", "phone", "open", ""))
		bob, heard := b.device("bob", "b")
		_, err := bob.Subscribe(timeout(t), "alice", client.SubscribeOptions{Expires: time.Hour})
		if refused := (*client.RefusedError)(nil); errors.As(err, &refused) && refused.Status() == 480 && place.Root != "server-a" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if e := await(t, heard, "all of her", func(e client.Event) bool { return e.Body != "" }); !shows("pc=open", "phone=open")(e) || strings.Contains(e.Body, "source") {
			t.Errorf("%s: shown\n%s", place, e.Body)
		}
	}
}

// TestAmongPeersEachWatchersOwnServerShowsHer, also those who watched elsewhere
// before: nobody else could ask for a share in their names.
func TestAmongPeersEachWatchersOwnServerShowsHer(t *testing.T) {
	b := unionOf(t, routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}})
	pc, _ := b.device("alice", "a")
	publishes(t, pc, "", documentOf("alice", "pc", "open", ""))
	_, ann := b.watches("ann", "a")
	_, bob := b.watches("bob", "b")
	await(t, ann, "her PC", shows("pc=open"))
	await(t, bob, "her PC", shows("pc=open"))
	if err := b.directory.Assign(t.Context(), "alice@example.com", peers("server-a", "server-b")); err != nil {
		t.Fatal(err)
	}
	if e := await(t, bob, "the end", func(e client.Event) bool { return e.State == "terminated" }); e.Reason != "deactivated" {
		t.Errorf("ended with %s", e.Reason)
	}
	publishes(t, pc, "", documentOf("alice", "more", "open", ""))
	await(t, ann, "more, by the same subscription", shows("pc=open", "more=open"))
}
