package backend

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/event"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/pidf"
)

const (
	alice = "sip:alice@example.com"
	ann   = "sip:ann@example.com"
)

// bed is a Backend whose other servers are the test's.
type bed struct {
	*Backend
	t          *testing.T
	lanes      *event.Lanes
	subscriber *event.Subscriber
	clock      *clock.Manual

	mu    sync.Mutex
	asked []*asked
	told  []string
}

// asked is a SUBSCRIBE and the dialog it makes.
type asked struct {
	b    *bed
	req  *message.Request
	done func(*message.Response, error)
	cseq uint32
}

func newBed(t *testing.T) *bed {
	b := &bed{t: t, lanes: &event.Lanes{}, clock: clock.NewManual(time.Unix(1e9, 0))}
	b.subscriber = event.NewSubscriber(event.SubscriberConfig{
		Packages: []string{"presence"}, Lanes: b.lanes, Clock: b.clock,
		Send: func(out event.Outgoing, done func(*message.Response, error)) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.asked = append(b.asked, &asked{b: b, req: out.Request, done: done})
		},
	})
	b.Backend = New(Config{
		Subscriber: b.subscriber, Lanes: b.lanes, Clock: b.clock,
		Ask: func(string, Need) (event.Wanted, error) {
			return event.Wanted{URI: "sip:alice@serverb.example.com", From: "<" + alice + ">", Contact: "<sip:servera.example.com>", Expires: time.Hour}, nil
		},
		Told: func(_ string, n Need, s *Share) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.told = append(b.told, said(s))
		},
	})
	t.Cleanup(func() {
		b.lanes.Close()
		b.Close()
		b.subscriber.Close()
	})
	return b
}

func said(s *Share) string {
	if s == nil {
		return "not needed"
	}
	out := map[Standing]string{Undecided: "undecided", Agreed: "agreed", Denied: "denied", Away: "away"}[s.Standing]
	if s.Document != nil {
		out += fmt.Sprint(" ", len(s.Document.Tuples))
	}
	return out
}

// settled returns when her lane has nothing left to do.
func (b *bed) settled() {
	for range 4 { // a job may queue another
		done := make(chan struct{})
		b.lanes.Do(alice, func() { close(done) })
		<-done
	}
}

func (b *bed) need(needs ...Need) {
	b.lanes.Do(alice, func() { b.Need(alice, needs) })
	b.settled()
}

func (b *bed) pass(d time.Duration) {
	b.clock.Advance(d)
	b.settled()
}

// next is the one SUBSCRIBE that was sent.
func (b *bed) next() *asked {
	b.t.Helper()
	b.settled()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.asked) != 1 {
		b.t.Fatalf("asked %d times", len(b.asked))
	}
	a := b.asked[0]
	b.asked = nil
	return a
}

func (b *bed) quiet() {
	b.t.Helper()
	b.settled()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.asked) > 0 {
		b.t.Fatalf("asked\n%s", message.Bytes(b.asked[0].req))
	}
}

// hears wants what was told since it was last called.
func (b *bed) hears(want ...string) {
	b.t.Helper()
	b.settled()
	b.mu.Lock()
	defer b.mu.Unlock()
	if got := fmt.Sprint(b.told); got != fmt.Sprint(want) {
		b.t.Errorf("told %v, want %v", got, want)
	}
	b.told = nil
}

func (a *asked) answer(status int, fields ...string) {
	res := message.NewResponse(a.req, status, "", "far")
	for i := 0; i+1 < len(fields); i += 2 {
		message.Add(res, fields[i], fields[i+1])
	}
	a.done(res, nil)
	a.b.settled()
}

func (a *asked) fail() {
	a.done(nil, sip.ErrTransport)
	a.b.settled()
}

type notify struct {
	req    *message.Request
	status int
}

func (n *notify) Request() *message.Request { return n.req }
func (n *notify) Source() sip.Source        { return sip.Source{} }
func (n *notify) Respond(res *message.Response) error {
	n.status = res.StatusCode
	return nil
}

// notifies sends a NOTIFY and gives the status of its answer.
func (a *asked) notifies(state, body string) int {
	a.b.t.Helper()
	a.cseq++
	uri, err := message.ParseURI("sip:servera.example.com")
	if err != nil {
		a.b.t.Fatal(err)
	}
	req := message.NewRequest(message.NOTIFY, uri)
	for _, f := range [][2]string{
		{"From", message.Get(a.req, "To") + ";tag=far"}, {"To", message.Get(a.req, "From")}, {"Call-ID", message.CallID(a.req)},
		{"CSeq", message.CSeq{Seq: a.cseq, Method: message.NOTIFY}.String()}, {"Contact", "<sip:serverb.example.com>"},
		{"Event", "presence"}, {"Subscription-State", state},
	} {
		message.Add(req, f[0], f[1])
	}
	if body != "" {
		message.SetBody(req, contentType, []byte(body))
	}
	n := &notify{req: req}
	a.b.subscriber.Notify(n)
	a.b.settled()
	return n.status
}

// document has that many tuples.
func document(tuples int) string {
	d := pidf.Document{Entity: alice}
	for i := range tuples {
		d.Tuples = append(d.Tuples, pidf.Tuple{ID: fmt.Sprint("t", i), Basic: pidf.Open})
	}
	return string(pidf.Write(d, pidf.Standard))
}

// TestOneWhoWasAgreedOnceAndIsUndecidedNow is not agreed by its server being away.
func TestOneWhoWasAgreedOnceAndIsUndecidedNow(t *testing.T) {
	b := newBed(t)
	b.need(Need{"server-b", ann})
	a := b.next()
	a.answer(200)
	a.notifies("active", document(1))
	b.hears("agreed 1")
	a.notifies("pending", "")
	b.hears("undecided")
	b.subscriber.Test("server-b")
	b.next().fail()
	b.hears("undecided")
}

// TestARefusalMayComeOfAnOlderDirectory: right after a change another server may
// not know yet what is asked of it, and is asked again before that counts.
func TestARefusalMayComeOfAnOlderDirectory(t *testing.T) {
	for status, told := range map[int]string{480: "undecided", 404: "away"} {
		b := newBed(t)
		b.pass(time.Hour)
		b.Changed()
		b.need(Need{Server: "server-b"})
		b.next().answer(status)
		b.hears()
		b.pass(time.Second - 1)
		b.quiet()
		b.pass(1)
		a := b.next()
		a.answer(200)
		a.notifies("active", document(1))
		b.hears("agreed 1")
		a.notifies("terminated;reason=rejected", "") // it knows whom it speaks of
		b.hears("denied")

		b.pass(time.Hour)
		b.Changed()
		b.need(Need{"server-c", ann})
		b.next().answer(status)
		b.pass(time.Second)
		b.next().answer(status)
		b.hears(told)
	}
}

// TestARefusalCounts at once where nothing has changed.
func TestARefusalCounts(t *testing.T) {
	for status, told := range map[int]string{403: "denied", 603: "denied", 404: "away", 489: "away", 503: "away"} {
		b := newBed(t)
		b.pass(time.Hour)
		b.need(Need{Server: "server-b"})
		b.next().answer(status)
		b.hears(told)
	}
}

// What was let go of while its server could not be reached is old when it is
// needed again.
func TestNeededAgainWhileItIsAway(t *testing.T) {
	b := newBed(t)
	n := Need{Server: "server-b"}
	b.need(n)
	a := b.next()
	a.answer(200, "Expires", "3600")
	a.notifies("active;expires=3600", document(1))
	b.hears("agreed 1")
	a.notifies("terminated;reason=probation;retry-after=10", "")
	b.hears() // it stays for a while
	b.need()
	b.need(n)
	b.hears("away")
	b.pass(10 * time.Second)
	a = b.next()
	a.answer(200, "Expires", "3600")
	a.notifies("active;expires=3600", document(2))
	b.hears("agreed 2")
}

// A server that does not know the user may only be far behind: it is asked again
// soon, then less and less often, and soon again after it has answered.
func TestOneThatRefusesIsAskedLessAndLess(t *testing.T) {
	b := newBed(t)
	b.pass(time.Hour) // since the directory changed
	b.need(Need{Server: "server-b"})
	b.next().answer(404)
	for _, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		b.pass(pause*time.Second - 1)
		b.quiet()
		b.pass(1)
		b.next().answer(404)
	}
	b.hears("away", "away", "away", "away", "away", "away", "away", "away", "away")
}
