package server_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"presfed/agents/internal/cut"
	"presfed/agents/internal/message"
	"presfed/db"
	"presfed/routing"
)

// bounded is what anything may take over a link that is cut: far less than the 32
// seconds that a transaction would wait (RFC 3261, Timers B and F).
const bounded = 12 * time.Second

// TestTheLinkIsCut between two servers, in each way that a link fails: each goes on
// by itself, and when it heals everybody sees the newest, by the subscriptions there
// were.
func TestTheLinkIsCut(t *testing.T) {
	for _, place := range []routing.Place{hierarchy("server-a", "server-a", "server-b"), peers("server-a", "server-b")} {
		for _, mode := range []db.PolicyMode{db.RootPolicy, db.DistributedPolicy} {
			for _, state := range []cut.State{cut.Refused, cut.Silent} {
				for _, grace := range []time.Duration{50 * time.Millisecond, time.Hour} {
					name := fmt.Sprintf("%s %s %s grace %s", place, mode, map[cut.State]string{cut.Refused: "refused", cut.Silent: "silent"}[state], grace)
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						theLinkIsCut(t, place, mode, state, grace)
					})
				}
			}
		}
	}
}

func theLinkIsCut(t *testing.T, place routing.Place, mode db.PolicyMode, state cut.State, grace time.Duration) {
	s := splitOver(t, place, mode, grace)
	pc, _ := s.device("alice", "a")
	phone, _ := s.device("alice", "b")
	art, _ := s.device("art", "a")
	ben, _ := s.device("ben", "b")
	publish := func() {
		t.Helper()
		s.says(pc, "alice", "pc")
		s.says(phone, "alice", "phone")
		s.says(art, "art", "art")
		s.says(ben, "ben", "ben")
	}
	publish()
	tablet, _ := s.device("alice", "b")
	s.says(tablet, "alice", "tablet")
	atA := []*viewer{s.views("ann", "a", "alice"), s.views("alice", "a", "alice")}
	atB := []*viewer{s.views("bob", "b", "alice"), s.views("alice", "b", "alice")}
	local := map[string]*viewer{"art": s.views("ann", "a", "art"), "ben": s.views("bob", "b", "ben")}
	crossing := map[string]*viewer{"art": s.views("bob", "b", "art"), "ben": s.views("ann", "a", "ben")}
	everybody := func(what string, hers ...string) {
		t.Helper()
		for _, v := range append(atA, atB...) {
			s.sees(v, what, hers...)
		}
		for _, views := range []map[string]*viewer{local, crossing} {
			for whom, v := range views {
				s.sees(v, what, whom)
			}
		}
	}
	everybody("before", "pc", "phone", "tablet")
	held := func() string {
		return fmt.Sprint(s.servers["a"].Shares(), s.servers["a"].Watchers(), s.servers["b"].Shares(), s.servers["b"].Watchers())
	}
	before := held()

	s.set(state)
	known := maps.Clone(s.versions)
	publish()
	unpublishes(t, tablet, s.etags["tablet"])
	for whom, v := range local {
		s.sees(v, "locally", whom)
	}
	// What is beyond the cut stays as it was known, and goes after the grace.
	beyond := func(views []*viewer, here string, there ...string) {
		t.Helper()
		for _, v := range views {
			want := map[string]int{here: s.versions[here]}
			for _, device := range there {
				if grace > time.Minute {
					want[device] = known[device]
				}
			}
			v.waits("during the cut", want)
		}
	}
	beyond(atA, "pc", "phone", "tablet")
	if place.Model == routing.Peer {
		beyond(atB, "phone", "pc")
	}
	s.talkIsLocal(place)
	publish() // twice: what was missed is the newest alone

	if state == cut.Silent && grace > time.Minute { // the network came back and knows no connections
		s.set(cut.Refused)
	}
	s.set(cut.Whole)
	healed := time.Now()
	everybody("after", "pc", "phone") // the tablet does not come back
	t.Logf("all see the newest %s after the link has healed; servers try each %s", time.Since(healed).Round(time.Millisecond), retry)
	if took := time.Since(healed); took > bounded {
		t.Errorf("the newest is seen %s after the link has healed", took)
	}
	eventually(t, "as many subscriptions as before", func() bool { return held() == before })
	publish()
	everybody("and on", "pc", "phone")
	for _, v := range append(append(atA, atB...), local["art"], local["ben"], crossing["art"], crossing["ben"]) {
		if n := v.repeated(); n > 1 {
			t.Errorf("%s was told %d times what it knew", v.name, n)
		}
	}
	if after := held(); after != before {
		t.Errorf("shares and watchers: %s, before %s", after, before)
	}
}

// talkIsLocal: IM goes on at both sides of the cut, and whom it reaches on one side
// alone is reached.
func (s *split) talkIsLocal(place routing.Place) {
	t := s.t
	t.Helper()
	began := time.Now()
	type side struct{ at, sender, local, far string }
	for _, side := range []side{{"a", "ann", "art", "ben"}, {"b", "bob", "ben", "art"}} {
		hers, his := s.phone("alice", side.at, "TCP"), s.phone(side.local, side.at, "TCP")
		hers.register()
		his.register()
		sender := s.phone(side.sender, side.at, "TCP")
		heard := sender.ask(sender.says(message.MESSAGE, side.local))
		his.take(message.MESSAGE, 200)
		final(t, heard, 200)
		if place.Model == routing.Hierarchical && place.Root != "server-"+side.at {
			final(t, sender.ask(sender.says(message.MESSAGE, "alice")), 500) // nobody here answers for her
			final(t, sender.rings().heard, 500)
		} else {
			heard = sender.ask(sender.says(message.MESSAGE, "alice"))
			hers.take(message.MESSAGE, 200)
			final(t, heard, 200)
			for _, status := range []int{200, 486} { // who is beyond is not waited for
				call := sender.rings()
				hers.invited(status, "hers")
				call.hears(status, "hers")
			}
		}
		final(t, sender.ask(sender.says(message.MESSAGE, side.far)), 500)
		for _, p := range []*phone{hers, his} {
			final(t, p.ask(p.request("REGISTER", p.user, "Expires", "0")), 200)
			p.stop()
		}
	}
	if took := time.Since(began); took > bounded {
		t.Errorf("IM over a link that is cut takes %s", took)
	}
}
