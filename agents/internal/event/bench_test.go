package event

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db/state"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

var (
	start = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
	alice = "sip:alice@example.com"
)

const patience = 10 * time.Second

// ua is an endpoint whose requests a test answers by hand.
type ua struct {
	t        *testing.T
	e        *sip.Endpoint
	requests chan *sip.ServerTx
	serve    func(tx *sip.ServerTx) // nil: into requests
	stop     func()
}

func (u *ua) ServeRequest(tx *sip.ServerTx) {
	if u.serve != nil {
		u.serve(tx)
		return
	}
	u.requests <- tx
}
func (u *ua) ServeAck(*message.Request, sip.Source)       {}
func (u *ua) ServeResponse(*message.Response, sip.Source) {}
func (u *ua) ConnectionClosed(sip.Source)                 {}
func (u *ua) addr() netip.AddrPort                        { return u.e.Addr("TCP") }
func (u *ua) contact() string                             { return "<sip:ua@" + u.addr().String() + ";transport=tcp>" }
func (u *ua) target(addr netip.AddrPort) (to sip.Target) {
	return sip.Target{Transport: "TCP", Addr: addr}
}

func newUA(t *testing.T, listen netip.AddrPort, serve func(tx *sip.ServerTx)) *ua {
	t.Helper()
	u := &ua{t: t, requests: make(chan *sip.ServerTx, 1000), serve: serve}
	e, err := sip.New(sip.Config{Name: "test", Listen: []sip.Listen{{Transport: "TCP", Addr: listen}}, Handler: u})
	if err != nil {
		t.Fatal(err)
	}
	u.e = e
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	u.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(u.stop)
	return u
}

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// call sends a request and waits for its final response.
func (u *ua) call(to netip.AddrPort, lines ...string) *message.Response {
	u.t.Helper()
	raw := strings.Join(lines, "\r\n") + "\r\nVia: SIP/2.0/TCP x;branch=z9hG4bKx\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
	m, err := message.Parse([]byte(raw), message.DefaultLimits)
	if err != nil {
		u.t.Fatalf("%v in\n%s", err, raw)
	}
	message.Remove(m, "Via")
	type answer struct {
		res *message.Response
		err error
	}
	answers := make(chan answer, 10)
	u.e.Send(m.(*message.Request), u.target(to), func(res *message.Response, err error) { answers <- answer{res, err} })
	for {
		select {
		case a := <-answers:
			if a.err != nil {
				u.t.Fatal(a.err)
			}
			if a.res.StatusCode >= 200 {
				return a.res
			}
		case <-time.After(patience):
			u.t.Fatal("no response")
		}
	}
}

// next waits for the next request; answer answers one.
func (u *ua) next() *sip.ServerTx {
	u.t.Helper()
	select {
	case tx := <-u.requests:
		return tx
	case <-time.After(patience):
		u.t.Fatal("no request")
		return nil
	}
}

func answer(tx *sip.ServerTx, status int, fields ...string) {
	res := message.NewResponse(tx.Request(), status, "", "answertag")
	for i := 0; i < len(fields); i += 2 {
		message.Add(res, fields[i], fields[i+1])
	}
	_ = tx.Respond(res)
}

// notify takes the next NOTIFY, answers it 200, and tells it in short.
func (u *ua) notify() string {
	u.t.Helper()
	tx := u.next()
	answer(tx, 200)
	return short(tx)
}

func short(tx *sip.ServerTx) string {
	req := tx.Request()
	return fmt.Sprintf("%s %s|%s|%s", req.Method, message.Get(req, "CSeq"), message.Get(req, "Subscription-State"), req.Body())
}

// quiet fails where a request waits that nobody expected. The lanes must be idle.
func (u *ua) quiet() {
	u.t.Helper()
	select {
	case tx := <-u.requests:
		u.t.Errorf("unexpected: %s", short(tx))
	default:
	}
}

// failing is a store that can be told to fail.
type failing struct {
	*state.Store
	mu  sync.Mutex
	err error
}

func (f *failing) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *failing) Commit(do func(*state.Tx) error, done func(error)) {
	f.mu.Lock()
	err := f.err
	f.mu.Unlock()
	f.Store.Commit(func(tx *state.Tx) error { return errors.Join(do(tx), err) }, done)
}

func openStore(t *testing.T, path string) (*failing, []state.Subscription, func()) {
	t.Helper()
	store, err := state.Open(path, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	snap, err := store.Load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- store.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, store.Close()); err != nil {
			t.Error(err)
		}
	})
	return &failing{Store: store}, snap.Subscriptions, stop
}

func loadState(t *testing.T, path string) []state.Subscription {
	t.Helper()
	s, err := state.Open(path, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	snap, err := s.Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return snap.Subscriptions
}

// server is a notifier behind a socket, with one package whose state is a text.
type server struct {
	*ua
	n     *Notifier
	lanes *Lanes
	clock *clock.Manual
	store *failing
	path  string
	snap  []state.Subscription // what was in the file
	end   func()               // as kill -9 would, but for the socket's goodbye

	mu      sync.Mutex
	text    string
	verdict map[string]Decision // by watcher; missing: active
	decide  error
	ended   []string
	asked   int
	fulls   []bool
}

func (s *server) set(text string) {
	s.mu.Lock()
	s.text = text
	s.mu.Unlock()
	s.lanes.Do(alice, func() { s.n.Changed(alice, "presence", nil) })
}

func (s *server) judge(watcher string, d Decision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verdict[watcher] = d
}

func (s *server) idle() {
	done := make(chan struct{})
	s.lanes.Do(alice, func() { close(done) })
	<-done
}

func newServer(t *testing.T, change func(cfg *NotifierConfig)) *server {
	t.Helper()
	return serverAt(t, filepath.Join(t.TempDir(), "state.db"), loopback, change)
}

func serverAt(t *testing.T, path string, listen netip.AddrPort, change func(cfg *NotifierConfig)) *server {
	t.Helper()
	s := &server{path: path, lanes: &Lanes{}, clock: clock.NewManual(start), text: "one", verdict: map[string]Decision{}}
	var stopStore func()
	s.store, s.snap, stopStore = openStore(t, path)
	cfg := NotifierConfig{
		Packages: []Package{s.presence(), {Name: "presence.winfo", Types: []string{"application/watcherinfo+xml"}}},
		Lanes:    s.lanes, Store: s.store, Clock: s.clock,
		Send: func(n *Notice, done func(Outcome)) {
			addr, err := netip.ParseAddrPort(fmt.Sprintf("%s:%d", n.Hop.Host, n.Hop.Port))
			if err != nil {
				done(Outcome{Err: err})
				return
			}
			n.Send(s.e, sip.Target{Flow: n.Source.Flow, Transport: "TCP", Addr: addr}, done)
		},
	}
	if change != nil {
		change(&cfg)
	}
	s.n = NewNotifier(cfg)
	s.ua = newUA(t, listen, func(tx *sip.ServerTx) {
		to, _ := message.To(tx.Request())
		from, _ := message.From(tx.Request())
		if to.Tag() != "" {
			if peer := message.Get(tx.Request(), "X-Silent-Peer"); peer != "" { // it asserts nobody
				s.n.Refresh(tx, "", peer)
				return
			}
			s.n.Refresh(tx, message.AOR(from.URI), "peer")
			return
		}
		s.n.Subscribe(tx, Ask{
			Resource: message.AOR(to.URI), View: cmp.Or(message.Get(tx.Request(), "X-View"), "composed"), Watcher: message.AOR(from.URI), Peer: "peer",
			Contact: s.contact(), Headers: []state.Field{{Name: "P-Asserted-Identity", Value: "<" + alice + ">"}},
		})
	})
	s.end = sync.OnceFunc(func() {
		s.lanes.Close()
		s.n.Close()
		s.ua.stop()
		stopStore()
	})
	t.Cleanup(s.end)
	return s
}

func (s *server) presence() Package {
	return Package{
		Name: "presence", Types: []string{"application/pidf+xml", "text/plain"}, Min: time.Minute, Max: 2 * time.Hour, Default: time.Hour,
		Decide: func(sub *Subscription) (Decision, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if d, ok := s.verdict[sub.Watcher()]; ok {
				return d, s.decide
			}
			return Decision{Verdict: Active, Treatment: "all"}, s.decide
		},
		Body: func(sub *Subscription, full bool, version uint64) (Body, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.asked++
			s.fulls = append(s.fulls, full)
			if s.text == "" {
				return Body{}, nil
			}
			return Body{Bytes: []byte(sub.Treatment() + ":" + s.text)}, nil
		},
		Ended: func(_ *Subscription, reason string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.ended = append(s.ended, reason)
		},
	}
}

// subscribe are the lines of bob's SUBSCRIBE; further ones replace those of the
// same name, and an empty value takes them out.
func (u *ua) subscribe(name string, cseq int, more ...string) []string {
	lines := []string{
		"SUBSCRIBE " + alice + " SIP/2.0", "From: \"B, ob\" <sip:bob@example.com>;tag=" + name, "To: <" + alice + ">", "Call-ID: call-" + name,
		fmt.Sprintf("CSeq: %d SUBSCRIBE", cseq), "Contact: " + u.contact(), "Event: presence", "Expires: 600",
	}
	for _, m := range more {
		name, _, _ := strings.Cut(m, ":")
		for i, l := range lines {
			if strings.HasPrefix(l, name+":") {
				lines = append(lines[:i], lines[i+1:]...)
				break
			}
		}
		if !strings.HasSuffix(m, ":") {
			lines = append(lines, m)
		}
	}
	return lines
}

func toTag(res *message.Response) string {
	to, _ := message.To(res)
	return "To: <" + alice + ">;tag=" + to.Tag()
}
