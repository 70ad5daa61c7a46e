package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/watcherinfo"
	"presfed/agents/server"
	"presfed/db"
	"presfed/routing"
)

// watcherList is what a NOTIFY says of watchers: "bob=pending/subscribe ...".
func watcherList(t *testing.T, notify *message.Request) (d watcherinfo.Document, text string) {
	t.Helper()
	if got := message.Get(notify, "Event"); got != "presence.winfo" {
		t.Fatalf("a NOTIFY of %q", got)
	}
	d, err := watcherinfo.Parse(notify.Body())
	if err != nil {
		t.Fatalf("%v\n%s", err, notify.Body())
	}
	var words []string
	for _, w := range d.Lists[0].Watchers {
		user, _, _ := strings.Cut(strings.TrimPrefix(w.URI, "sip:"), "@")
		words = append(words, fmt.Sprintf("%s=%s/%s", user, w.Status, w.Event))
	}
	return d, strings.Join(words, " ")
}

// subscribes is a SUBSCRIBE that is answered 200, with the NOTIFY that it brings.
func (p *phone) subscribes(to, event string, fields ...string) *message.Request {
	p.t.Helper()
	heard := p.ask(p.request("SUBSCRIBE", to, append([]string{"Event", event, "Expires", "3600"}, fields...)...))
	notify := p.take("NOTIFY", 200)
	final(p.t, heard, 200)
	return notify
}

// TestWhoWatches: the user, and nobody else, is told of all who watch her, at each
// server that she can ask, whatever server they asked and however she is served.
func TestWhoWatches(t *testing.T) {
	for _, tt := range []struct {
		place routing.Place
		at    string // where she asks
		want  string // of ann at a, bob at b and cleo at c
	}{
		{routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}}, "a", "ann bob cleo"},
		{hierarchy("server-a", "server-a", "server-b"), "a", "ann bob cleo"},
		{hierarchy("server-a", "server-a", "server-b"), "b", "ann bob cleo"},
		{hierarchy("server-c", "server-a", "server-b"), "a", "ann bob cleo"},
		{peers("server-a", "server-b", "server-c"), "a", "ann bob cleo"},
		{peers("server-a", "server-b"), "b", "ann bob cleo"},
	} {
		t.Run(tt.place.String()+" at "+tt.at, func(t *testing.T) {
			b := unionOf(t, tt.place)
			b.rule("alice", db.MatchDefault, "", db.Confirm)
			for at, user := range map[string]string{"a": "ann", "b": "bob", "c": "cleo"} {
				watcher := b.phone(user, at, "TCP")
				if notify := watcher.subscribes("alice", "presence"); !strings.HasPrefix(message.Get(notify, "Subscription-State"), "pending") {
					t.Errorf("%s: %s", user, message.Get(notify, "Subscription-State"))
				}
				final(t, watcher.ask(watcher.request("SUBSCRIBE", "alice", "Event", "presence.winfo", "Expires", "3600")), 403)
			}
			alice := b.phone("alice", tt.at, "TCP")
			var table watcherinfo.Table
			doc, _ := watcherList(t, alice.subscribes("alice", "presence.winfo"))
			table.Take(doc)
			for len(table.Watchers()) < len(strings.Fields(tt.want)) { // what other servers have may come a moment later
				more, _ := watcherList(t, alice.take("NOTIFY", 200))
				table.Take(more)
			}
			found := map[string]int{}
			for _, w := range table.Watchers() {
				user, _, _ := strings.Cut(strings.TrimPrefix(w.URI, "sip:"), "@")
				found[user]++
				if w.Status != watcherinfo.Pending || w.Expiration == nil || *w.Expiration < 3500 {
					t.Errorf("%+v", w)
				}
			}
			for _, user := range strings.Fields(tt.want) {
				if found[user] != 1 {
					t.Errorf("%s is told %d times", user, found[user])
				}
			}
			if !doc.Full || len(found) != len(strings.Fields(tt.want)) {
				t.Errorf("%+v, %v", doc, found)
			}
		})
	}
}

// TestADecisionIsTold: by a partial document, and the watcher hears of it at once.
func TestADecisionIsTold(t *testing.T) {
	b := federatedWith(t, func(c *server.Config) {
		believing(c)
		c.WatchersEvery = time.Millisecond
	})
	b.rule("alice", db.MatchDefault, "", db.Confirm)
	alice, bob := b.phone("alice", "a", "TCP"), b.phone("bob", "b", "TCP")
	if _, who := watcherList(t, alice.subscribes("alice", "presence.winfo")); who != "" {
		t.Errorf("nobody has asked, and she is told of %s", who)
	}
	bob.subscribes("alice", "presence", "Subject", "please")
	doc, who := watcherList(t, alice.take("NOTIFY", 200))
	if who != "bob=pending/subscribe" || doc.Full || doc.Version != 1 {
		t.Errorf("%+v", doc)
	}
	id := doc.Lists[0].Watchers[0].ID
	began := time.Now()
	b.rule("alice", db.MatchUser, "bob@example.com", db.Allow)
	if got := message.Get(bob.take("NOTIFY", 200), "Subscription-State"); !strings.HasPrefix(got, "active") {
		t.Errorf("approved, and %s", got)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	doc, who = watcherList(t, alice.take("NOTIFY", 200))
	if who != "bob=active/approved" || doc.Full || doc.Version != 2 || doc.Lists[0].Watchers[0].ID != id {
		t.Errorf("%+v", doc)
	}
}

// TestWhoAskedIsKnownAfterARestart of her server, though she does not ask any more.
func TestWhoAskedIsKnownAfterARestart(t *testing.T) {
	b := federatedWith(t, believing)
	b.rule("alice", db.MatchDefault, "", db.Confirm)
	bob := b.phone("bob", "b", "TCP")
	heard := bob.ask(bob.request("SUBSCRIBE", "alice", "Event", "presence", "Expires", "0"))
	bob.take("NOTIFY", 200)
	final(t, heard, 200)
	before, who := watcherList(t, b.phone("alice", "a", "TCP").subscribes("alice", "presence.winfo"))
	if who != "bob=waiting/timeout" {
		t.Fatalf("told of %s", who)
	}
	b.stops["a"]()
	b.start("a")
	after, who := watcherList(t, b.phone("alice", "a", "TCP").subscribes("alice", "presence.winfo"))
	if who != "bob=waiting/timeout" || after.Lists[0].Watchers[0].ID != before.Lists[0].Watchers[0].ID {
		t.Errorf("after the restart: %+v", after)
	}
}
