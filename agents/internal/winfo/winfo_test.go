package winfo

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/event"
	"presfed/agents/internal/watcherinfo"
	"presfed/db/state"
)

// TestTheStateMachine walks the figure of RFC 3857 section 4.7.1.
func TestTheStateMachine(t *testing.T) {
	b := newBed(t, nil)
	b.expect(b.watch(), "0:full")
	b.pass(5 * time.Second)

	b.subscribe(bob, "b", "presence", time.Hour) // no policy
	b.expect(b.news(), "1:partial bob=pending/subscribe")
	b.pass(5 * time.Second)
	b.judge(bob, event.Active)
	b.expect(b.news(), "2:partial bob=active/approved")
	b.pass(5 * time.Second)
	b.subscribe(bob, "b", "presence", time.Hour) // a refresh is no news
	b.expect(b.news(), "")
	b.subscribe(bob, "b", "presence", 0)
	b.expect(b.news(), "3:partial bob=terminated/timeout")
	b.pass(5 * time.Second)
	b.subscribe(bob, "b2", "presence", time.Hour) // policy = accept
	b.expect(b.news(), "4:partial bob=active/subscribe")
	b.pass(5 * time.Second)
	b.judge(bob, event.Rejected)
	b.expect(b.news(), "5:partial bob=terminated/rejected")
	if status := b.subscribe(bob, "b3", "presence", time.Hour); status != 403 {
		t.Errorf("forbidden, and answered %d", status)
	}
	b.expect(b.news(), "")
	b.pass(5 * time.Second)

	// pending, waiting, and each way out
	for i, tt := range []struct {
		name   string
		what   func()
		end    string
		decide event.Verdict
	}{
		{"approved", func() { b.judge(carol, event.Active) }, "carol=terminated/approved", event.Pending},
		{"rejected", func() { b.judge(carol, event.Rejected) }, "carol=terminated/rejected", event.Pending},
		{"gives up", func() { b.pass(8 * 24 * time.Hour) }, "carol=terminated/giveup", event.Pending},
	} {
		b.judge(carol, tt.decide)
		b.pass(5 * time.Second)
		b.subscribe(alice, "w", "presence.winfo", time.Hour)
		b.news()
		call := fmt.Sprint("c", i)
		b.subscribe(carol, call, "presence", 10*time.Minute)
		b.pass(5 * time.Second)
		if got := b.news(); !strings.HasSuffix(got, "partial carol=pending/subscribe") {
			t.Errorf("%s: %s", tt.name, got)
		}
		b.subscribe(alice, "w", "presence.winfo", time.Hour)
		b.news()
		b.pass(11 * time.Minute) // nobody decides, and she does not refresh
		delete(b.dialogs, call)
		if got := b.news(); !strings.HasSuffix(got, "partial carol=waiting/timeout") {
			t.Errorf("%s: %s", tt.name, got)
		}
		if tt.name == "gives up" {
			tt.what()
			b.news()
			delete(b.dialogs, "w") // it ran out long ago
			if got := b.watch(); got != "0:full" {
				t.Errorf("given up, and she is told %s", got)
			}
			continue
		}
		tt.what()
		b.pass(5 * time.Second)
		if got := b.news(); !strings.HasSuffix(got, "partial "+tt.end) {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}

// TestWaiting: the same again makes a waiting one redundant, a fetch waits at once,
// and one that is told again is the same.
func TestWaiting(t *testing.T) {
	b := newBed(t, nil)
	b.subscribe(bob, "f", "presence", 0)
	b.expect(b.watch(), "0:full bob=waiting/timeout")
	first := b.table.Watchers()[0].ID
	b.pass(5 * time.Second)
	b.subscribe(bob, "b", "presence", time.Hour)
	b.expect(b.news(), "1:partial bob=terminated/giveup bob=pending/subscribe")
	again := b.table.Watchers()[0].ID
	if first == again {
		t.Error("two subscriptions have one id")
	}
	b.pass(5 * time.Second)
	b.subscribe(bob, "b", "presence", 0)
	b.expect(b.news(), "2:partial bob=waiting/timeout")
	if id := b.table.Watchers()[0].ID; id != again {
		t.Errorf("the id was %s, and is %s", again, id)
	}
	// of two, one goes on asking
	b.pass(5 * time.Second)
	b.subscribe(carol, "c1", "presence", time.Hour)
	b.subscribe(carol, "c2", "presence", time.Hour)
	b.pass(5 * time.Second)
	b.news()
	b.subscribe(carol, "c1", "presence", 0)
	b.pass(5 * time.Second)
	b.expect(b.news(), "5:partial carol=terminated/giveup")
	// nor does a fetch ask for more than the one that goes on
	b.subscribe(carol, "f", "presence", 0)
	b.pass(5 * time.Second)
	b.expect(b.news(), "")
	b.subscribe(carol, "c2", "presence", 0)
	b.pass(5 * time.Second)
	b.expect(b.news(), "6:partial carol=waiting/timeout")
	b.judge(bob, event.Active)
	b.judge(carol, event.Active)
	if n := len(b.winfo.waiting); n != 0 {
		t.Errorf("nobody waits, and %d are counted", n)
	}
}

// TestWhoAsksIsKnownAfterARestart, whether her subscription lived or not; a
// decision made meanwhile counts.
func TestWhoAsksIsKnownAfterARestart(t *testing.T) {
	b := newBed(t, nil)
	b.judge(carol, event.Active)
	b.subscribe(carol, "c", "presence", time.Hour, "From", `"Carol <C>" <sip:carol@example.com>`)
	b.subscribe(bob, "b", "presence", time.Hour)
	b.subscribe("sip:dave@example.com", "d", "presence", time.Hour)
	b.subscribe("sip:dave@example.com", "d", "presence", 0)
	b.subscribe("sip:eve@example.com", "e", "presence", 0)
	b.subscribe("sip:gil@example.com", "g", "presence", 0, "From", "\"Anonymous\" <sip:anonymous@anonymous.invalid>")
	b.judge("sip:fay@example.com", event.Pending)
	b.subscribe("sip:fay@example.com", "f", "presence", time.Hour)
	b.judge("sip:fay@example.com", event.Active)
	b.expect(b.watch(), "0:full carol=active/subscribe bob=pending/subscribe dave=waiting/timeout eve=waiting/timeout anonymous=waiting/timeout fay=active/approved")
	ids := map[string]string{}
	for _, w := range b.table.Watchers() {
		ids[w.URI] = w.ID
	}
	b.stop()
	b.mu.Lock()
	b.policy["sip:eve@example.com"] = event.Rejected
	b.table = watcherinfo.Table{}
	b.mu.Unlock()
	b.clock.Advance(time.Minute)
	b.start(nil)
	got := b.news() // her subscription went on
	got = got[strings.Index(got, ":")+1:]
	b.expect(strings.Split(got, "; ")[0], "full carol=active/subscribe bob=pending/subscribe dave=waiting/timeout eve=waiting/timeout anonymous=waiting/timeout fay=active/approved")
	b.pass(5 * time.Second)
	if got := b.news(); !strings.HasSuffix(got, "eve=terminated/rejected") {
		t.Errorf("then %s", got)
	}
	for _, w := range b.table.Watchers() {
		if ids[w.URI] != w.ID {
			t.Errorf("%s was %s and is %s", w.URI, ids[w.URI], w.ID)
		}
	}
	// gone by the time it starts
	b.stop()
	b.clock.Advance(2 * time.Hour)
	b.start(nil)
	delete(b.dialogs, "w")
	b.expect(b.watch(), "0:full bob=waiting/timeout dave=waiting/timeout anonymous=waiting/timeout")
}

// TestAttributes: what else is told of a watcher.
func TestAttributes(t *testing.T) {
	b := newBed(t, nil)
	b.judge(bob, event.Active)
	b.subscribe(bob, "b", "presence", time.Hour, "From", "\"Bob \\\"the\\\" <builder>\" <sip:bob@example.com>")
	b.subscribe(carol, "c", "presence", 10*time.Minute, "From", "\"Anonymous\" <sip:anonymous@anonymous.invalid>")
	b.pass(90 * time.Second)
	b.watch()
	rows := b.table.Watchers()
	if len(rows) != 2 {
		t.Fatalf("%+v", rows)
	}
	if w := rows[0]; w.Name != `Bob "the" <builder>` || *w.Expiration != 3510 || *w.Subscribed != 90 || w.URI != bob {
		t.Errorf("%+v: %d, %d", w, *w.Expiration, *w.Subscribed)
	}
	if w := rows[1]; w.URI != "sip:anonymous@anonymous.invalid" || *w.Expiration != 510 || w.Status != watcherinfo.Pending {
		t.Errorf("%+v", w)
	}
	if strings.Contains(rows[0].ID, b.dialogs["b"]) {
		t.Error("the id tells the dialog's tag")
	}
}

// TestNotTooOften: a subscriber is told at most every five seconds, and then the
// newest; what came and went in between is no news to her (RFC 3857 sections 4.7.2,
// 4.10).
func TestNotTooOften(t *testing.T) {
	b := newBed(t, nil)
	b.judge(bob, event.Active)
	b.watch()
	for range 3 {
		b.subscribe(bob, "b", "presence", time.Hour)
		b.subscribe(bob, "b", "presence", 0)
		b.subscribe(bob, "b", "presence", 0) // a fetch
	}
	b.subscribe(carol, "c", "presence", time.Hour)
	b.pass(4 * time.Second)
	b.expect(b.news(), "")
	b.pass(time.Second)
	b.expect(b.news(), "1:partial carol=pending/subscribe")
	b.subscribe(carol, "c", "presence", 0)
	b.judge(carol, event.Active)
	b.pass(4 * time.Second)
	b.expect(b.news(), "")
	b.subscribe(alice, "w", "presence.winfo", time.Hour) // who asks is answered at once, with all
	b.expect(b.news(), "2:full")
	b.pass(time.Minute)
	b.expect(b.news(), "")
}

// TestWhoMayAsk: she alone.
func TestWhoMayAsk(t *testing.T) {
	b := newBed(t, nil)
	b.judge(bob, event.Active)
	if status := b.subscribe(bob, "x", "presence.winfo", time.Hour); status != 403 {
		t.Errorf("another user is answered %d", status)
	}
	if status := b.subscribe(alice, "y", "presence.winfo.winfo", time.Hour); status != 489 {
		t.Errorf("watchers of watchers: %d", status)
	}
}

// TestManyWatchers: they go into as many documents as it takes, none of them too
// large, and all of them are there.
func TestManyWatchers(t *testing.T) {
	b := newBed(t, func(c *Config) { c.Room = 4 << 10 })
	const many = 100
	for i := range many {
		b.subscribe(fmt.Sprintf("sip:w%d@example.com", i), fmt.Sprint("m", i), "presence", time.Hour)
	}
	b.subscribe(alice, "w", "presence.winfo", time.Hour)
	b.idle()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.table.Watchers()) != many || len(b.told) < 3 || !b.told[0].Full || b.told[1].Full {
		t.Errorf("%d documents, %d watchers", len(b.told), len(b.table.Watchers()))
	}
	for _, size := range b.sizes {
		if size > 5<<10 {
			t.Errorf("%d bytes", size)
		}
	}
}

// TestAsksHaveAnEnd: nobody can have others keep more than so much of her asking.
func TestAsksHaveAnEnd(t *testing.T) {
	b := newBed(t, func(c *Config) { c.Most = 3 })
	for i := range 5 {
		b.subscribe(fmt.Sprintf("sip:w%d@example.com", i), fmt.Sprint("m", i), "presence", 0)
		b.clock.Advance(time.Second)
	}
	b.expect(b.watch(), "0:full w2=waiting/timeout w3=waiting/timeout w4=waiting/timeout")
	b.stop()
	b.start(nil)
	if got := b.news(); !strings.HasSuffix(got, "full w2=waiting/timeout w3=waiting/timeout w4=waiting/timeout") {
		t.Errorf("after a restart: %s", got)
	}
	one := newBed(t, func(c *Config) { c.MostOf = 1 })
	one.winfo.Restore([]state.Asking{{Presentity: carol, Watcher: bob, ID: "x", Until: one.clock.Now().Add(time.Hour)}})
	one.subscribe(bob, "b", "presence", 0)
	one.expect(one.watch(), "0:full")
}

// TestAllEnds: with the presentity goes all that is known of her watchers.
func TestAllEnds(t *testing.T) {
	b := newBed(t, nil)
	b.subscribe(bob, "b", "presence", time.Hour)
	b.subscribe(carol, "c", "presence", 0)
	b.watch()
	b.lanes.Do(alice, func() { b.notifier.Terminate(alice, "noresource", 0, nil) })
	b.winfo.Forget(alice, "noresource")
	b.idle()
	if n := len(b.winfo.Presentities()); n != 0 {
		t.Errorf("%d lists are left", n)
	}
	b.stop()
	b.dialogs = map[string]string{}
	b.start(nil)
	b.expect(b.watch(), "0:full")
}

// TestWhoIsGoneAsksNothing: nor does whoever gets her name next.
func TestWhoIsGoneAsksNothing(t *testing.T) {
	b := newBed(t, nil)
	b.subscribe(bob, "b", "presence", 0)
	b.subscribe(carol, "c", "presence", 0)
	b.expect(b.watch(), "0:full bob=waiting/timeout carol=waiting/timeout")
	b.winfo.Dismiss(bob)
	b.pass(5 * time.Second)
	b.expect(b.news(), "1:partial bob=terminated/giveup")
	b.stop()
	b.dialogs = map[string]string{}
	b.start(nil)
	b.news()
	b.expect(b.watch(), "0:full carol=waiting/timeout")
}

// TestWatchersElsewhere: what other servers tell is told along, and asked for only
// while somebody wants to know all.
func TestWatchersElsewhere(t *testing.T) {
	asked, ended := 0, 0
	var tell func(event.Update)
	b := newBed(t, func(c *Config) {
		c.Others = func(string) []string { return []string{"server-b"} }
		c.Subscribe = func(_, _ string, on func(event.Update)) func() {
			asked++
			tell = on
			return func() { ended++ }
		}
	})
	elsewhere := func(u event.Update) {
		b.lanes.Do(alice, func() { tell(u) })
		b.idle()
	}
	doc := func(version uint32, full bool, watchers ...watcherinfo.Watcher) event.Update {
		return event.Update{Notified: true, Value: &watcherinfo.Document{Version: version, Full: full, Lists: []watcherinfo.List{{Resource: alice, Package: "presence", Watchers: watchers}}}}
	}
	at := func(id string, status watcherinfo.Status, why watcherinfo.Event) watcherinfo.Watcher {
		return watcherinfo.Watcher{ID: id, URI: "sip:" + id + "@example.com", Status: status, Event: why, Subscribed: new(uint64(60)), Expiration: new(uint64(600))}
	}
	b.subscribe(bob, "b", "presence", time.Hour)
	b.expect(b.watch(), "") // it waits for the other server
	elsewhere(doc(0, true, at("dave", watcherinfo.Pending, watcherinfo.Subscribe), at("eve", watcherinfo.Active, watcherinfo.Subscribe)))
	b.expect(b.news(), "0:full eve=active/subscribe dave=pending/subscribe bob=pending/subscribe")
	if w := b.table.Watchers()[0]; *w.Expiration != 600 || *w.Subscribed != 60 {
		t.Errorf("%d, %d", *w.Expiration, *w.Subscribed)
	}
	b.pass(5 * time.Second)
	elsewhere(doc(1, false, at("dave", watcherinfo.Active, watcherinfo.Approved), at("fay", watcherinfo.Terminated, watcherinfo.Timeout)))
	b.expect(b.news(), "1:partial dave=active/approved")
	b.pass(5 * time.Second)
	elsewhere(event.Update{Err: errors.New("away")}) // what it told last stands
	b.pass(5 * time.Second)
	b.expect(b.news(), "")
	elsewhere(doc(0, true, at("eve", watcherinfo.Active, watcherinfo.Subscribe))) // it began anew, with ids of its own
	b.pass(5 * time.Second)
	b.expect(b.news(), "2:partial dave=terminated/timeout")
	b.subscribe(alice, "w", "presence.winfo", 0)
	b.news()
	b.idle()
	if asked != 1 || ended != 1 {
		t.Errorf("asked %d times, ended %d", asked, ended)
	}
	// without an answer from there she is told what is known here, soon
	b.subscribe(alice, "w2", "presence.winfo", time.Hour)
	b.expect(b.news(), "")
	b.pass(time.Second)
	b.expect(b.news(), "0:full bob=pending/subscribe")
	// one that refuses is asked again, less and less often
	elsewhere(event.Update{Status: 480, Over: true})
	for _, pause := range []time.Duration{1, 2, 4} {
		was := asked
		b.pass(pause*time.Second - time.Millisecond)
		if asked != was {
			t.Errorf("asked again within %d seconds", pause)
		}
		b.pass(time.Millisecond)
		if asked != was+1 {
			t.Errorf("not asked again after %d seconds", pause)
		}
		elsewhere(event.Update{Status: 480, Over: true})
	}
	b.pass(8 * time.Second)
	elsewhere(doc(0, true, at("eve", watcherinfo.Active, watcherinfo.Subscribe)))
	b.pass(5 * time.Second)
	b.expect(b.news(), "1:partial eve=active/subscribe")
}

// TestAServerThatTellsOfTooMany: what it tells of the rest is taken in none the less.
func TestAServerThatTellsOfTooMany(t *testing.T) {
	var tell func(event.Update)
	b := newBed(t, func(c *Config) {
		c.Others = func(string) []string { return []string{"server-b"} }
		c.Subscribe = func(_, _ string, on func(event.Update)) func() {
			tell = on
			return func() {}
		}
	})
	b.watch()
	elsewhere := func(full bool, status watcherinfo.Status, prefix string, from, to int) {
		l := watcherinfo.List{Resource: alice, Package: "presence"}
		for i := from; i < to; i++ {
			l.Watchers = append(l.Watchers, watcherinfo.Watcher{ID: fmt.Sprint(prefix, i), URI: bob, Status: status, Event: watcherinfo.Subscribe})
		}
		b.lanes.Do(alice, func() {
			tell(event.Update{Notified: true, Value: &watcherinfo.Document{Full: full, Lists: []watcherinfo.List{l}}})
		})
		b.idle()
	}
	kept := func() (n int) {
		b.lanes.Do(alice, func() { n = len(b.winfo.known(alice).remotes["server-b"].rows) })
		b.idle()
		return n
	}
	for _, step := range []struct {
		full     bool
		status   watcherinfo.Status
		prefix   string
		from, to int
		kept     int
	}{
		{true, watcherinfo.Active, "a", 0, mostRemote + 1, mostRemote},
		{false, watcherinfo.Terminated, "a", 0, 100, mostRemote - 100},
		{false, watcherinfo.Active, "b", 0, 200, mostRemote},
		{true, watcherinfo.Active, "c", 0, mostRemote + 1, mostRemote}, // it began anew
		{true, watcherinfo.Active, "c", 0, 10, 10},
	} {
		elsewhere(step.full, step.status, step.prefix, step.from, step.to)
		if n := kept(); n != step.kept {
			t.Errorf("%v: %d are kept", step, n)
		}
		for id := range b.winfo.lists[alice].remotes["server-b"].rows {
			if step.full && !strings.HasPrefix(id, step.prefix) {
				t.Fatalf("%v: of %s she was not told again", step, id)
			}
		}
	}
}

// TestIDsOfTwoServers are each server's own: in one document they differ.
func TestIDsOfTwoServers(t *testing.T) {
	tell := map[string]func(event.Update){}
	b := newBed(t, func(c *Config) {
		c.Others = func(string) []string { return []string{"server-b", "server-c"} }
		c.Subscribe = func(_, server string, on func(event.Update)) func() {
			tell[server] = on
			return func() {}
		}
	})
	b.watch()
	for server, who := range map[string]string{"server-b": bob, "server-c": carol} {
		b.lanes.Do(alice, func() {
			tell[server](event.Update{Notified: true, Value: &watcherinfo.Document{Full: true, Lists: []watcherinfo.List{{Resource: alice, Package: "presence",
				Watchers: []watcherinfo.Watcher{{ID: "1", URI: who, Status: watcherinfo.Active, Event: watcherinfo.Subscribe}}}}}})
		})
	}
	b.pass(5 * time.Second)
	b.mu.Lock()
	defer b.mu.Unlock()
	if rows := b.table.Watchers(); len(rows) != 2 || rows[0].ID == rows[1].ID {
		t.Errorf("%+v", rows)
	}
}

// TestAFetchIsKeptBeforeItIsAnswered, and refused where it cannot be.
func TestAFetchIsKeptBeforeItIsAnswered(t *testing.T) {
	b := newBed(t, nil)
	b.full.Store(true)
	for call, expires := range map[string]time.Duration{"f": 0, "s": time.Hour} {
		if status := b.subscribe(bob, call, "presence", expires); status != 503 {
			t.Errorf("for %s nothing can be written, and it is answered %d", expires, status)
		}
	}
	b.full.Store(false)
	b.expect(b.watch(), "0:full")
	b.judge(bob, event.Active)
	b.full.Store(true)
	if status := b.subscribe(bob, "f", "presence", 0); status != 200 {
		t.Errorf("nothing is to be written, and it is answered %d", status)
	}
}

// TestWhoAsksAgainIsNotForgottenMeanwhile: the server may be killed between any two
// writes.
func TestWhoAsksAgainIsNotForgottenMeanwhile(t *testing.T) {
	writes := 0
	b := newBed(t, func(c *Config) {
		all := c.Store.(filling).Store.(*state.Store)
		c.Store = oneByOne{c.Store, func() {
			writes++
			if snapshot, err := all.Load(t.Context()); err != nil || len(snapshot.Asking) != 1 {
				t.Errorf("after write %d: %v, %v", writes, snapshot.Asking, err)
			}
		}}
	})
	for call, expires := range map[string]time.Duration{"f": 0, "g": 0, "s": time.Hour} {
		b.subscribe(bob, call, "presence", expires)
	}
	if writes == 0 {
		t.Error("nothing was written")
	}
}

// oneByOne is a store that is looked at after each write.
type oneByOne struct {
	event.Store
	look func()
}

func (o oneByOne) Commit(do func(tx *state.Tx) error, done func(error)) {
	written := make(chan error, 1)
	o.Store.Commit(do, func(err error) { written <- err })
	err := <-written
	o.look()
	done(err)
}
