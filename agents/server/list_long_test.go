package server_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/server"
	"presfed/db"
	"presfed/routing"
)

// TestALongBuddyList: a list of many, half of them at the other server. How long
// until each is known, and until a change of all of them has come, in how many
// NOTIFYs. PRESFED_BUDDIES=500 measures; the suite takes fewer.
func TestALongBuddyList(t *testing.T) {
	many := 40
	if v := os.Getenv("PRESFED_BUDDIES"); v != "" {
		var err error
		if many, err = strconv.Atoi(v); err != nil || many > 500 {
			t.Fatalf("PRESFED_BUDDIES: want a number up to 500, have %q", v)
		}
	}
	b := federatedWith(t, func(c *server.Config) { c.NoAuth, c.FirstNotify = true, 10*time.Second })
	names := make([]string, many)
	if err := b.directory.Update(t.Context(), func(tx *db.Tx) (err error) {
		for i := range names {
			names[i] = fmt.Sprintf("buddy%03d", i)
			aor := names[i] + "@example.com"
			err = errors.Join(err, tx.AddUser(db.User{AOR: aor}), tx.SetRule(db.Rule{Presentity: aor, Match: db.MatchDefault, Handling: db.Allow}),
				tx.Assign(aor, routing.Place{Model: routing.Partitioned, Servers: []string{"server-" + []string{"a", "b"}[i%2]}}))
		}
		return errors.Join(err, tx.SetBuddies("alice@example.com", names))
	}); err != nil {
		t.Fatal(err)
	}
	at := map[int]*phone{0: b.phone("one", "a", "TCP"), 1: b.phone("other", "b", "TCP")}
	etags := map[string]string{}
	const atOnce = 32 // publications under way: 500 are more than a slow machine takes up
	publish := func(note string) {
		var heard []<-chan *message.Response
		hear := func(i int) { etags[names[i]] = message.Get(final(t, heard[i], 200), "SIP-ETag") }
		for i, name := range names {
			if i >= atOnce {
				hear(i - atOnce)
			}
			p := at[i%2]
			p.user = name
			req := p.request("PUBLISH", name, "Event", "presence", "Expires", "3600")
			if etags[name] != "" {
				message.Add(req, "SIP-If-Match", etags[name])
			}
			message.SetBody(req, "application/pidf+xml", fmt.Appendf(nil, `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:%s@example.com"><tuple id="t"><status><basic>open</basic></status><note>%s</note></tuple></presence>`, name, note))
			heard = append(heard, p.ask(req))
		}
		for i := max(0, many-atOnce); i < many; i++ {
			hear(i)
		}
	}
	for at[1].user = names[1]; next(t, at[1].ask(at[1].request("SUBSCRIBE", names[1], "Event", "presence", "Expires", "0"))).StatusCode != 200; {
	} // the other server knows them
	publish("one")
	alice := b.phone("alice", "a", "TCP")
	// until reads NOTIFYs up to the one with which all have that note.
	until := func(note string) (notifies, bytes int, took time.Duration) {
		began, has := time.Now(), map[string]bool{}
		for len(has) < many {
			req := alice.take("NOTIFY", 200)
			notifies, bytes = notifies+1, bytes+len(req.Body())
			for row := range strings.FieldsSeq(toldOf(t, req)) {
				if name, ok := strings.CutSuffix(row, "=active("+note+")"); ok {
					has[name] = true
				}
			}
		}
		return notifies, bytes, time.Since(began)
	}
	row := func(step string, notifies, bytes int, took time.Duration) {
		fmt.Printf("| %s | %d | %d | %v |\n", step, notifies, bytes, took.Round(time.Millisecond))
	}
	fmt.Printf("| %d buddies | NOTIFYs | bytes | time |\n|---|---|---|---|\n", many)
	final(t, alice.ask(alice.list("buddies", "Supported", "eventlist")), 200)
	n, bytes, took := until("one")
	row("from the 200 until each buddy's state is known", n, bytes, took)
	if most := 1 + bytes/(200<<10); n > most {
		t.Errorf("%d NOTIFYs for what fits in %d", n, most)
	}
	publish("two")
	n, bytes, took = until("two")
	row("all have published: from the last 200 to the last NOTIFY", n, bytes, took)
	if n >= many {
		t.Errorf("%d changes were told in %d NOTIFYs: nothing was gathered", many, n)
	}
	var mem runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&mem)
	t.Logf("both servers and this test: %d MiB", mem.HeapAlloc>>20)
}
