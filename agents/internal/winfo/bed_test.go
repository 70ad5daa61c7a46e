package winfo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/event"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/agents/internal/watcherinfo"
	"presfed/db/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	alice = "sip:alice@example.com"
	bob   = "sip:bob@example.com"
	carol = "sip:carol@example.com"
)

// bed is a notifier of presence, whose documents are empty, and of who watches.
type bed struct {
	t        *testing.T
	path     string
	clock    *clock.Manual
	lanes    *event.Lanes
	notifier *event.Notifier
	winfo    *Winfo
	stop     func()
	full     atomic.Bool // nothing more can be written

	mu      sync.Mutex
	policy  map[string]event.Verdict // by watcher; Pending where nothing is said
	told    []watcherinfo.Document   // to alice, of her watchers
	sizes   []int
	dialogs map[string]string // Call-ID to our tag
	table   watcherinfo.Table
	cseq    int
}

func newBed(t *testing.T, change func(*Config)) *bed {
	b := &bed{t: t, path: filepath.Join(t.TempDir(), "state"), clock: clock.NewManual(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)),
		policy: map[string]event.Verdict{}, dialogs: map[string]string{}}
	b.start(change)
	t.Cleanup(func() { b.stop() })
	return b
}

// start is a process; stop ends it with what it acknowledged.
func (b *bed) start(change func(*Config)) {
	b.t.Helper()
	store, err := state.Open(b.path, state.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	snapshot, err := store.Load(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- store.Run(ctx) }()
	b.lanes = &event.Lanes{}
	kept := filling{store, &b.full}
	cfg := Config{Package: "presence", Lanes: b.lanes, Store: kept, Clock: b.clock, Policy: func(_, watcher string) (event.Verdict, error) {
		return b.verdict(watcher), nil
	}}
	if change != nil {
		change(&cfg)
	}
	b.winfo = New(cfg)
	b.notifier = event.NewNotifier(event.NotifierConfig{Lanes: b.lanes, Store: kept, Clock: b.clock, Send: b.send, Packages: []event.Package{
		{
			Name: "presence", Types: []string{"text/plain"},
			Decide: func(s *event.Subscription) (event.Decision, error) {
				return event.Decision{Verdict: b.verdict(s.Watcher())}, nil
			},
			Body: func(*event.Subscription, bool, uint64) (event.Body, error) {
				return event.Body{Bytes: []byte("x")}, nil
			},
			Keep: b.winfo.Keep, Began: b.winfo.Began, Settled: b.winfo.Settled, Ended: b.winfo.Ended,
		},
		b.winfo.Package(),
	}})
	b.winfo.Bind(b.notifier)
	b.winfo.Restore(snapshot.Asking)
	b.notifier.Restore(snapshot.Subscriptions)
	b.notifier.Start()
	b.winfo.Start()
	b.idle()
	stopped := false
	b.stop = func() {
		if stopped {
			return
		}
		stopped = true
		b.lanes.Close()
		b.notifier.Close()
		b.winfo.Close()
		cancel()
		<-ran
		if err := store.Close(); err != nil {
			b.t.Error(err)
		}
	}
}

// filling is a store whose disk may be full.
type filling struct {
	event.Store
	full *atomic.Bool
}

func (f filling) Commit(do func(tx *state.Tx) error, done func(error)) {
	if f.full.Load() {
		done(errors.New("no space left"))
		return
	}
	f.Store.Commit(do, done)
}

func (b *bed) verdict(watcher string) event.Verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	if v, ok := b.policy[watcher]; ok {
		return v
	}
	return event.Pending
}

// judge decides, and has it act.
func (b *bed) judge(watcher string, v event.Verdict) {
	b.t.Helper()
	b.mu.Lock()
	b.policy[watcher] = v
	b.mu.Unlock()
	b.notifier.Redecide(alice)
	b.winfo.PolicyChanged(alice)
	b.idle()
}

// idle waits until nothing is under way in alice's lane.
func (b *bed) idle() {
	for range 8 {
		done := make(chan struct{})
		b.lanes.Do(alice, func() { close(done) })
		<-done
	}
}

// pass has time pass.
func (b *bed) pass(d time.Duration) {
	b.clock.Advance(d)
	b.idle()
}

func (b *bed) send(n *event.Notice, done func(event.Outcome)) {
	m, err := message.Parse(n.Bytes("SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1"), message.DefaultLimits)
	if err != nil {
		b.t.Error(err)
	} else if body := m.Body(); message.Get(m, "Event") == "presence.winfo" && len(body) > 0 {
		doc, err := watcherinfo.Parse(body)
		if err != nil {
			b.t.Errorf("%v\n%s", err, body)
		}
		b.mu.Lock()
		b.told, b.sizes = append(b.told, doc), append(b.sizes, len(body))
		b.table.Take(doc)
		b.mu.Unlock()
	}
	done(event.Outcome{Status: 200})
}

type transaction struct {
	req    *message.Request
	answer chan *message.Response
}

func (tx *transaction) Request() *message.Request           { return tx.req }
func (tx *transaction) Source() sip.Source                  { return sip.Source{} }
func (tx *transaction) Respond(res *message.Response) error { tx.answer <- res; return nil }

// subscribe is a SUBSCRIBE about alice; call names its dialog.
func (b *bed) subscribe(watcher, call, pkg string, expires time.Duration, fields ...string) int {
	b.t.Helper()
	b.cseq++
	b.clock.Advance(time.Millisecond) // who came first is known
	req := message.NewRequest(message.SUBSCRIBE, message.URI{Scheme: "sip", User: "alice", Host: "example.com"})
	from := "<" + watcher + ">;tag=w"
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == "From" {
			from = fields[i+1] + ";tag=w"
		}
	}
	to := "<" + alice + ">"
	tag, inside := b.dialogs[call]
	if inside {
		to += ";tag=" + tag
	}
	for _, f := range [][2]string{
		{"Via", "SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK" + fmt.Sprint(b.cseq)}, {"From", from}, {"To", to}, {"Call-ID", call},
		{"CSeq", fmt.Sprint(b.cseq, " SUBSCRIBE")}, {"Contact", "<sip:w@127.0.0.1>"}, {"Event", pkg}, {"Expires", event.Seconds(expires)},
	} {
		message.Add(req, f[0], f[1])
	}
	tx := &transaction{req, make(chan *message.Response, 1)}
	if inside {
		b.notifier.Refresh(tx, watcher, "")
	} else {
		view := ""
		if strings.HasSuffix(pkg, Suffix) {
			view = View
		}
		b.notifier.Subscribe(tx, event.Ask{Resource: alice, View: view, Watcher: watcher, Contact: "<sip:alice@127.0.0.1>"})
	}
	res := <-tx.answer
	b.idle()
	if res.StatusCode == 200 && expires > 0 {
		got, _ := message.To(res)
		b.dialogs[call] = got.Tag()
	} else if res.StatusCode == 200 {
		delete(b.dialogs, call)
	}
	return res.StatusCode
}

// watch has alice told of her watchers, and gives the first document.
func (b *bed) watch() string {
	b.t.Helper()
	if status := b.subscribe(alice, "w", "presence.winfo", time.Hour); status != 200 {
		b.t.Fatalf("answered %d", status)
	}
	return b.news()
}

// news is what she was told since, a document after another.
func (b *bed) news() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var docs []string
	for _, d := range b.told {
		words := []string{fmt.Sprintf("%d:%v", d.Version, map[bool]string{true: "full", false: "partial"}[d.Full])}
		for _, w := range d.Lists[0].Watchers {
			user, _, _ := strings.Cut(strings.TrimPrefix(w.URI, "sip:"), "@")
			words = append(words, fmt.Sprintf("%s=%s/%s", user, w.Status, w.Event))
		}
		docs = append(docs, strings.Join(words, " "))
	}
	b.told = nil
	return strings.Join(docs, "; ")
}

func (b *bed) expect(got, want string) {
	b.t.Helper()
	if got != want {
		b.t.Errorf("got  %s\nwant %s", got, want)
	}
}
