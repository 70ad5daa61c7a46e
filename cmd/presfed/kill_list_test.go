package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/pidf"
)

// TestKillAList kills either server with signal 9 while alice watches her buddy
// list at server-a, with bob of server-b and herself on it: her one subscription
// goes on, and what was published meanwhile is told.
func TestKillAList(t *testing.T) {
	ctx := t.Context()
	bed := newKillBed(ctx, t)
	bed.presfed(ctx, "directory", "buddy", "add", "alice", "bob")
	bed.presfed(ctx, "directory", "buddy", "add", "alice", "alice")
	running := map[string]*process{"a": bed.start(ctx, "a"), "b": bed.start(ctx, "b")}
	heard := make(chan client.Event, 1000)
	alice := bed.device(ctx, "alice", "a", func(e client.Event) { heard <- e })
	bob := bed.device(ctx, "bob", "b", nil)
	publish := func(c *client.Client, note string) {
		t.Helper()
		for end := time.Now().Add(patience); ; { // a connection may have gone with the server
			err := c.Status(ctx, pidf.StatusOpen, note)
			if err == nil {
				return
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
		}
	}
	sees := func(notes map[string]string) {
		t.Helper()
		missing := len(notes)
		seen := map[string]bool{}
		for end := time.After(2 * patience); missing > 0; {
			select {
			case e := <-heard:
				switch {
				case e.Type == "buddies" && e.State == "terminated":
					t.Fatalf("the list has ended: %s", e.Reason)
				case e.Person != nil && e.Person.Note != "" && e.Person.Note == notes[e.Entity] && !seen[e.Entity]:
					seen[e.Entity] = true
					missing--
				}
			case <-end:
				t.Fatalf("alice saw only %v of %v", seen, notes)
			}
		}
	}
	publish(bob, "bob 0")
	publish(alice, "alice 0")
	if _, err := alice.Subscribe(ctx, alice.BuddyList(), client.SubscribeOptions{Expires: time.Hour, List: true}); err != nil {
		t.Fatal(err)
	}
	sees(map[string]string{"sip:bob@example.com": "bob 0", "sip:alice@example.com": "alice 0"})
	for n, victims := range [][]string{{"a"}, {"b"}, {"a", "b"}} {
		for _, x := range victims {
			running[x].kill()
		}
		if !slices.Contains(victims, "b") {
			publish(bob, fmt.Sprint("bob ", n+1)) // while her list is not there
		}
		for _, x := range victims {
			running[x] = bed.start(ctx, x)
		}
		if slices.Contains(victims, "b") {
			publish(bob, fmt.Sprint("bob ", n+1))
		}
		publish(alice, fmt.Sprint("alice ", n+1))
		sees(map[string]string{"sip:bob@example.com": fmt.Sprint("bob ", n+1), "sip:alice@example.com": fmt.Sprint("alice ", n+1)})
	}
}
