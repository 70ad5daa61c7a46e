package presence

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// TestManyWatchersOfTheirOwn: what a server shows one watcher is work for her view
// alone, however many others there are.
func TestManyWatchersOfTheirOwn(t *testing.T) {
	const watchers = 400
	var decisions atomic.Int64
	s := newServer(t, func(cfg *Config) {
		cfg.Mirror = true
		cfg.Others = func(string) Others { return Others{Servers: []string{"server-b"}, Personal: true} }
		policy := cfg.Policy
		cfg.Policy = func(presentity, watcher string) (Treatment, error) {
			decisions.Add(1)
			return policy(presentity, watcher)
		}
	})
	d := newDevice(t, s)
	d.published(doc("sip:a", "open", ""))
	name := func(i int) string { return fmt.Sprintf("sip:w%d@example.com", i) }
	for i := range watchers {
		d.watch(alice, name(i))
	}
	show := func(basic string) {
		decisions.Store(0)
		began := time.Now()
		b := parsed(t, doc("sip:b", basic, ""), "pb")
		for i := range watchers {
			s.share("server-b", name(i), &Share{Document: &b})
		}
		for range watchers {
			expect(t, d.notice(), "active;expires=3600 sip:a=open sip:b="+basic)
		}
		t.Logf("%s: %v, %d decisions", basic, time.Since(began), decisions.Load())
		if n := decisions.Load(); n > 2*watchers {
			t.Errorf("%d decisions on %d watchers", n, watchers)
		}
	}
	show("open")
	show("closed")
	d.quiet()
}
