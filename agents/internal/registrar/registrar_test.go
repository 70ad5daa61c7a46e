package registrar

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db/state"
)

// memory commits at once, or fails.
type memory struct {
	err     error
	commits int
}

func (m *memory) Commit(_ func(*state.Tx) error, done func(error)) { m.commits++; done(m.err) }

type server struct{ registrar *Registrar }

func (s *server) ServeRequest(tx *sip.ServerTx)                   { s.registrar.Register(tx, "sip:alice@example.com") }
func (s *server) ServeAck(*message.Request, sip.Source)           {}
func (s *server) ServeResponse(_ *message.Response, _ sip.Source) {}
func (s *server) ConnectionClosed(sip.Source)                     {}

// bench is a registrar behind a real socket and a client before it.
type bench struct {
	t      *testing.T
	client *sip.Endpoint
	other  *sip.Endpoint // a second device
	to     sip.Target
	cseq   uint32
}

func newBench(t *testing.T, r *Registrar) *bench {
	t.Helper()
	lo := netip.MustParseAddrPort("127.0.0.1:0")
	run := func(h sip.Handler) *sip.Endpoint {
		e, err := sip.New(sip.Config{Name: "t", Listen: []sip.Listen{{Transport: "TCP", Addr: lo}}, Handler: h})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); e.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-done })
		return e
	}
	srv := run(&server{r})
	return &bench{t: t, client: run(&server{}), other: run(&server{}), to: sip.Target{Transport: "TCP", Addr: srv.Addr("TCP")}}
}

func (b *bench) register(callID, expires string, contacts ...string) *message.Response {
	b.t.Helper()
	b.cseq++
	req := message.NewRequest("REGISTER", message.URI{Scheme: "sip", Host: "example.com"})
	message.Add(req, "From", "<sip:alice@example.com>;tag=1")
	message.Add(req, "To", "<sip:alice@example.com>")
	message.Add(req, "Call-ID", callID)
	message.Add(req, "CSeq", message.CSeq{Seq: b.cseq, Method: "REGISTER"}.String())
	if expires != "" {
		message.Add(req, "Expires", expires)
	}
	for _, c := range contacts {
		message.Add(req, "Contact", c)
	}
	got := make(chan *message.Response, 1)
	b.client.Send(req, b.to, func(res *message.Response, err error) {
		if err != nil {
			b.t.Errorf("REGISTER: %v", err)
		}
		got <- res
	})
	select {
	case res := <-got:
		return res
	case <-time.After(20 * time.Second):
		b.t.Fatal("no answer")
		return nil
	}
}

func TestRegister(t *testing.T) {
	now := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	store := &memory{}
	r := New(Config{Store: store, Clock: now, Contacts: 3, Ours: func(u message.URI) bool { return u.Host == "ours" }}, nil)
	b := newBench(t, r)
	pc, phone := `<sip:alice@192.0.2.1;transport=tcp>;q=0.5;+sip.message`, `<sip:8555@192.0.2.2>;audio;expires=60`
	steps := []struct {
		name, call, expires string
		contacts            []string
		status              int
		want                []string // what Contact lines of the answer begin with
		header              string
	}{
		{"a query changes nothing", "1", "", nil, 200, nil, ""},
		{"two contacts, the preferred first", "1", "600", []string{pc, phone}, 200, []string{"<sip:8555@", "<sip:alice@"}, ""},
		{"the same contact spelled otherwise", "1", "700", []string{`<sip:alice@192.0.2.1;Transport=TCP>;q=0.5;+sip.message`}, 200, []string{"<sip:8555@", "<sip:alice@"}, ""},
		{"of equal contacts the later wins", "1", "600", []string{phone + ";q=0.1", pc, phone, `<sip:8555@192.0.2.2>;audio`}, 200, []string{"<sip:8555@", "<sip:alice@"}, ""},
		{"also to go", "1", "600", []string{phone, `<sip:8555@192.0.2.2>;expires=0`}, 200, []string{"<sip:alice@"}, ""},
		{"also to come back", "1", "600", []string{`<sip:8555@192.0.2.2>;expires=0`, phone}, 200, []string{"<sip:8555@", "<sip:alice@"}, ""},
		{"our own address", "1", "60", []string{"<sip:alice@ours>"}, 403, nil, "Warning"},
		{"our own address goes", "1", "60", []string{"<sip:alice@ours>;expires=0"}, 200, []string{"<sip:8555@", "<sip:alice@"}, ""},
		{"too short", "1", "5", []string{pc}, 423, nil, "Min-Expires: 10"},
		{"wildcard needs Expires 0", "1", "60", []string{"*"}, 400, nil, ""},
		{"wildcard stands alone", "1", "0", []string{"*", pc}, 400, nil, ""},
		{"bad q", "1", "60", []string{`<sip:x@y>;q=2`}, 400, nil, ""},
		{"no such scheme", "1", "60", []string{`<tel:+1>`}, 400, nil, ""},
		{"too many, none of them kept", "1", "60", []string{"<sip:c@h>", "<sip:d@h>"}, 403, nil, ""},
		{"one goes", "1", "", []string{`<sip:8555@192.0.2.2>;expires=0`}, 200, []string{"<sip:alice@"}, ""},
		{"all go", "2", "0", []string{"*"}, 200, nil, ""},
	}
	for _, s := range steps {
		res := b.register(s.call, s.expires, s.contacts...)
		got := message.Raw(res, "Contact")
		if res.StatusCode != s.status || len(got) != len(s.want) {
			t.Fatalf("%s: %d with %q", s.name, res.StatusCode, got)
		}
		for i, w := range s.want {
			if !strings.HasPrefix(got[i], w) || !strings.Contains(got[i], ";expires=") {
				t.Errorf("%s: contact %d is %s", s.name, i, got[i])
			}
		}
		if s.header != "" && !strings.Contains(string(message.Bytes(res)), s.header) {
			t.Errorf("%s: no %s in\n%s", s.name, s.header, message.Bytes(res))
		}
	}
	if store.commits != 7 {
		t.Errorf("%d commits", store.commits)
	}
}

func TestOlderCSeqIsRefused(t *testing.T) {
	r := New(Config{Store: &memory{}}, nil)
	b := newBench(t, r)
	b.cseq = 10
	b.register("c", "60", "<sip:a@h>")
	b.cseq = 5
	if res := b.register("c", "0", "<sip:a@h>"); res.StatusCode != 500 {
		t.Errorf("CSeq 6 after 11: %d", res.StatusCode)
	}
	if res := b.register("other", "0", "<sip:a@h>"); res.StatusCode != 200 || len(r.Bindings("sip:alice@example.com")) != 0 {
		t.Errorf("another Call-ID: %d", res.StatusCode)
	}
}

func TestFailedCommitChangesNothing(t *testing.T) {
	store := &memory{err: errors.New("disk full")}
	r := New(Config{Store: store}, nil)
	b := newBench(t, r)
	if res := b.register("c", "60", "<sip:a@h>"); res.StatusCode != 503 {
		t.Errorf("answered %d", res.StatusCode)
	}
	if n := len(r.Bindings("sip:alice@example.com")); n != 0 {
		t.Errorf("%d bindings", n)
	}
}

// settle waits until all that was asked about a user is done: an answer goes out
// before its lane is free again.
func settle(r *Registrar, aor string) {
	free := make(chan struct{})
	r.lanes.Do(aor, func(done func()) { defer done(); close(free) })
	<-free
}

func TestExpiryAndFlow(t *testing.T) {
	now := clock.NewManual(time.Now())
	r := New(Config{Store: &memory{}, Clock: now}, nil)
	b := newBench(t, r)
	b.register("c", "60", "<sip:a@h>")
	list := r.Bindings("sip:alice@example.com")
	if len(list) != 1 || list[0].Hop.Flow == 0 || list[0].Hop.Transport != "TCP" {
		t.Fatalf("%+v", list)
	}
	now.Advance(61 * time.Second)
	if n := len(r.Bindings("sip:alice@example.com")); n != 0 {
		t.Errorf("%d bindings after their time", n)
	}
	r.Purge()
	settle(r, "sip:alice@example.com")
	if len(r.users) != 0 {
		t.Error("an expired binding stays in memory")
	}
}

// What has expired leaves the store as well, whether a REGISTER, a purge or a restart
// comes first.
func TestExpiredBindingsLeaveTheStore(t *testing.T) {
	now := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	store, err := state.Open(filepath.Join(t.TempDir(), "state.db"), state.Options{Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); store.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; store.Close() })
	left := func() (snapshot []state.Binding) {
		t.Helper()
		settled := make(chan error, 1)
		store.Commit(func(*state.Tx) error { return nil }, func(err error) { settled <- err })
		if err := <-settled; err != nil {
			t.Fatal(err)
		}
		all, err := store.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all.Bindings
	}
	r := New(Config{Store: store, Clock: now}, nil)
	b := newBench(t, r)
	b.register("1", "10", "<sip:a@h>", "<sip:b@h>")
	now.Advance(11 * time.Second)
	b.register("1", "10", "<sip:b@h>", "<sip:c@h>")
	if all := left(); len(all) != 2 || all[0].Contact == all[1].Contact || strings.Contains(all[0].Address+all[1].Address, "a@h") {
		t.Errorf("after a REGISTER there are %+v", all)
	}
	now.Advance(11 * time.Second)
	New(Config{Store: store, Clock: now}, left()).Purge()
	if all := left(); len(all) != 0 {
		t.Errorf("after a restart and a purge there are %+v", all)
	}
}

func TestRestore(t *testing.T) {
	now := time.Now()
	r := New(Config{Store: &memory{}}, []state.Binding{
		{AOR: "sip:a@d", Contact: "k", Address: "<sip:a@h>;q=0.3;audio", Expires: now.Add(time.Hour)},
		{AOR: "sip:a@d", Contact: "k2", Address: "<sip:a@gone>", Expires: now.Add(-time.Hour)},
	})
	list := r.Bindings("sip:a@d")
	if len(list) != 1 || list[0].Q != 0.3 || list[0].CanIM() {
		t.Errorf("%+v", list)
	}
}

func TestCapabilities(t *testing.T) {
	for _, tt := range []struct {
		contact string
		im      bool
		message bool
	}{
		{"<sip:a@h>", true, true},
		{"<sip:a@h>;audio", false, true},
		{"<sip:a@h>;audio;+sip.message", true, true},
		{`<sip:a@h>;+sip.message="FALSE"`, false, true},
		{`<sip:a@h>;methods="INVITE,BYE"`, true, false},
	} {
		a, err := message.ParseAddress(tt.contact)
		if err != nil {
			t.Fatal(err)
		}
		b := Binding{Contact: a}
		if b.CanIM() != tt.im || b.Takes("MESSAGE") != tt.message {
			t.Errorf("%s: IM %v, MESSAGE %v", tt.contact, b.CanIM(), b.Takes("MESSAGE"))
		}
	}
}

// TestConnectionOfADevice: the way back is the connection of the last REGISTER,
// for that user alone, until it closes.
func TestConnectionOfADevice(t *testing.T) {
	var changed []string
	r := New(Config{Store: &memory{}, Changed: func(aor string, registered []message.URI) {
		who := aor
		for _, u := range registered {
			who += " " + u.User
		}
		changed = append(changed, who)
	}}, nil)
	b := newBench(t, r)
	b.register("c", "60", "<sip:a@h;transport=tcp>;audio", "<sip:b@h>;+sip.message")
	const alice = "sip:alice@example.com"
	contact := func(s string) message.URI {
		u, err := message.ParseURI(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	hop, ok := r.Live(alice, contact("sip:a@H;transport=TCP"))
	if !ok || hop.Flow == 0 || hop.Transport != "TCP" {
		t.Errorf("%+v %v", hop, ok)
	}
	if _, ok := r.Live("sip:bob@example.com", contact("sip:a@h;transport=tcp")); ok {
		t.Error("another user's contact")
	}
	if _, ok := r.Live(alice, contact("sip:a@h;transport=udp")); ok {
		t.Error("another contact")
	}
	if d := r.Devices(alice, "INVITE", true); len(d) != 1 || d[0].Contact.URI.User != "b" {
		t.Errorf("for IM: %+v", d)
	}
	if d := r.Devices(alice, "INVITE", false); len(d) != 2 {
		t.Errorf("for a call: %+v", d)
	}
	r.Closed(hop.Flow + 1)
	if _, ok := r.Live(alice, contact("sip:b@h")); !ok {
		t.Error("lost by another connection's end")
	}
	b.client, b.other = b.other, b.client
	b.register("other", "60", "<sip:c@h>")
	b.client, b.other = b.other, b.client
	r.Closed(hop.Flow)
	settle(r, alice)
	if _, ok := r.Live(alice, contact("sip:b@h")); ok || len(r.Bindings(alice)) != 3 {
		t.Errorf("after the end: live %v, %d bindings", ok, len(r.Bindings(alice)))
	}
	if _, ok := r.Live(alice, contact("sip:c@h")); !ok {
		t.Error("the other device's connection is lost too")
	}
	b.register("c", "60", "<sip:b@h>")
	if _, ok := r.Live(alice, contact("sip:b@h")); !ok {
		t.Error("registered again, and no connection")
	}
	b.register("c", "0", "*")
	settle(r, alice)
	if want := []string{alice + " a b", alice + " c", alice, alice + " b", alice}; !slices.Equal(changed, want) || len(r.flows) != 0 {
		t.Errorf("changed %q, want %q; flows %v", changed, want, r.flows)
	}
}
