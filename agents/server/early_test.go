package server_test

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/message"
	"presfed/agents/internal/wire"
)

// talker is a device that is registered, what it hears, and what it sent and got.
type talker struct {
	*client.Client
	t       *testing.T
	events  chan client.Event
	mu      sync.Mutex
	records []wire.Record
}

func (b *domain) talker(name, at string, answer client.Answer) *talker {
	b.t.Helper()
	return b.talkerBy("TCP", name, at, answer)
}

func (b *domain) talkerBy(transport, name, at string, answer client.Answer) *talker {
	b.t.Helper()
	user, _, _ := strings.Cut(name, "-")
	d := &talker{t: b.t, events: make(chan client.Event, 100)}
	var err error
	d.Client, err = client.New(client.Config{
		Name: name, User: user + "@example.com", Password: user + "'s secret", Answer: answer,
		Server:  transport + ":" + b.servers[at].Addr(transport).String(),
		OnEvent: func(e client.Event) { d.events <- e },
		Tap: func(r wire.Record) {
			d.mu.Lock()
			defer d.mu.Unlock()
			r.Raw = bytes.Clone(r.Raw)
			d.records = append(d.records, r)
		},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	start(b.t, d.Run, func() error { return nil })
	if _, err := d.Register(timeout(b.t), time.Hour); err != nil {
		b.t.Fatal(err)
	}
	d.hears("registered")
	return d
}

// hears takes the next event, which must be that type and, of those given,
// state and text.
func (d *talker) hears(typ string, more ...string) client.Event {
	d.t.Helper()
	select {
	case e := <-d.events:
		got := []string{e.State, e.Text}
		if e.Type != typ || !slices.Equal(got[:len(more)], more) {
			d.t.Fatalf("%+v, want %s %s", e, typ, more)
		}
		return e
	case <-time.After(20 * time.Second):
		d.t.Fatalf("nothing, want %s %s", typ, more)
	}
	return client.Event{}
}

// crossed are the SIP messages of a device of a method, requests or responses of
// that status, in order.
func (d *talker) crossed(method string, status int) (found []message.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.records {
		if r.Protocol != wire.SIP {
			continue
		}
		m, err := message.Parse(r.Raw, message.DefaultLimits)
		if err != nil {
			d.t.Fatalf("%v in\n%s", err, r.Raw)
		}
		res, ok := m.(*message.Response)
		if message.Method(m) == method && (!ok && status == 0 || ok && res.StatusCode == status) {
			found = append(found, m)
		}
	}
	return found
}

// sends are the SENDs that a device sent: their text, "" of one without a body.
func (d *talker) sends() (texts []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.records {
		head, rest, _ := strings.Cut(string(r.Raw), "\r\n\r\n")
		if line, _, _ := strings.Cut(head, "\r\n"); r.Protocol == wire.MSRP && r.Direction == wire.Out && strings.HasSuffix(line, " SEND") {
			text, _, _ := strings.Cut(rest, "\r\n-------")
			texts = append(texts, text)
		}
	}
	return texts
}

func (d *talker) session() *client.Session {
	d.t.Helper()
	all := d.Sessions()
	if len(all) != 1 {
		d.t.Fatalf("%d sessions, want one", len(all))
	}
	return all[0]
}

// ends closes a session and sees that nothing stays with anybody.
func ends(s *client.Session, all ...*talker) {
	for _, d := range all {
		d.t.Helper()
	}
	if err := s.Close(timeout(all[0].t)); err != nil {
		all[0].t.Error(err)
	}
	for _, d := range all {
		d.hears("closed")
		if n := len(d.Sessions()); n != 0 {
			d.t.Errorf("%d sessions are left", n)
		}
	}
}

// TestFirstMessageOnEveryDevice is what 4.2.1.4 and 4.2.2.3 draw, of the devices:
// each shows the first message, the one that answers goes on, the other one ends.
func TestFirstMessageOnEveryDevice(t *testing.T) {
	b := federated(t)
	pc, phone := b.talker("alice-pc", "a", client.AnswerEarly), b.talker("alice-phone", "a", client.AnswerEarly)
	bob := b.talker("bob-pc", "b", client.AnswerBusy)
	s, err := bob.IM(timeout(t), "alice", "R u there")
	if err != nil {
		t.Fatal(err)
	}
	if s.State() != "early" || !s.Calling() {
		t.Errorf("state %q", s.State())
	}
	for _, d := range []*talker{pc, phone} {
		d.hears("session", "early")
		if e := d.hears("im", "early", "R u there"); e.From != "sip:bob@example.com" || e.Via != "session" {
			t.Errorf("%+v", e)
		}
	}
	bob.hears("session", "early")
	bob.hears("sent", "early")
	bob.hears("sent", "early")
	if err := pc.session().Accept(timeout(t)); err != nil {
		t.Fatal(err)
	}
	if err := pc.session().Send(timeout(t), "here I am"); err != nil {
		t.Fatal(err)
	}
	pc.hears("session", "established")
	pc.hears("sent")
	if err := s.Answered(timeout(t)); err != nil {
		t.Fatal(err)
	}
	bob.hears("session", "established")
	bob.hears("im", "established", "here I am")
	if e := phone.hears("closed"); !strings.Contains(e.Reason, "cancelled") {
		t.Errorf("%+v", e)
	}
	if err := s.Send(timeout(t), "good"); err != nil {
		t.Fatal(err)
	}
	bob.hears("sent")
	pc.hears("im", "established", "good") // not the first message again
	ends(s, bob, pc)
	if n := len(phone.Sessions()); n != 0 {
		t.Errorf("%d sessions on the phone", n)
	}
	texts := bob.sends()
	slices.Sort(texts)
	if !slices.Equal(texts, []string{"", "R u there", "R u there", "good"}) {
		t.Errorf("bob sent %q", texts)
	}
	invite := bob.crossed("INVITE", 0)[0]
	if !message.HasToken(invite, "Supported", "early-session") || !message.HasToken(invite, "Supported", "100rel") {
		t.Errorf("INVITE:\n%s", message.Bytes(invite))
	}
	var paths []string
	for _, res := range bob.crossed("INVITE", 183) {
		parts, err := message.ParseParts(message.Get(res, "Content-Type"), res.Body(), message.DefaultPartLimits)
		if err != nil || len(parts) != 2 || parts[0].Disposition() != "session" || parts[1].Disposition() != "early-session" ||
			!message.HasToken(res, "Require", "100rel") {
			t.Fatalf("%v in\n%s", err, message.Bytes(res))
		}
		if setup := line(parts[0].Body, "a=setup:"); setup != "passive" {
			t.Errorf("the answer is %q", setup)
		}
		if setup := line(parts[1].Body, "a=setup:"); setup != "actpass" {
			t.Errorf("the early offer is %q", setup)
		}
		for _, p := range parts {
			paths = append(paths, line(p.Body, "a=path:"))
		}
		if a, b := line(parts[0].Body, "m=message "), line(parts[1].Body, "m=message "); a == b {
			t.Errorf("both on %s", a)
		}
	}
	slices.Sort(paths)
	if len(slices.Compact(paths)) != 4 {
		t.Errorf("sessions %q", paths)
	}
	answered := 0
	for _, prack := range bob.crossed("PRACK", 0) {
		if message.Has(prack, "Proxy-Authorization") && message.Get(prack, "Content-Disposition") == "early-session" && line(prack.Body(), "a=setup:") == "active" {
			answered++
		}
		if message.Has(prack, "P-Asserted-Identity") {
			t.Errorf("PRACK:\n%s", message.Bytes(prack))
		}
	}
	if answered != 2 || len(bob.crossed("PRACK", 200)) != 2 {
		t.Errorf("%d PRACKs, %d answered", answered, len(bob.crossed("PRACK", 200)))
	}
	for _, m := range append(bob.crossed("INVITE", 200), bob.crossed("ACK", 0)...) {
		if bytes.Contains(m.Body(), []byte("early")) || len(m.Body()) != 0 {
			t.Errorf("a description that was not due:\n%s", message.Bytes(m))
		}
	}
}

// line is the rest of the first line that begins so.
func line(text []byte, begins string) string {
	for l := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(l, begins); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// TestEarlySessionsByDatagram: the same where every message of SIP is a datagram,
// or too large for one.
func TestEarlySessionsByDatagram(t *testing.T) {
	b := federated(t)
	pc, bob := b.talkerBy("UDP", "alice-pc", "a", client.AnswerEarly), b.talkerBy("UDP", "bob-pc", "b", client.AnswerBusy)
	s, err := bob.IM(timeout(t), "alice", "R u there")
	if err != nil {
		t.Fatal(err)
	}
	pc.hears("session", "early")
	pc.hears("im", "early", "R u there")
	bob.hears("session", "early")
	bob.hears("sent", "early")
	if err := pc.session().Accept(timeout(t)); err != nil {
		t.Fatal(err)
	}
	pc.hears("session", "established")
	if err := s.Answered(timeout(t)); err != nil {
		t.Fatal(err)
	}
	bob.hears("session", "established")
	ends(s, bob, pc)
	if n := len(bob.crossed("PRACK", 200)); n != 1 {
		t.Errorf("%d PRACKs were answered 200", n)
	}
}

// TestDevicesThatCannot: one that answers without an early session gets the first
// message on the established one, whatever the other devices of its user can.
func TestDevicesThatCannot(t *testing.T) {
	for _, answer := range []client.Answer{client.AnswerRing, client.AnswerAuto} {
		t.Run(string(answer), func(t *testing.T) {
			b := federatedWith(t, believing)
			early := b.talker("alice-pc", "a", client.AnswerEarly)
			bob := b.talker("bob-pc", "b", client.AnswerBusy)
			deaf := b.phone("alice", "a", "TCP") // no MSRP: 488
			if answer == client.AnswerRing {
				deaf.register()
			}
			other := b.talker("alice-phone", "a", answer)
			got := make(chan error, 1)
			go func() {
				s, err := bob.IM(timeout(t), "alice", "R u there")
				if err == nil {
					err = s.Answered(timeout(t))
				}
				got <- err
			}()
			if answer == client.AnswerRing {
				deaf.take("INVITE", 488)
				early.hears("session", "early")
				early.hears("im", "early", "R u there")
				other.hears("session", "ringing")
				if err := other.session().Accept(timeout(t)); err != nil {
					t.Fatal(err)
				}
			}
			other.hears("session", "established")
			other.hears("im", "established", "R u there")
			if err := <-got; err != nil {
				t.Fatal(err)
			}
			var last client.Event
			for last.Type != "closed" { // it may be too early for its session
				last = <-early.events
			}
			if err := other.session().Send(timeout(t), "here"); err != nil {
				t.Fatal(err)
			}
			other.hears("sent")
			if err := bob.session().Close(timeout(t)); err != nil {
				t.Error(err)
			}
			other.hears("closed")
			if n := len(early.Sessions()) + len(other.Sessions()) + len(bob.Sessions()); n != 0 {
				t.Errorf("%d sessions are left", n)
			}
		})
	}
}

// TestNobodyAnswersEarly: the message is shown, the caller gives up, and nothing
// stays anywhere.
func TestNobodyAnswersEarly(t *testing.T) {
	b := federated(t)
	pc, phone := b.talker("alice-pc", "a", client.AnswerEarly), b.talker("alice-phone", "a", client.AnswerEarly)
	bob := b.talker("bob-pc", "b", client.AnswerBusy)
	s, err := bob.IM(timeout(t), "alice", "R u there")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*talker{pc, phone} {
		d.hears("session", "early")
		d.hears("im", "early", "R u there")
	}
	if err := s.Close(timeout(t)); err != nil {
		t.Error(err)
	}
	<-s.Done()
	for _, d := range []*talker{pc, phone} {
		if e := d.hears("closed"); !strings.Contains(e.Reason, "cancelled") {
			t.Errorf("%+v", e)
		}
	}
	if n := len(pc.Sessions()) + len(phone.Sessions()) + len(bob.Sessions()); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}
