package event

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db/state"
)

// subscriber is a Subscriber behind a socket; far is the notifier, played by
// hand.
type subscriber struct {
	*ua
	s       *Subscriber
	lanes   *Lanes
	clock   *clock.Manual
	updates chan string
	far     *ua
	path    string
	snap    []state.Subscription
	end     func()
}

func newSubscriber(t *testing.T, far *ua, path string) *subscriber {
	t.Helper()
	w := &subscriber{lanes: &Lanes{}, clock: clock.NewManual(start), updates: make(chan string, 100), far: far, path: path}
	store, snap, stopStore := openStore(t, path)
	w.snap = snap
	w.s = NewSubscriber(SubscriberConfig{
		Packages: []string{"presence"}, Lanes: w.lanes, Store: store, Clock: w.clock,
		Send: func(out Outgoing, done func(*message.Response, error)) {
			addr := netip.MustParseAddrPort(fmt.Sprintf("%s:%d", out.Hop.Host, out.Hop.Port))
			w.e.Send(out.Request, w.target(addr), func(res *message.Response, err error) {
				if err != nil || res.StatusCode >= 200 {
					done(res, err)
				}
			})
		},
		Credentials: func(req *message.Request, challenge *message.Response) bool {
			message.Set(req, "Authorization", "Digest for "+message.Get(challenge, "WWW-Authenticate"))
			return true
		},
	})
	w.ua = newUA(t, loopback, func(tx *sip.ServerTx) { w.s.Notify(tx) })
	w.end = func() {
		w.lanes.Close()
		w.s.Close()
		w.ua.stop()
		stopStore()
	}
	t.Cleanup(func() {
		if w.end != nil {
			w.end()
		}
	})
	return w
}

func (w *subscriber) want() Wanted {
	return Wanted{
		Key: alice, Package: "presence", URI: "sip:alice@" + w.far.addr().String(), From: `"Bob" <sip:bob@example.com>`, Contact: w.contact(),
		Accept: []string{"application/pidf+xml"}, Expires: 10 * time.Minute, Headers: []state.Field{{Name: "X-Extra", Value: "yes"}}, Peer: "far",
		Resource: alice, Durable: true,
	}
}

// hear writes an update in short into updates.
func (w *subscriber) hear(_ *Watch, u Update) {
	s := fmt.Sprintf("%s %s %s", u.State, u.Reason, u.Body)
	if u.Status != 0 {
		s += fmt.Sprint(" status ", u.Status)
	}
	if u.Err != nil {
		s += " error"
	}
	if u.Again != 0 {
		s += " again " + u.Again.String()
	}
	if u.Over {
		s += " over"
	}
	w.updates <- strings.TrimSpace(s)
}

func (w *subscriber) update(want string) {
	w.t.Helper()
	select {
	case got := <-w.updates:
		if got != want {
			w.t.Errorf("update %q, want %q", got, want)
		}
		w.idle() // what it leads to is done
	case <-time.After(patience):
		w.t.Fatalf("no update, want %q", want)
	}
}

func (w *subscriber) idle() {
	done := make(chan struct{})
	w.lanes.Do(alice, func() { close(done) })
	<-done
}

// fork is one of the notifier's dialogs, as it answers a SUBSCRIBE.
type fork struct {
	far       *ua
	subscribe *sip.ServerTx
	tag       string
	cseq      int
}

// notify sends a NOTIFY and returns the status of its answer.
func (f *fork) notify(stateOf, body string, more ...string) int {
	f.far.t.Helper()
	req := f.subscribe.Request()
	contact, err := message.AddressOf(req, "Contact")
	if err != nil {
		f.far.t.Fatal(err)
	}
	f.cseq++
	lines := []string{
		"NOTIFY " + contact.URI.String() + " SIP/2.0", "From: " + message.Get(req, "To") + ";tag=" + f.tag, "To: " + message.Get(req, "From"),
		"Call-ID: " + message.CallID(req), fmt.Sprintf("CSeq: %d NOTIFY", f.cseq), "Contact: " + f.far.contact(), "Event: presence",
		"Subscription-State: " + stateOf,
	}
	if body != "" {
		lines = append(lines, "Content-Type: application/pidf+xml")
	}
	for _, m := range more {
		name, _, _ := strings.Cut(m, ":")
		for i, l := range lines {
			if strings.HasPrefix(l, name+":") {
				lines[i] = m
				m = ""
				break
			}
		}
		if m != "" {
			lines = append(lines, m)
		}
	}
	m, err := message.Parse([]byte(strings.Join(lines, "\r\n")+"\r\nVia: SIP/2.0/TCP x;branch=z9hG4bKx\r\nMax-Forwards: 70\r\n\r\n"+body), message.DefaultLimits)
	if err != nil {
		f.far.t.Fatal(err)
	}
	message.Remove(m, "Via")
	message.SetBody(m, "", []byte(body))
	answers := make(chan int, 1)
	at := netip.MustParseAddrPort(fmt.Sprintf("%s:%d", contact.URI.Host, contact.URI.Port))
	f.far.e.Send(m.(*message.Request), f.far.target(at), func(res *message.Response, err error) {
		if err != nil {
			answers <- 0
			return
		}
		answers <- res.StatusCode
	})
	select {
	case status := <-answers:
		return status
	case <-time.After(patience):
		f.far.t.Fatal("no answer to NOTIFY")
		return 0
	}
}

func (f *fork) want(status int, stateOf, body string, more ...string) {
	f.far.t.Helper()
	if got := f.notify(stateOf, body, more...); got != status {
		f.far.t.Errorf("NOTIFY %s %v: want %d, got %d", stateOf, more, status, got)
	}
}

// established is a watch with its dialog at the far end.
func (w *subscriber) established() (*Watch, *fork) {
	w.t.Helper()
	watch := w.s.Subscribe(w.want(), w.hear)
	tx := w.far.next()
	answer(tx, 200, "Expires", "600")
	f := &fork{far: w.far, subscribe: tx, tag: "far"}
	f.want(200, "active;expires=600", "one")
	w.update("active  one")
	return watch, f
}
