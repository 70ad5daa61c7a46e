package server_test

import (
	"cmp"
	"math/rand/v2"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/routing"
)

// TestAServerDiesAmidManyCalls: whatever device's own server lives stops ringing
// once nobody waits for its answer; no device is rung twice; afterwards all of them
// are reached again.
func TestAServerDiesAmidManyCalls(t *testing.T) {
	for _, place := range []routing.Place{hierarchy("server-a", "server-a", "server-b"), peers("server-a", "server-b")} {
		for _, dies := range []string{"a", "b"} {
			t.Run(place.String()+" "+dies, func(t *testing.T) {
				seed := uint64(time.Now().UnixNano())
				t.Logf("seed %d", seed)
				b := unionOf(t, place)
				all := b.moods(seed)
				there := map[string][]*moody{"a": all[2:], "b": all[:2]}[dies] // at the server that lives
				die := rand.New(rand.NewPCG(seed, 99))
				var calls []*ring
				for i := range 60 {
					user := []string{"ann", "bob", "cleo"}[i%3]
					call := b.phone(user, map[string]string{"ann": "a", "bob": "b", "cleo": "c"}[user], "TCP").rings()
					calls = append(calls, call)
					time.AfterFunc(time.Duration(10+die.IntN(40))*time.Millisecond, call.tx.Cancel)
				}
				b.stops[dies]()
				b.serve(dies) // elsewhere: its port may be taken
				for _, call := range calls {
					id := message.CallID(call.invite)
					for _, m := range there {
						m.within(func() bool {
							a := cmp.Or(m.calls[id], &at{})
							if a.invites > 1 {
								t.Errorf("%s: a device got %d INVITEs", id, a.invites)
							}
							return a.invites == 0 || a.final != 0
						})
					}
					for answered := false; !answered; {
						res := next(t, call.heard)
						answered = res == nil || res.StatusCode >= 200
					}
				}
				cleo := b.phone("cleo", "c", "TCP")
				page := cleo.says(message.MESSAGE, "alice")
				final(t, cleo.ask(page), 200)
				for _, m := range all {
					m.within(func() bool { return m.paged[message.CallID(page)] == 1 })
				}
			})
		}
	}
}
