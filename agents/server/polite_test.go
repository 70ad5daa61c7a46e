package server_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
	"presfed/agents/internal/wire"
	"presfed/agents/server"
	"presfed/db"
	"presfed/routing"
)

// spy is a watcher who writes down all that she is told and answered.
type spy struct {
	*phone
	mu    sync.Mutex
	trace []string
	told  chan *message.Request
	ended chan struct{}
}

func (b *domain) spy(user, at string) *spy {
	s := &spy{phone: b.phone(user, at, "TCP"), told: make(chan *message.Request, 100), ended: make(chan struct{})}
	go func() {
		for {
			select {
			case tx := <-s.requests:
				s.note(string(message.Bytes(tx.Request())))
				_ = tx.Respond(message.NewResponse(tx.Request(), 200, "", ""))
				s.told <- tx.Request()
			case <-s.ended:
				return
			}
		}
	}()
	b.t.Cleanup(func() { close(s.ended) })
	return s
}

func (s *spy) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace = append(s.trace, text)
}

// asks sends a request and waits for its answer, and for the NOTIFY that it brings.
func (s *spy) asks(req *message.Request, notified bool) *message.Response {
	s.t.Helper()
	res := next(s.t, s.ask(req))
	if res == nil {
		s.t.Fatal("no answer")
	}
	s.note(string(message.Bytes(res)))
	if notified {
		next(s.t, s.told)
	}
	return res
}

// What differs from one run to the other whoever the presentity is: names that are
// drawn by lot, ports, and seconds that have passed.
var (
	byLot = regexp.MustCompile(`(tag=|branch=z9hG4bK|Call-ID: |boundary=|cid:|Content-ID: |cid="|instance id=")[^\s;,>"]+|--[-0-9A-Za-z]{8,}|"[0-9A-Za-z]{20,}"|<[^<>@]+@server`)
	ports = regexp.MustCompile(`(127\.0\.0\.1|\.example\.com):\d+`)
	seals = regexp.MustCompile(`sip:[-_0-9A-Za-z.~]{20,}@`)
	lasts = regexp.MustCompile(`(?i)(expires[=:] ?)\d+`)
)

// plain is the trace with what is drawn by lot named by kind. NOTIFYs and answers
// may overtake each other, so each kind stands for itself.
func (s *spy) plain() (notified, answered []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range s.trace {
		text = lasts.ReplaceAllString(byLot.ReplaceAllString(ports.ReplaceAllString(seals.ReplaceAllString(text, "sip:*@"), "$1:*"), "$1*"), "$1*")
		if strings.HasPrefix(text, "SIP/2.0") {
			answered = append(answered, text)
		} else {
			notified = append(notified, text)
		}
	}
	return notified, answered
}

// life is what the presentity does meanwhile, if she is there at all.
type life struct {
	devices []*phone
	etags   []string
	witness *spy // is told of all of it
}

func (l *life) publishes(i int, basic, note string, expires string) {
	if l == nil {
		return
	}
	p := l.devices[i]
	fields := []string{"Event", "presence", "Expires", expires, "Content-Type", "application/pidf+xml"}
	if l.etags[i] != "" {
		fields = append(fields, "SIP-If-Match", l.etags[i])
	}
	req := p.request("PUBLISH", "alice", fields...)
	if expires == "0" {
		message.Remove(req, "Content-Type")
	} else {
		message.SetBody(req, "application/pidf+xml", []byte(strings.NewReplacer("sip:bob@", "sip:alice@", "t1", fmt.Sprint("t", i)).Replace(string(status(basic, note).Body))))
	}
	l.etags[i] = message.Get(final(p.t, p.ask(req), 200), "SIP-ETag")
	if expires == "0" {
		l.etags[i] = ""
	}
	for {
		body := string(next(p.t, l.witness.told).Body())
		if expires == "0" && !strings.Contains(body, note) || expires != "0" && strings.Contains(body, note) {
			return
		}
	}
}

// day is one watcher's day: what she sees and is answered while the presentity
// lives hers.
func day(b *domain, at string, place routing.Place, there bool, list bool) *spy {
	var l *life
	if there {
		l = &life{witness: b.spy("ann", "a")}
		l.witness.asks(l.witness.request("SUBSCRIBE", "alice", "Event", "presence", "Expires", "3600"), true)
		for _, name := range place.Servers {
			p := b.phone("alice", name[len("server-"):], "TCP")
			p.register()
			l.devices, l.etags = append(l.devices, p), append(l.etags, "")
		}
	}
	s := b.spy("eve", at)
	l.publishes(0, "open", "before", "3600")
	first := s.request("SUBSCRIBE", "alice", "Event", "presence", "Expires", "3600")
	if list {
		first = s.request("SUBSCRIBE", "eve", "Event", "presence", "Expires", "3600", "Supported", "eventlist", "Accept", "multipart/related, application/rlmi+xml, application/pidf+xml")
		first.Recipient.UriParams.Add("list", "buddies")
	}
	res := s.asks(first, true)
	d, err := dialog.UAC(first, res)
	if err != nil {
		b.t.Fatal(err)
	}
	again := func(expires string) {
		fields := []string{"Event", "presence", "Expires", expires, "Contact", s.contact()}
		if list {
			fields = append(fields, "Supported", "eventlist")
		}
		s.asks(within(b.t, d, "SUBSCRIBE", fields...), true)
	}
	l.publishes(0, "open", "during", "3600")
	again("3600")
	for range place.Servers[1:] {
		l.publishes(1, "open", "second", "3600")
	}
	s.asks(s.request("SUBSCRIBE", "alice", "Event", "presence", "Expires", "0"), true)
	for _, method := range []string{message.MESSAGE, message.INVITE} {
		s.asks(s.says(method, "alice"), false)
	}
	for _, method := range []string{message.OPTIONS, "REFER", "FOO"} {
		s.asks(s.request(method, "alice"), false)
	}
	for hops := range 4 { // how far it is to whom who answers
		req := s.says(message.MESSAGE, "alice")
		message.Set(req, "Max-Forwards", fmt.Sprint(hops))
		s.asks(req, false)
	}
	if there {
		for i := range l.devices {
			l.publishes(i, "", []string{"during", "second"}[i], "0")
		}
	}
	again("3600")
	l.publishes(0, "open", "again", "3600")
	again("0")
	if there {
		l.publishes(0, "", "again", "0")
		for i, p := range l.devices {
			if n := len(p.requests); n != 0 {
				b.t.Errorf("her device %d was reached %d times", i, n)
			}
		}
	}
	return s
}

// TestPoliteBlockingIsBeingOffline: all that one who is blocked politely is told
// and answered, byte for byte, as many times and in the same order, while the
// presentity logs in, changes and logs out, is what one who may watch sees of
// somebody who is not there.
func TestPoliteBlockingIsBeingOffline(t *testing.T) {
	partitioned := routing.Place{Model: routing.Partitioned, Servers: []string{"server-a"}}
	for _, tt := range []struct {
		place routing.Place
		mode  db.PolicyMode
		at    string // the watcher's server
		list  bool
	}{
		{partitioned, "", "a", false},
		{partitioned, "", "b", false},
		{partitioned, "", "b", true},
		{hierarchy("server-a", "server-a", "server-b"), "", "a", false},
		{hierarchy("server-a", "server-a", "server-b"), "", "b", true},
		{hierarchy("server-a", "server-a", "server-b"), db.DistributedPolicy, "c", false},
		{peers("server-a", "server-b"), "", "b", false},
		{peers("server-a", "server-b"), "", "a", true},
		{peers("server-a", "server-b"), db.DistributedPolicy, "a", false},
	} {
		t.Run(strings.ReplaceAll(fmt.Sprint(tt.place, " ", tt.mode, " at ", tt.at, " list ", tt.list), " ", "-"), func(t *testing.T) {
			spies, ways := map[bool]*spy{}, map[bool]*way{}
			for _, there := range []bool{true, false} {
				w := &way{}
				ways[there] = w
				b := unionOf(t, tt.place, w.tapped)
				for _, err := range []error{
					b.directory.SetDomain(t.Context(), db.Domain{Name: "example.com", PolicyMode: tt.mode}),
					b.directory.AddUser(t.Context(), db.User{AOR: "eve@example.com"}),
					b.directory.Assign(t.Context(), "eve@example.com", routing.Place{Model: routing.Partitioned, Servers: []string{"server-" + tt.at}}),
				} {
					if err != nil {
						t.Fatal(err)
					}
				}
				b.buddies("eve", "alice")
				if there {
					b.rule("alice", db.MatchUser, "eve@example.com", db.PoliteBlock)
				}
				spies[there] = day(b, tt.at, tt.place, there, tt.list)
			}
			blockedNotified, blockedAnswered := spies[true].plain()
			offlineNotified, offlineAnswered := spies[false].plain()
			same(t, "NOTIFY", blockedNotified, offlineNotified)
			same(t, "answer", blockedAnswered, offlineAnswered)
			same(t, "request on the way", ways[true].sorted(), ways[false].sorted())
		})
	}
}

// way is which servers a watcher's messages came to: an answer takes as long as that.
type way struct {
	mu   sync.Mutex
	went []string
}

func (w *way) tapped(c *server.Config) {
	name := c.Name
	c.FirstNotify = 10 * time.Second // on a busy machine as well all that it waits for is there
	c.Tap = func(r wire.Record) {
		method, _, _ := strings.Cut(string(r.Raw), " ")
		if r.Direction != wire.In || method == "SIP/2.0" || method == message.ACK || method == message.SUBSCRIBE || !strings.Contains(string(r.Raw), "From: <sip:eve@") {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.went = append(w.went, method+" to "+name)
	}
}

func (w *way) sorted() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(slices.Values(w.went))
}

func same(t *testing.T, what string, blocked, offline []string) {
	t.Helper()
	if len(blocked) != len(offline) {
		t.Errorf("%d of %s, and %d of one who is offline\n%s\n=====\n%s", len(blocked), what, len(offline), strings.Join(blocked, "\n-----\n"), strings.Join(offline, "\n-----\n"))
		return
	}
	for i := range blocked {
		if blocked[i] != offline[i] {
			t.Errorf("%s %d:\n%s\nof one who is offline:\n%s", what, i, blocked[i], offline[i])
		}
	}
}
