package presence

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// TestADirectoryThatDoesNotAnswer for a moment lets no share go, and leaves nobody
// without one.
func TestADirectoryThatDoesNotAnswer(t *testing.T) {
	var unknown atomic.Bool
	asked := make(chan []Origin, 10)
	s := newServer(t, func(cfg *Config) {
		cfg.Others = func(string) Others {
			if unknown.Load() {
				return Others{Unknown: true}
			}
			return Others{Servers: []string{"server-b"}}
		}
		cfg.Need = func(_ string, from []Origin) { asked <- from }
	})
	d := newDevice(t, s)
	unknown.Store(true)
	d.watch(alice, bob) // before it is known who serves her
	s.clock.Advance(time.Second)
	expect(t, d.notice(), "active;expires=3599 nothing")
	unknown.Store(false)
	s.clock.Advance(5 * time.Second)
	s.idle()
	b := parsed(t, doc("sip:b", "open", ""), "pb")
	s.share("server-b", "", &Share{Document: &b})
	expect(t, d.notice(), "active;expires=3594 sip:b=open")

	unknown.Store(true)
	s.p.Placed(alice)
	s.idle()
	b = parsed(t, doc("sip:b", "closed", ""), "pb")
	s.share("server-b", "", &Share{Document: &b})
	expect(t, d.notice(), "active;expires=3594 sip:b=closed")
	close(asked)
	var all []string
	for from := range asked {
		all = append(all, fmt.Sprint(from))
	}
	if got := fmt.Sprint(all); got != "[[{server-b }]]" {
		t.Errorf("asked for %s", got)
	}
}
