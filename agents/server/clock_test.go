package server_test

import (
	"errors"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/clock"
	"presfed/agents/internal/sip"
	"presfed/agents/server"
)

// TestTheClockIsSet: what was granted lasts as long as it was granted for, though the
// machines' clock is set by an hour while the servers run, and they are started again.
func TestTheClockIsSet(t *testing.T) {
	for name, by := range map[string]time.Duration{"forwards": time.Hour + time.Minute, "backwards": -time.Hour - time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c clock.Settable
			b := federatedWith(t, func(cfg *server.Config) { cfg.Clock, cfg.MinExpires = &c, time.Second })
			bob, _ := b.device("bob", "b")
			alice, heard := b.device("alice", "a")
			if _, err := alice.Subscribe(timeout(t), "bob", client.SubscribeOptions{Expires: time.Hour}); err != nil {
				t.Fatal(err)
			}
			etag, _, err := bob.Publish(timeout(t), status("open", "before it"))
			if err != nil {
				t.Fatal(err)
			}
			await(t, heard, "before", says("before it"))
			there := func(when string) {
				t.Helper()
				if n := len(b.servers["b"].Bindings("bob@example.com")); n != 1 {
					t.Errorf("%s: %d bindings", when, n)
				}
				p := status("open", when)
				p.ETag = etag
				etag, _, err = bob.Publish(timeout(t), p)
				for end := timeout(t); errors.Is(err, sip.ErrTransport) && end.Err() == nil; { // by the connection that is no more
					etag, _, err = bob.Publish(end, p)
				}
				if err != nil {
					t.Fatalf("%s: %v", when, err)
				}
				await(t, heard, when, says(when)) // by the subscription that there was
			}
			for range 2 {
				c.Set(by)
				there("set while they run")
				for _, x := range []string{"a", "b"} {
					b.stops[x]()
					b.start(x)
				}
				there("and started again")
				c.Set(-by)
				there("set right")
			}
			// Two seconds are two seconds as well.
			short := status("open", "for a moment")
			short.Expires = 2 * time.Second
			short.ETag = etag
			if _, _, err := bob.Publish(timeout(t), short); err != nil {
				t.Fatal(err)
			}
			c.Set(by)
			b.stops["b"]()
			b.start("b")
			await(t, heard, "its end", says("closed"))
		})
	}
}
