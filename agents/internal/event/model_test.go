package event

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db/state"
)

// far is the other end of a model's links: it holds every NOTIFY until the model
// says what becomes of it, and judges what it sees.
type far struct {
	mu       sync.Mutex
	flying   map[string]*flight // by Call-ID
	cseq     map[string]uint32
	last     map[string]string // what each watcher knows: state and body
	fault    error
	restarts int
}

type flight struct {
	does string
	done func(Outcome)
}

func (f *far) send(n *Notice, done func(Outcome)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, err := message.Parse(n.Bytes("SIP/2.0/TCP x;branch=z9hG4bKx"), message.DefaultLimits)
	if err != nil {
		f.fault = err
		return
	}
	id := message.CallID(m)
	cseq, _ := message.CSeqOf(m)
	if cseq.Seq <= f.cseq[id] {
		f.fault = fmt.Errorf("%s: CSeq %d after %d", id, cseq.Seq, f.cseq[id])
	}
	if f.flying[id] != nil {
		f.fault = fmt.Errorf("%s: two in flight", id)
	}
	f.cseq[id] = cseq.Seq
	value, _, _ := strings.Cut(message.Get(m, "Subscription-State"), ";expires")
	f.flying[id] = &flight{does: value + " " + string(m.Body()), done: done}
}

// end decides about the NOTIFY in flight to one watcher, if there is one.
func (f *far) end(id string, o Outcome) bool {
	f.mu.Lock()
	fl := f.flying[id]
	delete(f.flying, id)
	if fl != nil && o.Err == nil && o.Status == 200 {
		f.last[id] = fl.does
	}
	f.mu.Unlock()
	if fl != nil {
		fl.done(o)
	}
	return fl != nil
}

func (f *far) crash() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.flying)
}

func (f *far) check(t *rapid.T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault != nil {
		t.Fatal(f.fault)
	}
}

// request stands in for a server transaction.
type request struct {
	req    *message.Request
	status chan int
}

func (r *request) Request() *message.Request { return r.req }
func (r *request) Source() sip.Source        { return sip.Source{} }
func (r *request) Respond(res *message.Response) error {
	r.status <- res.StatusCode
	return nil
}

func newRequest(t *rapid.T, who, toTag string, cseq uint32) *request {
	raw := fmt.Sprintf("SUBSCRIBE %s SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bKx\r\nFrom: <sip:%s@example.com>;tag=%s\r\nTo: <%s>%s\r\n"+
		"Call-ID: %s\r\nCSeq: %d SUBSCRIBE\r\nContact: <sip:%s@127.0.0.1>\r\nEvent: presence\r\nExpires: 3600\r\n\r\n", alice, who, who, alice, toTag, who, cseq, who)
	m, err := message.Parse([]byte(raw), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return &request{req: m.(*message.Request), status: make(chan int, 1)}
}

// TestEveryWatcherEndsUpKnowingTheNewest drives a notifier through changes,
// failures, lost links, policy and restarts, and then lets everything arrive.
func TestEveryWatcherEndsUpKnowingTheNewest(t *testing.T) {
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		f := &far{flying: map[string]*flight{}, cseq: map[string]uint32{}, last: map[string]string{}}
		var mu sync.Mutex
		text := "text 0"
		verdicts := map[string]Verdict{}
		watchers := []string{"w0", "w1", "w2"}
		for _, w := range watchers {
			verdicts[w] = Active
		}
		manual := clock.NewManual(start)
		path := filepath.Join(dir, fmt.Sprint(runs, ".db"))
		window := rapid.IntRange(1, 3).Draw(t, "window")
		windowBytes := rapid.SampledFrom([]int{1, 1000, 1 << 20}).Draw(t, "window in bytes")

		var n *Notifier
		var lanes *Lanes
		var stop func()
		boot := func() {
			store, snap, stopStore, err := openModelStore(path)
			if err != nil {
				t.Fatal(err)
			}
			lanes = &Lanes{}
			n = NewNotifier(NotifierConfig{
				Lanes: lanes, Store: store, Clock: manual, Window: window, WindowBytes: windowBytes, Send: f.send,
				Packages: []Package{{
					Name: "presence", Types: []string{"text/plain"}, Max: 100 * time.Hour,
					Decide: func(s *Subscription) (Decision, error) {
						mu.Lock()
						defer mu.Unlock()
						return Decision{Verdict: verdicts[s.CallID()], Treatment: "all"}, nil
					},
					Body: func(*Subscription, bool, uint64) (Body, error) {
						mu.Lock()
						defer mu.Unlock()
						return Body{Bytes: []byte(text)}, nil
					},
				}},
			})
			n.Restore(snap)
			n.Start()
			stop = func() { lanes.Close(); n.Close(); stopStore() }
		}
		boot()
		defer func() { stop() }()
		idle := func() {
			done := make(chan struct{})
			lanes.Do(alice, func() { close(done) })
			<-done
		}
		tags, seqs := map[string]string{}, map[string]uint32{}
		for _, w := range watchers {
			seqs[w] = 1
			r := newRequest(t, w, "", 1)
			n.Subscribe(r, Ask{Resource: alice, Watcher: "sip:" + w + "@example.com", Peer: "link", Contact: "<sip:s@127.0.0.1>"})
			if status := <-r.status; status != 200 {
				t.Fatal(status)
			}
		}
		for _, s := range n.Subscriptions(alice) {
			tags[s.CallID()] = ";tag=" + s.rec.LocalTag
		}
		who := func() string { return rapid.SampledFrom(watchers).Draw(t, "who") }
		t.Repeat(map[string]func(*rapid.T){
			"change": func(t *rapid.T) {
				mu.Lock()
				text = fmt.Sprint("text ", rapid.IntRange(1, 1000).Draw(t, "text"))
				mu.Unlock()
				lanes.Do(alice, func() { n.Changed(alice, "presence", nil) })
			},
			"answer": func(t *rapid.T) { f.end(who(), Outcome{Status: 200}) },
			"refuse": func(t *rapid.T) {
				status := rapid.SampledFrom([]int{500, 503}).Draw(t, "status") // what may pass
				f.end(who(), Outcome{Status: status, RetryAfter: time.Duration(rapid.IntRange(0, 1).Draw(t, "after")) * 7 * time.Second})
			},
			"lose": func(t *rapid.T) { f.end(who(), Outcome{Err: sip.ErrTransport}) },
			"time": func(t *rapid.T) {
				manual.Advance(time.Duration(rapid.IntRange(1, 20).Draw(t, "seconds")) * time.Second)
			},
			"resume": func(*rapid.T) { n.Resume("link") },
			"refresh": func(t *rapid.T) {
				w := who()
				seqs[w]++
				r := newRequest(t, w, tags[w], seqs[w])
				n.Refresh(r, "", "link")
				if status := <-r.status; status != 200 && verdicts[w] != Rejected {
					t.Fatalf("refresh of %s: %d", w, status)
				}
			},
			"policy": func(t *rapid.T) {
				w := who()
				mu.Lock()
				if verdicts[w] != Rejected { // what is over stays over
					verdicts[w] = rapid.SampledFrom([]Verdict{Active, Active, Pending, Rejected}).Draw(t, "verdict")
				}
				mu.Unlock()
				n.Redecide(alice)
			},
			"restart": func(t *rapid.T) {
				if f.restarts++; f.restarts > 3 {
					t.Skip("each takes its time")
				}
				idle()
				stop()
				f.crash()
				boot()
			},
			"": func(t *rapid.T) { idle(); f.check(t) },
		})
		// Now everything gets through.
		for range 200 {
			idle()
			arrived := false
			for _, w := range watchers {
				arrived = f.end(w, Outcome{Status: 200}) || arrived
			}
			if !arrived {
				manual.Advance(2 * time.Second)
			}
		}
		idle()
		f.check(t)
		mu.Lock()
		defer mu.Unlock()
		for _, w := range watchers {
			want := map[Verdict]string{Active: "active " + text, Pending: "pending ", Rejected: "terminated;reason=rejected "}[verdicts[w]]
			if got := f.last[w]; got != want {
				t.Errorf("%s knows %q, want %q", w, got, want)
			}
		}
	})
}

func openModelStore(path string) (Store, []state.Subscription, func(), error) {
	store, err := state.Open(path, state.Options{Gather: -1})
	if err != nil {
		return nil, nil, nil, err
	}
	snap, err := store.Load(context.Background())
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- store.Run(ctx) }()
	return store, snap.Subscriptions, func() { cancel(); _ = errors.Join(<-ended, store.Close()) }, err
}
