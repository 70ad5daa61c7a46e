package event

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/message"
	"presfed/db/state"
)

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestASubscriptionFromBeginningToEnd(t *testing.T) {
	s := newServer(t, nil)
	bob := newUA(t, loopback, nil)
	contact := strings.Replace(bob.contact(), ">", "?Subject=no>", 1) // header fields are not for a Request-URI
	res := bob.call(s.addr(), bob.subscribe("a", 1, "Event: presence;id=7", "Contact: "+contact, "Record-Route: <sip:"+bob.addr().String()+";lr>")...)
	if res.StatusCode != 200 || message.Get(res, "Expires") != "600" || message.Get(res, "Contact") != s.contact() || !message.Has(res, "Record-Route") {
		t.Fatalf("answer:\n%s", message.Bytes(res))
	}
	tx := bob.next()
	expect(t, short(tx), "NOTIFY 1 NOTIFY|active;expires=600|all:one")
	to, _ := message.To(res)
	for name, want := range map[string]string{
		"From": "<" + alice + ">;tag=" + to.Tag(), "To": `"B, ob" <sip:bob@example.com>;tag=a`, "Call-ID": "call-a", "Event": "presence;id=7",
		"Contact": s.contact(), "Max-Forwards": "70", "Content-Type": "application/pidf+xml", "Content-Length": "7",
		"P-Asserted-Identity": "<" + alice + ">", "Route": "<sip:" + bob.addr().String() + ";lr>",
	} {
		expect(t, name+" "+message.Get(tx.Request(), name), name+" "+want)
	}
	expect(t, "<"+tx.Request().Recipient.String()+">", bob.contact())
	answer(tx, 200)
	s.set("two")
	expect(t, bob.notify(), "NOTIFY 2 NOTIFY|active;expires=600|all:two")
	s.idle()
	s.clock.Advance(100 * time.Second)
	res = bob.call(s.addr(), bob.subscribe("a", 2, "Event: presence;id=7", toTag(res), "Expires: 99999")...)
	expect(t, message.Get(res, "Expires"), "7200")
	expect(t, bob.notify(), "NOTIFY 3 NOTIFY|active;expires=7200|all:two")
	s.clock.Advance(10 * time.Minute) // the first expiry passes
	s.idle()
	bob.quiet()
	res = bob.call(s.addr(), bob.subscribe("a", 3, "Event: presence;id=7", toTag(res), "Expires: 0")...)
	if res.StatusCode != 200 || message.Get(res, "Expires") != "0" {
		t.Fatalf("answer:\n%s", message.Bytes(res))
	}
	expect(t, bob.notify(), "NOTIFY 4 NOTIFY|terminated;reason=timeout|all:two")
	if res = bob.call(s.addr(), bob.subscribe("a", 4, "Event: presence;id=7", toTag(res))...); res.StatusCode != 481 {
		t.Errorf("after the end: %d", res.StatusCode)
	}
	s.end()
	if rows := loadState(t, s.path); len(rows) != 0 {
		t.Errorf("it left %v", rows)
	}
	if !slices.Equal(s.ended, []string{"timeout"}) {
		t.Errorf("told the package %v", s.ended)
	}
}

func TestQuestions(t *testing.T) {
	s := newServer(t, nil)
	s.judge("sip:eve@example.com", Decision{})
	s.judge("sip:mallory@example.com", Decision{Verdict: Rejected, Status: 603})
	bob := newUA(t, loopback, nil)
	for _, c := range []struct {
		status      int
		field, want string
		lines       []string
	}{
		{489, "Allow-Events", "presence, presence.winfo", []string{"Event: dialog"}},
		{489, "Allow-Events", "presence, presence.winfo", []string{"Event:"}},
		{423, "Min-Expires", "60", []string{"Expires: 59"}},
		{400, "", "", []string{"Expires: soon"}},
		{400, "", "", []string{"Event: presence;=1"}},
		{400, "", "", []string{`Event: presence;id="a;b"`}},
		{406, "", "", []string{"Accept: application/xpidf+xml, text/*;q=0"}},
		{400, "", "", []string{"Contact:"}},
		{400, "", "", []string{"Contact: <sip:a@h>, <sip:b@h>"}},
		{400, "", "", []string{"Contact: <mailto:a@h>"}},
		{400, "", "", []string{"From: <sip:bob@example.com>"}},
		{481, "", "", []string{"To: <sip:alice@example.com>;tag=nobody"}},
		{403, "", "", []string{"From: <sip:eve@example.com>;tag=e"}},
		{603, "", "", []string{"From: <sip:mallory@example.com>;tag=e"}},
	} {
		res := bob.call(s.addr(), bob.subscribe("q", 1, c.lines...)...)
		if res.StatusCode != c.status || c.field != "" && message.Get(res, c.field) != c.want {
			t.Errorf("%v: want %d %s, got\n%s", c.lines, c.status, c.want, message.Bytes(res))
		}
	}
	s.idle()
	bob.quiet()
	if s.n.Count() != 0 {
		t.Errorf("%d subscriptions came of that", s.n.Count())
	}
	for i, line := range []string{"Accept: text/plain;charset=utf-8, application/x", "Accept: */*", "Accept: APPLICATION/*", "Expires: 3601", "Expires:"} {
		if res := bob.call(s.addr(), bob.subscribe(fmt.Sprint("ok", i), 1, line)...); res.StatusCode != 200 {
			t.Errorf("%s: %d", line, res.StatusCode)
		}
		bob.notify()
	}
}

func TestInsideTheDialog(t *testing.T) {
	s := newServer(t, nil)
	bob := newUA(t, loopback, nil)
	in := bob.subscribe("a", 5)
	res := bob.call(s.addr(), in...)
	bob.notify()
	tag := toTag(res)
	for _, c := range []struct {
		status int
		lines  []string
	}{
		{482, bob.subscribe("a", 5)}, // the same by another way: another branch
		{500, bob.subscribe("a", 5, tag)},
		{500, bob.subscribe("a", 4, tag)},
		{481, bob.subscribe("b", 6, tag)},
		{481, bob.subscribe("a", 6, tag, "Event: presence;id=1")},
		{489, bob.subscribe("a", 6, tag, "Event: dialog")},
		{423, bob.subscribe("a", 6, tag, "Expires: 1")},
		{403, bob.subscribe("a", 6, tag, "From: <sip:eve@example.com>;tag=a")},
		{403, bob.subscribe("a", 6, tag, "X-Silent-Peer: another")},
		{400, bob.subscribe("a", 6, tag, "Contact: <tel:1>")},
		{200, bob.subscribe("a", 6, tag, "Contact:")},
	} {
		if res := bob.call(s.addr(), c.lines...); res.StatusCode != c.status {
			t.Errorf("%q: want %d, got %d", c.lines, c.status, res.StatusCode)
		}
	}
	expect(t, bob.notify(), "NOTIFY 2 NOTIFY|active;expires=600|all:one")
	if res := bob.call(s.addr(), bob.subscribe("a", 7, tag, "X-Silent-Peer: peer")...); res.StatusCode != 200 {
		t.Errorf("refreshed by its own peer, which asserts nobody: %d", res.StatusCode)
	}
	expect(t, bob.notify(), "NOTIFY 3 NOTIFY|active;expires=600|all:one")
}

func TestAFetchTellsOnceAndLeavesNothing(t *testing.T) {
	s := newServer(t, nil)
	bob := newUA(t, loopback, nil)
	writes := s.store.Stats().Operations
	res := bob.call(s.addr(), bob.subscribe("a", 1, "Expires: 0")...)
	expect(t, message.Get(res, "Expires"), "0")
	expect(t, bob.notify(), "NOTIFY 1 NOTIFY|terminated;reason=timeout|all:one")
	s.judge("sip:bob@example.com", Decision{Verdict: Pending})
	bob.call(s.addr(), bob.subscribe("b", 1, "Expires: 0")...)
	expect(t, bob.notify(), "NOTIFY 1 NOTIFY|terminated;reason=timeout|")
	waitFor(t, func() bool { return s.n.Count() == 0 })
	if s.store.Stats().Operations != writes {
		t.Error("a fetch was written")
	}
	told := make(chan int)
	s.lanes.Do(alice, func() { told <- len(s.ended) })
	if n := <-told; n != 2 { // what they needed is needed no more
		t.Errorf("of two fetches %d were told as over", n)
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came true")
		}
	}
}

func TestOneInFlightAndTheNewestPending(t *testing.T) {
	s := newServer(t, nil)
	bob := newUA(t, loopback, nil)
	bob.call(s.addr(), bob.subscribe("a", 1)...)
	first := bob.next()
	for _, text := range []string{"two", "three", "four"} {
		s.set(text)
	}
	s.idle()
	bob.quiet()
	answer(first, 200)
	expect(t, bob.notify(), "NOTIFY 2 NOTIFY|active;expires=600|all:four")
	s.idle()
	bob.quiet()
	s.idle()
	if s.asked != 2 {
		t.Errorf("%d bodies were written for 2 NOTIFYs", s.asked)
	}
}

func TestAFailedCommitChangesNothing(t *testing.T) {
	s := newServer(t, nil)
	bob := newUA(t, loopback, nil)
	s.store.set(errors.New("disk"))
	if res := bob.call(s.addr(), bob.subscribe("a", 1)...); res.StatusCode != 503 {
		t.Errorf("new: %d", res.StatusCode)
	}
	if s.n.Count() != 0 || len(s.n.watchers) != 0 || len(s.n.callers) != 0 {
		t.Error("something is left of it")
	}
	s.store.set(nil)
	res := bob.call(s.addr(), bob.subscribe("b", 1)...)
	bob.notify()
	s.store.set(errors.New("disk"))
	s.clock.Advance(time.Minute)
	for _, expires := range []string{"Expires: 0", "Expires: 7000"} {
		if res := bob.call(s.addr(), bob.subscribe("b", 2, expires, toTag(res))...); res.StatusCode != 503 {
			t.Errorf("%s: %d", expires, res.StatusCode)
		}
	}
	s.set("two")
	expect(t, bob.notify(), "NOTIFY 2 NOTIFY|active;expires=540|all:two")
	s.store.set(nil)
	if res := bob.call(s.addr(), bob.subscribe("b", 2, toTag(res))...); res.StatusCode != 200 {
		t.Errorf("with the same CSeq, the disk back: %d", res.StatusCode)
	}
	bob.notify()
}

func TestPolicy(t *testing.T) {
	s := newServer(t, nil)
	bob := newUA(t, loopback, nil)
	who := "sip:bob@example.com"
	s.judge(who, Decision{Verdict: Pending})
	res := bob.call(s.addr(), bob.subscribe("a", 1)...)
	expect(t, bob.notify(), "NOTIFY 1 NOTIFY|pending;expires=600|")
	s.set("two")
	s.idle()
	bob.quiet()
	for i, step := range []struct {
		decision Decision
		want     string
	}{
		{Decision{Verdict: Active, Treatment: "polite"}, "NOTIFY 2 NOTIFY|active;expires=600|polite:two"},
		{Decision{Verdict: Active, Treatment: "all"}, "NOTIFY 3 NOTIFY|active;expires=600|all:two"},
		{Decision{Verdict: Pending}, "NOTIFY 4 NOTIFY|pending;expires=600|"},
		{Decision{Verdict: Active, Treatment: "all"}, "NOTIFY 5 NOTIFY|active;expires=600|all:two"},
	} {
		s.judge(who, step.decision)
		s.n.Redecide(alice)
		expect(t, bob.notify(), step.want)
		s.n.Redecide(alice) // nothing new
		s.idle()
		bob.quiet()
		if t.Failed() {
			t.Fatalf("step %d", i)
		}
	}
	s.mu.Lock()
	s.decide = errors.New("no directory")
	s.mu.Unlock()
	s.judge(who, Decision{})
	s.n.Redecide(alice)
	s.idle()
	bob.quiet()
	if res := bob.call(s.addr(), bob.subscribe("new", 1)...); res.StatusCode != 500 {
		t.Errorf("new without a decision: %d", res.StatusCode)
	}
	s.mu.Lock()
	s.decide = nil
	s.mu.Unlock()
	s.n.Redecide(alice)
	expect(t, bob.notify(), "NOTIFY 6 NOTIFY|terminated;reason=rejected|")
	if res := bob.call(s.addr(), bob.subscribe("a", 2, toTag(res))...); res.StatusCode != 481 {
		t.Errorf("refresh after rejection: %d", res.StatusCode)
	}
	s.end()
	if rows := loadState(t, s.path); len(rows) != 0 || !slices.Equal(s.ended, []string{"rejected"}) {
		t.Errorf("it left %v, told %v", rows, s.ended)
	}
}

func TestARefreshOfOneWhoIsNoLongerAllowed(t *testing.T) {
	s := newServer(t, nil)
	bob := newUA(t, loopback, nil)
	res := bob.call(s.addr(), bob.subscribe("a", 1)...)
	bob.notify()
	s.judge("sip:bob@example.com", Decision{})
	if res := bob.call(s.addr(), bob.subscribe("a", 2, toTag(res))...); res.StatusCode != 403 {
		t.Error(res.StatusCode)
	}
	expect(t, bob.notify(), "NOTIFY 2 NOTIFY|terminated;reason=rejected|")
}

// A decision that nothing is to be waited for any more lets the NOTIFY go, though
// the decision is the same otherwise.
func TestADecisionEndsTheWait(t *testing.T) {
	s := newServer(t, nil)
	bob := newUA(t, loopback, nil)
	s.judge("sip:bob@example.com", Decision{Verdict: Active, Treatment: "all", Wait: time.Second})
	bob.call(s.addr(), bob.subscribe("a", 1)...)
	bob.quiet()
	s.judge("sip:bob@example.com", Decision{Verdict: Active, Treatment: "all"})
	s.n.Redecide(alice)
	expect(t, bob.notify(), "NOTIFY 1 NOTIFY|active;expires=600|all:one")
}

func TestTheFirstNotifyMayWait(t *testing.T) {
	s := newServer(t, nil)
	bob := newUA(t, loopback, nil)
	s.set("")
	s.judge("sip:bob@example.com", Decision{Verdict: Active, Treatment: "all", Wait: time.Second})
	bob.call(s.addr(), bob.subscribe("a", 1)...)
	s.idle()
	bob.quiet()
	s.set("here")
	expect(t, bob.notify(), "NOTIFY 1 NOTIFY|active;expires=600|all:here")
	s.set("")
	bob.notify()
	bob.call(s.addr(), bob.subscribe("b", 1, "Expires: 0")...) // a fetch waits as well
	bob.call(s.addr(), bob.subscribe("c", 1)...)
	s.idle()
	bob.quiet()
	s.clock.Advance(time.Second)
	got := []string{bob.notify(), bob.notify()}
	slices.Sort(got)
	expect(t, got[0], "NOTIFY 1 NOTIFY|active;expires=599|")
	expect(t, got[1], "NOTIFY 1 NOTIFY|terminated;reason=timeout|")
	s.set("late")
	bob.notify()
	bob.notify()
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.fulls[len(s.fulls)-1]; !last {
		t.Error("the first body was asked for as a change of nothing")
	}
}

func TestLimits(t *testing.T) {
	s := newServer(t, func(cfg *NotifierConfig) { cfg.Limits.Watcher = 2 })
	bob := newUA(t, loopback, nil)
	for i, name := range []string{"a", "b", "c"} {
		res := bob.call(s.addr(), bob.subscribe(name, 1)...)
		if (res.StatusCode == 480) != (i == 2) || i == 2 && message.Get(res, "Retry-After") == "" {
			t.Errorf("subscription %d: %s", i, message.Bytes(res))
		}
	}
}

func TestStrictRouting(t *testing.T) {
	rec := &state.Subscription{Target: "sip:bob@there", Routes: []string{"<sip:strict.example.com>", "<sip:second;lr>"}, CallID: "c"}
	h, err := newHead("NOTIFY", rec)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, string(h.line), "NOTIFY sip:strict.example.com SIP/2.0\r\n")
	expect(t, string(h.fields[:47]), "Route: <sip:second;lr>\r\nRoute: <sip:bob@there>\r")
	expect(t, h.hop.Host, "strict.example.com")
	if len(rec.Routes) != 2 || rec.Routes[1] != "<sip:second;lr>" {
		t.Errorf("the route set was changed: %v", rec.Routes)
	}
}
