package presence

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/internal/event"
	"presfed/agents/internal/message"
	"presfed/db/state"
	"presfed/pidf"
)

const atServer = "sip:alice@server-a.example.com" // server form: the own share

func TestTreatments(t *testing.T) {
	s := newServer(t, nil)
	d := newDevice(t, s)
	s.judge(bob, PoliteBlock)
	d.watch(alice, bob)
	offline := d.notice()
	expect(t, offline, "active;expires=3600 "+alice+"=closed")
	etag := d.published(doc("sip:a", "open", "away"))
	d.quiet()
	s.judge(bob, Allow)
	expect(t, d.notice(), "active;expires=3600 sip:a=open away")
	s.judge(bob, PoliteBlock)
	expect(t, d.notice(), offline)
	s.judge(bob, Confirm)
	expect(t, d.notice(), "pending;expires=3600 nothing")
	d.published(doc("sip:a", "open", "busy"), "SIP-If-Match: "+etag)
	d.quiet()
	s.judge(bob, Allow)
	expect(t, d.notice(), "active;expires=3600 sip:a=open busy")
	s.judge(bob, Block)
	expect(t, d.notice(), "terminated;reason=rejected nothing")
	for _, treatment := range []Treatment{Block, "", "nonsense"} {
		s.judge(bob, treatment)
		if res := d.call(message.SUBSCRIBE, alice, bob, ""); res.StatusCode != 403 {
			t.Errorf("%q: %d", treatment, res.StatusCode)
		}
	}
	s.judge(alice, Block) // nobody is asked about herself
	d.watch(alice, alice)
	expect(t, d.notice(), "active;expires=3600 sip:a=open busy")
	s.judge(bob, Confirm)
	d.watch(alice, bob)
	expect(t, d.notice(), "pending;expires=3600 nothing")
	d.watch(alice, bob, "Expires: 0")
	expect(t, d.notice(), "terminated;reason=timeout nothing")
}

func TestOneBlockedPolitelySeesWhatAnAbsentUserShows(t *testing.T) {
	s := newServer(t, nil)
	d := newDevice(t, s)
	for _, to := range []string{alice, atServer} {
		d.watch(to, bob)
		absent := (<-d.notices).Body()
		etag := d.published(doc("sip:a", "open", "away"))
		if view := (<-d.notices).Body(); string(view) == string(absent) {
			t.Error("nothing was shown")
		}
		s.mu.Lock()
		s.policy["sip:eve@example.com"] = PoliteBlock
		s.mu.Unlock()
		d.watch(to, "sip:eve@example.com")
		if blocked := (<-d.notices).Body(); string(blocked) != string(absent) {
			t.Errorf("%s: blocked politely:\n%s\nabsent:\n%s", to, blocked, absent)
		}
		d.published("", "SIP-If-Match: "+etag, "Expires: 0")
		if again := (<-d.notices).Body(); string(again) != string(absent) {
			t.Errorf("%s: absent again:\n%s", to, again)
		}
		for _, sub := range s.n.Subscriptions(alice) {
			s.lanes.Do(alice, func() { s.n.Terminate(alice, "noresource", 0, func(o *event.Subscription) bool { return o == sub }) })
			<-d.notices
		}
	}
}

// A decision that changes nothing of what is shown is nothing to tell: it would say
// that there was one.
func TestADecisionThatShowsNothingElse(t *testing.T) {
	s := newServer(t, nil)
	d := newDevice(t, s)
	d.watch(alice, bob)
	expect(t, d.notice(), "active;expires=3600 "+alice+"=closed")
	for _, treatment := range []Treatment{PoliteBlock, Allow, PoliteBlock} {
		s.judge(bob, treatment)
		d.quiet()
	}
	d.published(doc("sip:a", "open", "away"))
	d.quiet()
	s.judge(bob, Allow)
	expect(t, d.notice(), "active;expires=3600 sip:a=open away")
	s.judge(bob, PoliteBlock)
	expect(t, d.notice(), "active;expires=3600 "+alice+"=closed")
}

// One who is blocked politely waits for other servers' shares as everybody does.
func TestOneBlockedPolitelyWaitsAsOthersDo(t *testing.T) {
	s := newServer(t, func(cfg *Config) { cfg.Others = func(string) Others { return Others{Servers: []string{"server-b"}} } })
	blocked, allowed := newDevice(t, s), newDevice(t, s)
	s.judge("sip:eve@example.com", PoliteBlock)
	blocked.watch(alice, "sip:eve@example.com")
	allowed.watch(alice, bob)
	blocked.quiet()
	allowed.quiet()
	for _, share := range []*Share{{}, nil, {}} { // there, missing, there again
		s.share("server-b", "", share)
		if share == nil {
			blocked.quiet()
			allowed.quiet()
			continue
		}
		want := "active;expires=3600 " + alice + "=closed"
		expect(t, allowed.notice(), want)
		expect(t, blocked.notice(), want)
	}
}

func TestOwnShareAndComposedViewAreApart(t *testing.T) {
	s := newServer(t, func(cfg *Config) {
		cfg.Mirror = true
		cfg.Others = func(string) Others { return Others{Servers: []string{"server-b"}} }
	})
	own, composed := newDevice(t, s), newDevice(t, s)
	own.watch(atServer, alice)
	expect(t, own.notice(), "active;expires=3600 ")
	composed.watch(alice, bob)
	composed.quiet() // it waits for the other share
	own.published(doc("sip:a", "open", "away"))
	expect(t, own.notice(), "active;expires=3600 sip:a=open away sources")
	composed.quiet()
	b := parsed(t, doc("sip:b", "open", ""), "pb")
	s.share("server-b", "", &Share{Document: &b})
	expect(t, composed.notice(), "active;expires=3600 sip:a=open sip:b=open away")
	own.quiet()
	b = parsed(t, doc("sip:b", "open", "do-not-disturb"), "pb")
	s.share("server-b", "", &Share{Document: &b})
	expect(t, composed.notice(), "active;expires=3600 sip:a=closed sip:b=closed do-not-disturb")
	// The draft, section 4.2.2.2: closed devices here, her do-not-disturb not.
	expect(t, own.notice(), "active;expires=3600 sip:a=closed away sources")
	s.share("server-b", "", &Share{}) // it cannot be reached
	expect(t, composed.notice(), "active;expires=3600 sip:a=open away")
	expect(t, own.notice(), "active;expires=3600 sip:a=open away sources")
	s.share("server-b", "", nil)
	own.quiet()
}

// share tells what a server holds of alice, or shows one watcher.
func (s *server) share(from, watcher string, share *Share) {
	s.t.Helper()
	done := make(chan struct{})
	s.lanes.Do(alice, func() {
		defer close(done)
		s.p.SetShare(alice, Origin{Server: from, Watcher: watcher}, share)
	})
	<-done
}

// Where servers have policies of their own each watcher is shown what they show
// her, nothing before all have agreed, and nothing at all if one denies.
func TestEachWatchersOwnShare(t *testing.T) {
	asked := make(chan []Origin, 10)
	s := newServer(t, func(cfg *Config) {
		cfg.Others = func(string) Others { return Others{Servers: []string{"server-b"}, Personal: true} }
		cfg.Need = func(_ string, from []Origin) { asked <- from }
	})
	d := newDevice(t, s)
	d.published(doc("sip:a", "open", "away"))
	carol := "sip:carol@example.com"
	d.watch(alice, bob)
	if got := <-asked; len(got) != 1 || got[0] != (Origin{"server-b", bob}) {
		t.Errorf("asked for %v", got)
	}
	d.quiet()
	s.clock.Advance(time.Second)
	expect(t, d.notice(), "pending;expires=3599 nothing")
	b := parsed(t, doc("sip:b", "open", ""), "pb")
	s.share("server-b", bob, &Share{Document: &b})
	expect(t, d.notice(), "active;expires=3599 sip:a=open sip:b=open away")
	d.watch(alice, carol)
	if got := <-asked; len(got) != 2 {
		t.Errorf("asked for %v", got)
	}
	less := parsed(t, doc("sip:less", "closed", ""), "pb")
	s.share("server-b", carol, &Share{Document: &less})
	expect(t, d.notice(), "active;expires=3600 sip:a=open sip:less=closed away")
	d.quiet() // bob's is the same
	s.share("server-b", bob, &Share{Undecided: true})
	expect(t, d.notice(), "pending;expires=3599 nothing")
	s.share("server-b", bob, &Share{Denied: true})
	expect(t, d.notice(), "terminated;reason=rejected nothing")
	if got := <-asked; len(got) != 1 || got[0].Watcher != carol {
		t.Errorf("asked for %v", got)
	}
	if res := d.call(message.SUBSCRIBE, alice, bob, ""); res.StatusCode != 403 {
		t.Errorf("denied: %d", res.StatusCode)
	}
	s.share("server-b", bob, nil)
	d.watch(alice, bob, "Expires: 0")
	<-asked
	s.share("server-b", bob, &Share{Document: &b})
	expect(t, d.notice(), "terminated;reason=timeout sip:a=open sip:b=open away")
	if got := <-asked; len(got) != 1 {
		t.Errorf("asked for %v", got)
	}
}

// A share that lets one watcher see, and closes our devices, is news to others as
// well: to whom our own share is shown.
func TestAShareThatDecidesIsNewsToOthers(t *testing.T) {
	s := newServer(t, func(cfg *Config) {
		cfg.Mirror = true
		cfg.Others = func(string) Others { return Others{Servers: []string{"server-b"}, Personal: true} }
	})
	own, watcher := newDevice(t, s), newDevice(t, s)
	own.published(doc("sip:a", "open", "away"))
	own.watch(atServer, alice)
	expect(t, own.notice(), "active;expires=3600 sip:a=open away sources")
	watcher.watch(alice, bob)
	b := parsed(t, doc("sip:b", "open", "do-not-disturb"), "pb")
	s.share("server-b", bob, &Share{Document: &b})
	expect(t, watcher.notice(), "active;expires=3600 sip:a=closed sip:b=closed do-not-disturb")
	expect(t, own.notice(), "active;expires=3600 sip:a=closed away sources")
	watcher.quiet()
}

// Shares that turn out to be old when they are needed again are not seen one by
// one.
func TestOldSharesAreNotShownOneByOne(t *testing.T) {
	var mu sync.Mutex
	others, moved := Others{Servers: []string{"server-b", "server-c"}}, false
	var s *server
	s = newServer(t, func(cfg *Config) {
		cfg.Others = func(string) Others {
			mu.Lock()
			defer mu.Unlock()
			return others
		}
		cfg.Need = func(_ string, from []Origin) {
			mu.Lock()
			again := moved
			mu.Unlock()
			for i := 0; again && i < len(from); i++ {
				s.p.SetShare(alice, from[i], &Share{})
			}
		}
	})
	d := newDevice(t, s)
	d.published(doc("sip:a", "open", "away"))
	d.watch(alice, bob)
	for _, server := range others.Servers {
		b := parsed(t, doc("sip:"+server, "open", ""), server)
		s.share(server, "", &Share{Document: &b})
	}
	expect(t, d.notice(), "active;expires=3600 sip:a=open sip:server-b=open sip:server-c=open away")
	place := func(o Others) {
		mu.Lock()
		others, moved = o, true
		mu.Unlock()
		s.p.Placed(alice)
		done := make(chan struct{})
		s.lanes.Do(alice, func() { close(done) })
		<-done
	}
	place(Others{})
	expect(t, d.notice(), "active;expires=3600 sip:a=open away")
	place(Others{Servers: []string{"server-c", "server-b"}})
	d.published(doc("sip:d", "open", "")) // before it she saw what she had seen
	expect(t, d.notice(), "active;expires=3600 sip:a=open sip:d=open away")
}

func parsed(t *testing.T, text, publication string) pidf.Document {
	t.Helper()
	d, err := pidf.Parse([]byte(text), pidf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return pidf.Stamp(d, pidf.Source{Publication: publication, Received: start})
}

func TestAMissingShareIsNotWaitedForTooLong(t *testing.T) {
	s := newServer(t, func(cfg *Config) { cfg.Others = func(string) Others { return Others{Servers: []string{"server-b"}} } })
	d := newDevice(t, s)
	d.published(doc("sip:a", "open", ""))
	d.watch(alice, bob)
	d.quiet()
	s.clock.Advance(time.Second)
	expect(t, d.notice(), "active;expires=3599 nothing")
	s.share("server-b", "", &Share{})
	expect(t, d.notice(), "active;expires=3599 sip:a=open")
}

func TestRestartTellsEveryWatcher(t *testing.T) {
	s := newServer(t, nil)
	d := newDevice(t, s)
	first := d.published(doc("sip:a", "open", "away"))
	d.published(doc("sip:short", "open", ""), "Expires: 60")
	gone := d.published(doc("sip:c", "open", ""))
	d.published("", "SIP-If-Match: "+gone, "Expires: 0")
	first = d.published("", "SIP-If-Match: "+first)
	const watchers = 5
	for i := range watchers {
		d.watch(alice, fmt.Sprintf("sip:w%d@example.com", i))
		d.notice()
	}
	s.end()
	s = serverAt(t, s.path, start.Add(10*time.Minute), nil)
	d.s = s
	var got []string
	for range watchers {
		got = append(got, d.notice())
	}
	slices.Sort(got)
	if got = slices.Compact(got); len(got) != 1 || got[0] != "active;expires=3000 sip:a=open away" {
		t.Error(strings.Join(got, "\n"))
	}
	d.published(doc("sip:a", "closed", "away"), "SIP-If-Match: "+first)
	for range watchers {
		expect(t, d.notice(), "active;expires=3000 sip:a=closed away")
	}
	d.quiet()
}

func TestWhatCannotBeReadAfterARestartGoes(t *testing.T) {
	s := newServer(t, nil)
	err := event.Commit(s.store, func(tx *state.Tx) error {
		return errors.Join(
			tx.PutPublication(state.Publication{ID: "1", ETag: "1", Resource: alice, Package: Name, Body: []byte("<"), Expires: start.Add(time.Hour)}),
			tx.PutPublication(state.Publication{ID: "2", ETag: "2", Resource: alice, Package: "another", Body: []byte("<"), Expires: start.Add(time.Hour)}),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	s.end()
	s = serverAt(t, s.path, start, nil)
	if s.p.Count() != 0 {
		t.Error("something was read out of it")
	}
	s.end()
	if snap := serverAt(t, s.path, start, nil).snap; len(snap.Publications) != 1 || snap.Publications[0].ID != "2" {
		t.Errorf("%+v", snap.Publications)
	}
}

func TestADeviceThatDoesNotWantToBeDisturbedClosesAll(t *testing.T) {
	s := newServer(t, nil)
	d := newDevice(t, s)
	d.watch(alice, bob)
	d.notice()
	d.published(doc("sip:pc", "open", "away"))
	d.notice()
	dnd := d.published(doc("sip:phone", "open", "do-not-disturb"))
	expect(t, d.notice(), "active;expires=3600 sip:pc=closed sip:phone=closed do-not-disturb")
	d.published("", "SIP-If-Match: "+dnd, "Expires: 0")
	expect(t, d.notice(), "active;expires=3600 sip:pc=open away")
}
