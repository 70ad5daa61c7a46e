package server_test

import (
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/message"
	"presfed/db"
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
