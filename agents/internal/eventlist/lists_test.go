package eventlist

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/event"
	"presfed/agents/internal/message"
	"presfed/agents/internal/rlmi"
	"presfed/agents/internal/sip"
	"presfed/db/state"
)

const (
	alice   = "sip:alice@example.com"
	buddies = alice + ";list=buddies"
)

// bed is the lists with their notifier; members and watchers are the test's.
type bed struct {
	*Lists
	t     *testing.T
	n     *event.Notifier
	lanes *event.Lanes
	clock *clock.Manual

	mu       sync.Mutex
	members  []string
	err      error
	held     map[string]*held // by member; the newest subscription to each
	log      []string         // subscriptions and their ends
	notifies []*sent
}

type held struct {
	owner string
	on    func(event.Update)
}

type sent struct {
	*message.Request
	done func(event.Outcome)
}

func newBed(t *testing.T, change func(*Config)) *bed {
	b := &bed{t: t, lanes: &event.Lanes{}, clock: clock.NewManual(time.Unix(1e9, 0)), held: map[string]*held{}}
	cfg := Config{
		Name: "presence", Lanes: b.lanes, Host: "servera.example.com", Clock: b.clock,
		Members: func(owner string) ([]string, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if owner != alice {
				return nil, &event.Refusal{Status: 404}
			}
			return slices.Clone(b.members), b.err
		},
		Subscribe: func(key, owner, member string, on func(event.Update)) func() {
			h := &held{owner, func(u event.Update) { b.lanes.Do(key, func() { on(u) }) }}
			b.mu.Lock()
			defer b.mu.Unlock()
			b.held[member] = h
			b.log = append(b.log, owner+" "+member)
			return func() {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.log = append(b.log, "end "+member)
			}
		},
	}
	if change != nil {
		change(&cfg)
	}
	b.Lists = New(cfg)
	b.n = event.NewNotifier(event.NotifierConfig{
		Packages: []event.Package{b.Package()}, Lanes: b.lanes, Clock: b.clock,
		Send: func(n *event.Notice, done func(event.Outcome)) {
			m, err := message.Parse(n.Bytes("SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1"), message.DefaultLimits)
			if err != nil {
				t.Error(err)
				return
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			b.notifies = append(b.notifies, &sent{m.(*message.Request), done})
		},
	})
	b.Bind(b.n)
	t.Cleanup(func() { b.lanes.Close(); b.n.Close(); b.Close() })
	return b
}

// transaction is a SUBSCRIBE whose answer can be waited for.
type transaction struct {
	req *message.Request
	res chan *message.Response
}

func (tx *transaction) Request() *message.Request           { return tx.req }
func (tx *transaction) Source() sip.Source                  { return sip.Source{} }
func (tx *transaction) Respond(res *message.Response) error { tx.res <- res; return nil }

func (b *bed) subscribe(resource, watcher, id string, more ...string) *message.Response {
	b.t.Helper()
	lines := append([]string{
		"SUBSCRIBE " + resource + " SIP/2.0", "Via: SIP/2.0/TCP h;branch=z9hG4bK" + id, "From: <" + watcher + ">;tag=" + id, "To: <" + alice + ">", "Call-ID: " + id,
		"CSeq: 1 SUBSCRIBE", "Contact: <sip:alice@127.0.0.1:9>", "Event: presence", "Supported: eventlist", "Content-Length: 0",
	}, more...)
	m, err := message.Parse([]byte(strings.Join(lines, "\r\n")+"\r\n\r\n"), message.DefaultLimits)
	if err != nil {
		b.t.Fatal(err)
	}
	tx := &transaction{m.(*message.Request), make(chan *message.Response, 1)}
	b.n.Subscribe(tx, event.Ask{Resource: resource, View: View, Watcher: watcher, Peer: "pc", Contact: "<sip:alice@servera.example.com>"})
	return <-tx.res
}

// hear has members' subscriptions tell something.
func (b *bed) hear(member string, u event.Update) {
	b.mu.Lock()
	h := b.held["sip:"+member+"@example.com"]
	b.mu.Unlock()
	h.on(u)
}

func (b *bed) shows(member, text string) {
	b.hear(member, event.Update{Notified: true, State: event.StateActive, ContentType: "application/pidf+xml", Body: []byte(text)})
}

func (b *bed) has(names ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.members = nil
	for _, name := range names {
		b.members = append(b.members, "sip:"+name+"@example.com")
	}
}

// idle returns once everything that was queued is done.
func (b *bed) idle() {
	done := make(chan struct{})
	b.lanes.Do(buddies, func() { close(done) })
	<-done
}

// pass lets time go by once everything that was queued is done.
func (b *bed) pass(d time.Duration) {
	b.idle()
	b.clock.Advance(d)
}

// said are the NOTIFYs there were since it was last asked, each as a line; all
// are answered with 200.
func (b *bed) said() []string {
	b.t.Helper()
	b.idle()
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for _, n := range b.notifies {
		all = append(all, line(b.t, n.Request))
		n.done(event.Outcome{Status: 200})
	}
	b.notifies = nil
	return all
}

func line(t *testing.T, req *message.Request) string {
	t.Helper()
	state, _, _ := strings.Cut(message.Get(req, "Subscription-State"), ";expires")
	if len(req.Body()) == 0 {
		return state + " without a body"
	}
	if require := message.Get(req, "Require"); require != "eventlist" {
		t.Errorf("Require: %s", require)
	}
	l, err := rlmi.Parse(message.Get(req, "Content-Type"), req.Body(), rlmi.DefaultLimits)
	if err != nil || l.URI != buddies {
		t.Errorf("%v %s", err, l.URI)
	}
	how := map[bool]string{true: "full", false: "part"}[l.Full]
	out := fmt.Sprintf("%s %d %s:", state, l.Version, how)
	for _, r := range l.Resources {
		out += " " + strings.TrimSuffix(strings.TrimPrefix(r.URI, "sip:"), "@example.com")
		for _, i := range r.Instances {
			out += "=" + i.State
			if i.Reason != "" {
				out += "/" + i.Reason
			}
			if len(i.Body) > 0 {
				text := string(i.Body)
				if len(text) > 20 {
					text = fmt.Sprint(len(text), " bytes")
				}
				out += "(" + text + ")"
			}
		}
	}
	return out
}

func (b *bed) expect(want ...string) {
	b.t.Helper()
	if got := b.said(); !slices.Equal(got, want) {
		b.t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAListFromBeginningToEnd(t *testing.T) {
	b := newBed(t, nil)
	b.has("bob", "carol", "dave", "eve")
	if res := b.subscribe(buddies, alice, "a"); res.StatusCode != 200 || message.Get(res, "Require") != "eventlist" {
		t.Fatalf("%s", message.Bytes(res))
	}
	b.shows("bob", "open")
	b.hear("carol", event.Update{Status: 403, Over: true})
	b.hear("dave", event.Update{Notified: true, State: event.StatePending})
	b.expect() // eve has not been heard of
	b.hear("eve", event.Update{Err: sip.ErrTimeout, Again: 5 * time.Second})
	b.expect("active 0 full: bob=active(open) carol=terminated/rejected dave=pending eve=terminated/probation")
	b.shows("bob", "open") // no news
	b.hear("eve", event.Update{Err: sip.ErrTimeout, Again: 10 * time.Second})
	b.pass(time.Second)
	b.expect()
	b.shows("dave", "hello")
	b.shows("eve", "back")
	b.shows("dave", "hello again")
	b.expect() // what comes together is told together
	b.pass(100 * time.Millisecond)
	b.expect("active 1 part: dave=active(hello again) eve=active(back)")
	b.hear("dave", event.Update{Notified: true, State: event.StateActive}) // nothing new is known
	b.hear("bob", event.Update{Notified: true, State: event.StateTerminated, Reason: "noresource", Over: true})
	b.hear("eve", event.Update{Notified: true, State: event.StateTerminated, Again: time.Second})
	b.pass(100 * time.Millisecond)
	b.expect("active 2 part: bob=terminated/noresource eve=terminated/giveup")

	b.has("bob", "dave", "frank", "eve")
	b.Changed(alice)
	b.pass(100 * time.Millisecond)
	b.idle()
	b.expect("active 3 full: bob=terminated/noresource dave=active(hello again) frank eve=terminated/giveup")
	b.shows("frank", "new")
	b.expect("active 4 part: frank=active(new)")
	b.has("bob", "dave", "frank", "eve", "grace")
	b.Changed()
	b.pass(500 * time.Millisecond)
	b.expect()
	b.shows("grace", "here") // with full information
	b.expect("active 5 part: grace=active(here)")

	b.mu.Lock()
	b.log = nil
	b.mu.Unlock()
	b.n.Dismiss(alice)
	b.expect("terminated;reason=rejected without a body")
	b.pass(30 * time.Second)
	b.idle()
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.Sort(b.log)
	var want []string
	for _, name := range []string{"bob", "dave", "eve", "frank", "grace"} {
		want = append(want, "end sip:"+name+"@example.com")
	}
	if !slices.Equal(b.log, want) || b.Count() != 0 {
		t.Errorf("at the end %q, %d open", b.log, b.Count())
	}
}

func TestWhoMay(t *testing.T) {
	b := newBed(t, nil)
	for _, c := range []struct {
		status            int
		resource, watcher string
		more              []string
	}{
		{403, buddies, "sip:bob@example.com", nil},
		{404, alice + ";list=enemies", alice, nil},
		{404, "sip:nobody@example.com;list=buddies", "sip:nobody@example.com", nil},
		{406, buddies, alice, []string{"Accept: application/pidf+xml"}},
	} {
		if res := b.subscribe(c.resource, c.watcher, "x", c.more...); res.StatusCode != c.status {
			t.Errorf("%s %s %v: %d, want %d", c.resource, c.watcher, c.more, res.StatusCode, c.status)
		}
	}
	if len(b.held) > 0 {
		t.Errorf("somebody was subscribed to: %v", b.log)
	}
	if res := b.subscribe(buddies, alice, "y"); res.StatusCode != 200 { // hers is empty
		t.Error(res.StatusCode)
	}
	b.expect("active 0 full:")
	b.mu.Lock()
	b.err = errors.New("no directory")
	b.mu.Unlock()
	b.Changed()
	b.expect()
	if res := b.subscribe(buddies, alice, "z"); res.StatusCode != 500 {
		t.Error(res.StatusCode)
	}
}

func TestTheFirstNotifyWaitsNoLongerThanThat(t *testing.T) {
	b := newBed(t, nil)
	b.has("bob", "carol")
	b.subscribe(buddies, alice, "a")
	b.shows("bob", "open")
	b.pass(999 * time.Millisecond)
	b.expect()
	b.subscribe(buddies, alice, "b") // her other device
	b.pass(time.Millisecond)
	b.expect("active 0 full: bob=active(open) carol", "active 0 full: bob=active(open) carol")
	b.shows("carol", "late")
	b.pass(100 * time.Millisecond)
	b.expect("active 1 part: carol=active(late)", "active 1 part: carol=active(late)")
	b.subscribe(buddies, alice, "c", "Expires: 0")
	b.expect("terminated;reason=timeout 0 full: bob=active(open) carol=active(late)")
	if len(b.log) != 2 { // one user, so that one subscription to each will do
		t.Errorf("%q", b.log)
	}
}

func TestAFetch(t *testing.T) {
	b := newBed(t, nil)
	b.has("bob", "carol")
	b.subscribe(buddies, alice, "a", "Expires: 0")
	b.shows("bob", "open")
	b.expect()
	b.shows("carol", "closed")
	b.expect("terminated;reason=timeout 0 full: bob=active(open) carol=active(closed)")
	b.pass(30 * time.Second)
	b.idle()
	if want := []string{"end sip:bob@example.com", "end sip:carol@example.com"}; b.Count() != 0 || !slices.Equal(b.log[2:], want) {
		t.Errorf("%d lists are open, %q", b.Count(), b.log)
	}
}

func TestWhoRefusedIsAskedAgain(t *testing.T) {
	b := newBed(t, nil)
	b.has("bob", "carol")
	b.subscribe(buddies, alice, "a")
	b.hear("bob", event.Update{Status: 403, Over: true})
	b.hear("carol", event.Update{Status: 404, Over: true})
	b.expect("active 0 full: bob=terminated/rejected carol=terminated/noresource")
	b.subscribe(buddies, alice, "b") // too soon
	b.expect("active 0 full: bob=terminated/rejected carol=terminated/noresource")
	if len(b.log) != 2 {
		t.Errorf("%q", b.log)
	}
	b.pass(time.Minute)
	b.subscribe(buddies, alice, "c")
	b.expect("active 0 full: bob=terminated/rejected carol=terminated/noresource")
	if len(b.log) != 4 {
		t.Errorf("%q", b.log)
	}
	b.hear("bob", event.Update{Status: 403, Over: true})
	b.idle()
	b.Reconsidered() // carol has not answered yet
	b.idle()
	if len(b.log) != 5 || b.log[4] != alice+" sip:bob@example.com" {
		t.Errorf("%q", b.log)
	}
	b.hear("bob", event.Update{Status: 403, Over: true}) // his server does not know it yet
	b.pass(time.Second)
	b.idle()
	if len(b.log) != 6 {
		t.Errorf("%q", b.log)
	}
	b.shows("bob", "open")
	b.pass(100 * time.Millisecond)
	b.expect("active 1 part: bob=active(open)", "active 1 part: bob=active(open)", "active 1 part: bob=active(open)")
}

func TestWhatDoesNotFit(t *testing.T) {
	b := newBed(t, func(cfg *Config) { cfg.Room, cfg.Most = 10_000, 4 })
	b.has("bob", "carol", "dave", "eve", "frank")
	b.subscribe(buddies, alice, "a")
	big, small := strings.Repeat("x", 5000), strings.Repeat("y", 2500)
	b.shows("bob", big)
	b.shows("carol", big)
	b.shows("dave", strings.Repeat("z", 9000)) // fits nowhere
	b.shows("eve", small)
	b.expect("active 0 full: bob=active(5000 bytes) carol dave=terminated/giveup eve")
	b.expect("active 1 part: carol=active(5000 bytes)")
	b.expect("active 2 part: eve=active(2500 bytes)")
	b.expect()
	b.shows("bob", "less")
	b.pass(100 * time.Millisecond)
	b.expect("active 3 part: bob=active(less)")
	if b.held["sip:frank@example.com"] != nil {
		t.Error("one too many is watched")
	}
}

// A watcher who was told nothing of a change, since the NOTIFY was lost, is told
// everything.
func TestALostNotify(t *testing.T) {
	b := newBed(t, nil)
	b.has("bob", "carol")
	b.subscribe(buddies, alice, "a")
	b.shows("bob", "1")
	b.shows("carol", "1")
	b.expect("active 0 full: bob=active(1) carol=active(1)")
	b.shows("bob", "2")
	b.pass(100 * time.Millisecond)
	b.idle()
	b.mu.Lock()
	b.notifies[0].done(event.Outcome{Status: 500})
	b.notifies = nil
	b.mu.Unlock()
	b.pass(5 * time.Second)
	b.expect("active 2 full: bob=active(2) carol=active(1)")
}

// TestMovedWhileLost: what a member showed stays for one Grace, also if she is asked
// elsewhere meanwhile and cannot be reached there either.
func TestMovedWhileLost(t *testing.T) {
	b := newBed(t, nil)
	b.has("bob")
	b.subscribe(buddies, alice, "a")
	b.shows("bob", "open")
	b.expect("active 0 full: bob=active(open)")
	b.hear("bob", event.Update{Err: sip.ErrTransport, Again: time.Second})
	b.pass(time.Second)
	b.Moved("sip:bob@example.com")
	b.idle()
	b.hear("bob", event.Update{Err: sip.ErrTransport, Again: time.Second})
	b.pass(30 * time.Second)
	b.idle()
	b.pass(100 * time.Millisecond)
	b.expect("active 1 part: bob=terminated/probation")
}

// TestAListThatCannotBeRead after a restart is not told to be empty, and is read
// later.
func TestAListThatCannotBeRead(t *testing.T) {
	b := newBed(t, nil)
	b.has("bob")
	b.n.Restore([]state.Subscription{{
		Half: state.Notifier, ID: "a", Package: "presence", ContentType: rlmi.BodyType, Resource: buddies, View: View, Watcher: alice, Peer: "pc",
		CallID: "a", LocalTag: "a", RemoteTag: "b", LocalAddress: "<" + alice + ">;tag=a", RemoteAddress: "<" + alice + ">;tag=b",
		Target: "sip:alice@127.0.0.1:9", Contact: "<sip:alice@servera.example.com>", State: "active", Expires: b.clock.Now().Add(time.Hour),
		Headers: []state.Field{{Name: "Require", Value: rlmi.Extension}},
	}})
	b.err = errors.New("the directory is busy")
	b.n.Start()
	b.expect("active without a body")
	b.mu.Lock()
	b.err = nil
	b.mu.Unlock()
	b.pass(time.Minute)
	b.idle()
	b.shows("bob", "open")
	b.expect("active 0 full: bob=active(open)")
}
