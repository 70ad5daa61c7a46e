package presence

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/event"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db/state"
	"presfed/pidf"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

const (
	patience = 10 * time.Second
	alice    = "sip:alice@example.com"
	bob      = "sip:bob@example.com"
)

var (
	start    = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
	loopback = netip.MustParseAddrPort("127.0.0.1:0")
)

// server is Presence with its notifier, store and socket.
type server struct {
	t     *testing.T
	p     *Presence
	n     *event.Notifier
	lanes *event.Lanes
	clock *clock.Manual
	store *brake
	snap  state.Snapshot
	e     *sip.Endpoint
	path  string
	end   func()

	mu     sync.Mutex
	policy map[string]Treatment // by watcher; missing: allow
}

// brake is a store that can be held up, or told to fail.
type brake struct {
	*state.Store
	mu   sync.Mutex
	err  error
	hold chan struct{}
	held int // operations that came since it is held up
}

func (b *brake) Commit(do func(*state.Tx) error, done func(error)) {
	b.mu.Lock()
	err, hold := b.err, b.hold
	b.mu.Unlock()
	b.Store.Commit(func(tx *state.Tx) error {
		if hold != nil {
			<-hold
		}
		return errors.Join(do(tx), err)
	}, done)
	b.mu.Lock()
	b.held++
	b.mu.Unlock()
}

// holdUp holds up what is committed from now on until release.
func (b *brake) holdUp() (release func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	hold := make(chan struct{})
	b.hold, b.held = hold, 0
	return func() { close(hold) }
}

// queued is how many operations have come since.
func (b *brake) queued() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

func (b *brake) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func newServer(t *testing.T, change func(cfg *Config)) *server {
	t.Helper()
	return serverAt(t, filepath.Join(t.TempDir(), "state.db"), start, change)
}

func serverAt(t *testing.T, path string, now time.Time, change func(cfg *Config)) *server {
	t.Helper()
	s := &server{t: t, path: path, lanes: &event.Lanes{}, clock: clock.NewManual(now), policy: map[string]Treatment{}}
	store, err := state.Open(path, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.store = &brake{Store: store}
	if s.snap, err = store.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	cfg := Config{Lanes: s.lanes, Store: s.store, Clock: s.clock, Max: time.Hour, Policy: func(presentity, watcher string) (Treatment, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if treatment, ok := s.policy[watcher]; ok {
			return treatment, nil
		}
		return Allow, nil
	}}
	if change != nil {
		change(&cfg)
	}
	s.p = New(cfg)
	s.n = event.NewNotifier(event.NotifierConfig{
		Packages: []event.Package{s.p.Package()}, Lanes: s.lanes, Store: s.store, Clock: s.clock,
		Send: func(n *event.Notice, done func(event.Outcome)) {
			addr := netip.MustParseAddrPort(fmt.Sprintf("%s:%d", n.Hop.Host, n.Hop.Port))
			n.Send(s.e, sip.Target{Transport: "TCP", Addr: addr}, done)
		},
	})
	s.p.Bind(s.n)
	if s.e, err = sip.New(sip.Config{Name: "server", Listen: []sip.Listen{{Transport: "TCP", Addr: loopback}}, Handler: s}); err != nil {
		t.Fatal(err)
	}
	s.p.Restore(s.snap.Publications)
	s.n.Restore(s.snap.Subscriptions)
	go func() { ended <- s.e.Run(ctx) }()
	storeCtx, stopStore := context.WithCancel(context.Background())
	go func() { ended <- store.Run(storeCtx) }()
	s.n.Start()
	s.end = sync.OnceFunc(func() {
		s.lanes.Close()
		s.n.Close()
		s.p.Close()
		cancel()
		stopStore()
		if err := errors.Join(<-ended, <-ended, store.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.end)
	return s
}

func (s *server) ServeRequest(tx *sip.ServerTx) {
	to, _ := message.To(tx.Request())
	from, _ := message.From(tx.Request())
	view := Composed
	if to.URI.Host != "example.com" {
		view, to.URI.Host = Own, "example.com"
	}
	switch message.Method(tx.Request()) {
	case message.PUBLISH:
		s.p.Publish(tx, message.AOR(to.URI))
	case message.SUBSCRIBE:
		if to.Tag() != "" {
			s.n.Refresh(tx, message.AOR(from.URI), message.AOR(from.URI))
			return
		}
		s.n.Subscribe(tx, event.Ask{
			Resource: message.AOR(to.URI), View: view, Watcher: message.AOR(from.URI), Peer: message.AOR(from.URI),
			Contact: "<sip:server@" + s.e.Addr("TCP").String() + ">",
		})
	default:
		_ = tx.Respond(message.NewResponse(tx.Request(), 200, "", "t"))
	}
}
func (s *server) ServeAck(*message.Request, sip.Source)       {}
func (s *server) ServeResponse(*message.Response, sip.Source) {}
func (s *server) ConnectionClosed(sip.Source)                 {}

func (s *server) judge(watcher string, treatment Treatment) {
	s.mu.Lock()
	s.policy[watcher] = treatment
	s.mu.Unlock()
	s.p.PolicyChanged(alice)
}

func (s *server) idle() {
	done := make(chan struct{})
	s.lanes.Do(alice, func() { close(done) })
	<-done
}

// device publishes and watches.
type device struct {
	t       *testing.T
	e       *sip.Endpoint
	s       *server
	notices chan *message.Request
	n       int
}

func newDevice(t *testing.T, s *server) *device {
	t.Helper()
	d := &device{t: t, s: s, notices: make(chan *message.Request, 1000)}
	e, err := sip.New(sip.Config{Name: "device", Listen: []sip.Listen{{Transport: "TCP", Addr: loopback}}, Handler: d})
	if err != nil {
		t.Fatal(err)
	}
	d.e = e
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return d
}

func (d *device) ServeRequest(tx *sip.ServerTx) {
	_ = tx.Respond(message.NewResponse(tx.Request(), 200, "", "t"))
	d.notices <- tx.Request()
}
func (d *device) ServeAck(*message.Request, sip.Source)       {}
func (d *device) ServeResponse(*message.Response, sip.Source) {}
func (d *device) ConnectionClosed(sip.Source)                 {}

// send starts a request; its final response comes by the channel.
func (d *device) send(method, to, from, body string, fields ...string) chan *message.Response {
	d.t.Helper()
	uri, err := message.ParseURI(to)
	if err != nil {
		d.t.Fatal(err)
	}
	d.n++
	req := message.NewRequest(method, uri)
	for i, v := range []string{
		"From", "<" + from + ">;tag=" + fmt.Sprint(d.n), "To", "<" + to + ">", "Call-ID", fmt.Sprint("call", d.n, d.e.Addr("TCP")), "CSeq", "1 " + method, "Max-Forwards", "70",
		"Contact", "<sip:device@" + d.e.Addr("TCP").String() + ">", "Event", "presence", "Content-Type", ContentType,
	} {
		if i%2 == 1 {
			message.Add(req, [...]string{"From", "To", "Call-ID", "CSeq", "Max-Forwards", "Contact", "Event", "Content-Type"}[i/2], v)
		}
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		if message.Remove(req, name); value != "" {
			message.Add(req, name, value)
		}
	}
	message.SetBody(req, "", []byte(body))
	answers := make(chan *message.Response, 1)
	d.e.Send(req, sip.Target{Transport: "TCP", Addr: d.s.e.Addr("TCP")}, func(res *message.Response, err error) {
		if err != nil {
			d.t.Error(err)
			close(answers)
		} else if res.StatusCode >= 200 {
			answers <- res
		}
	})
	return answers
}

func (d *device) call(method, to, from, body string, fields ...string) *message.Response {
	d.t.Helper()
	select {
	case res := <-d.send(method, to, from, body, fields...):
		if res != nil {
			return res
		}
	case <-time.After(patience):
	}
	d.t.Fatal("no response")
	return nil
}

func (d *device) publish(body string, fields ...string) *message.Response {
	d.t.Helper()
	return d.call(message.PUBLISH, alice, alice, body, fields...)
}

// published publishes what must be taken, and returns the entity-tag.
func (d *device) published(body string, fields ...string) string {
	d.t.Helper()
	res := d.publish(body, fields...)
	if res.StatusCode != 200 {
		d.t.Fatalf("PUBLISH: %s", message.Bytes(res))
	}
	return message.Get(res, "SIP-ETag")
}

func (d *device) watch(to, from string, fields ...string) {
	d.t.Helper()
	if res := d.call(message.SUBSCRIBE, to, from, "", fields...); res.StatusCode != 200 {
		d.t.Fatalf("SUBSCRIBE: %s", message.Bytes(res))
	}
}

// notice is the next NOTIFY in short: its state, then what its document says.
func (d *device) notice() string {
	d.t.Helper()
	select {
	case req := <-d.notices:
		return message.Get(req, "Subscription-State") + " " + says(d.t, req.Body())
	case <-time.After(patience):
		d.t.Fatal("no NOTIFY")
		return ""
	}
}

func (d *device) quiet() {
	d.t.Helper()
	d.s.idle()
	select {
	case req := <-d.notices:
		d.t.Errorf("unexpected: %s", message.Bytes(req))
	default:
	}
}

// says is a document in a few words: the tuples' contacts and status, the
// activities, and "sources" where it tells them.
func says(t *testing.T, body []byte) string {
	t.Helper()
	if len(body) == 0 {
		return "nothing"
	}
	d, err := pidf.Parse(body, pidf.Limits{})
	if err != nil {
		t.Fatalf("%v in\n%s", err, body)
	}
	if d.Entity != alice {
		t.Errorf("entity %s", d.Entity)
	}
	var words []string
	for _, tuple := range d.Tuples {
		words = append(words, tuple.Contact+"="+string(tuple.Basic))
	}
	slices.Sort(words) // publications stand in no order of ours
	for _, p := range d.Persons {
		words = append(words, p.ActivityNames()...)
	}
	if strings.Contains(string(body), "ource") {
		words = append(words, "sources")
	}
	return strings.Join(words, " ")
}

// doc is a document with one tuple, and a person who does activity unless that
// is empty.
func doc(contact, basic, activity string) string {
	person := ""
	if activity != "" {
		person = `<dm:person id="p"><rpid:activities><rpid:` + activity + `/></rpid:activities><dm:timestamp>2030-01-02T10:00:00Z</dm:timestamp></dm:person>`
	}
	return `<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="` + alice + `">` +
		`<tuple id="t"><status><basic>` + basic + `</basic></status><contact>` + contact + `</contact></tuple>` + person + `</presence>`
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
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
