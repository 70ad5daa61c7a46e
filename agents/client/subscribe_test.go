package client_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// watching begins a subscription whose answer is up to the test.
func watching(t *testing.T, d *device, expires time.Duration) (result func() (*client.Subscription, error)) {
	type outcome struct {
		sub *client.Subscription
		err error
	}
	done := make(chan outcome, 1)
	ctx := timeout(t)
	go func() {
		sub, err := d.Subscribe(ctx, "bob", client.SubscribeOptions{Expires: expires})
		done <- outcome{sub, err}
	}()
	return func() (*client.Subscription, error) {
		o := <-done
		return o.sub, o.err
	}
}

// notify is a NOTIFY for a SUBSCRIBE, by hand.
func (f *far) notify(sub *message.Request, tag string, cseq int, state string, more ...string) *message.Request {
	contact, err := message.AddressOf(sub, "Contact")
	if err != nil {
		f.t.Fatal(err)
	}
	return request("NOTIFY", contact.URI.String(), append([]string{
		"From", message.Get(sub, "To") + ";tag=" + tag, "To", message.Get(sub, "From"), "Call-ID", message.CallID(sub),
		"CSeq", fmt.Sprint(cseq, " NOTIFY"), "Event", "presence", "Subscription-State", state, "Contact", f.contact(),
	}, more...)...)
}

func (f *far) notifies(to *device, req *message.Request, want int) {
	f.t.Helper()
	if res := f.ask(to, req); res.StatusCode != want {
		f.t.Errorf("NOTIFY %s: %d, want %d", message.Get(req, "CSeq"), res.StatusCode, want)
	}
}

func TestNotifyBeforeTheAnswer(t *testing.T) {
	f := newFar(t)
	d := newDevice(t, "alice", f.at(), nil)
	result := watching(t, d, time.Hour)
	tx := f.asked("SUBSCRIBE")
	f.notifies(d, f.notify(tx.Request(), "n", 7, "active;expires=3600", "Record-Route", "<sip:"+f.Addr("TCP").String()+";transport=tcp;lr>"), 200)
	if e := d.next("presence"); e.Entity != "sip:bob@example.com" || e.State != "active" {
		t.Errorf("%+v", e)
	}
	f.answer(tx, 200, "n", "", "Expires", "3600", "Contact", f.contact())
	sub, err := result()
	if err != nil || sub.State() != "active" {
		t.Fatalf("%v", err)
	}
	// Unsubscribing goes along the route set of the NOTIFY (RFC 6665 section 4.4.1).
	done := make(chan error, 1)
	go func() { done <- sub.Unsubscribe(timeout(t)) }()
	end := f.asked("SUBSCRIBE")
	req := end.Request()
	if to, _ := message.To(req); to.Tag() != "n" || !message.Has(req, "Route") || message.Get(req, "Expires") != "0" {
		t.Errorf("unsubscribing:\n%s", message.Bytes(req))
	}
	before, _ := message.CSeqOf(tx.Request())
	if after, _ := message.CSeqOf(req); after.Seq <= before.Seq {
		t.Errorf("CSeq %d after %d", after.Seq, before.Seq)
	}
	f.answer(end, 200, "", "", "Expires", "0", "Contact", f.contact())
	if err := <-done; err != nil {
		t.Error(err)
	}
	f.notifies(d, f.notify(tx.Request(), "n", 8, "terminated;reason=timeout"), 200)
	if e := d.next("presence"); e.State != "terminated" || e.Reason != "timeout" {
		t.Errorf("%+v", e)
	}
	<-sub.Done()
	f.notifies(d, f.notify(tx.Request(), "n", 9, "active"), 481)
}

func TestNotifiesThatAreRefused(t *testing.T) {
	f := newFar(t)
	d := newDevice(t, "alice", f.at(), nil)
	result := watching(t, d, time.Hour)
	tx := f.asked("SUBSCRIBE")
	f.answer(tx, 200, "n", "", "Expires", "3600", "Contact", f.contact())
	if _, err := result(); err != nil {
		t.Fatal(err)
	}
	sub := tx.Request()
	f.notifies(d, f.notify(sub, "n", 10, "active"), 200)
	d.next("presence")
	for name, c := range map[string]struct {
		req  *message.Request
		want int
	}{
		"out of order":    {f.notify(sub, "n", 9, "active"), 500},
		"the same number": {f.notify(sub, "n", 10, "active"), 500},
		"another fork":    {f.notify(sub, "m", 1, "active"), 481},
		"unknown dialog":  {replaced(f.notify(sub, "n", 11, "active"), "Call-ID", "nobody's"), 481},
		"another To tag":  {replaced(f.notify(sub, "n", 11, "active"), "To", "<sip:alice@example.com>;tag=other"), 481},
		"another package": {replaced(f.notify(sub, "n", 11, "active"), "Event", "dialog"), 489},
		"no state":        {without(f.notify(sub, "n", 11, "active"), "Subscription-State"), 400},
	} {
		if res := f.ask(d, c.req); res.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", name, res.StatusCode, c.want)
		}
	}
	f.notifies(d, f.notify(sub, "n", 11, "pending"), 200) // nothing of that has moved the dialog
	if e := d.next("presence"); e.State != "pending" {
		t.Errorf("%+v", e)
	}
}

func replaced(req *message.Request, name, value string) *message.Request {
	message.Set(req, name, value)
	return req
}

func without(req *message.Request, name string) *message.Request {
	message.Remove(req, name)
	return req
}

// RFC 6665 section 4.4.1: where another fork than the one whose 2xx came
// notifies first, its dialog is the subscription.
func TestFirstNotifyMakesTheDialog(t *testing.T) {
	f := newFar(t)
	d := newDevice(t, "alice", f.at(), nil)
	result := watching(t, d, time.Hour)
	tx := f.asked("SUBSCRIBE")
	f.answer(tx, 200, "one", "", "Expires", "3600", "Contact", f.contact())
	sub, err := result()
	if err != nil {
		t.Fatal(err)
	}
	f.notifies(d, f.notify(tx.Request(), "two", 1, "active"), 200)
	d.next("presence")
	f.notifies(d, f.notify(tx.Request(), "one", 1, "active"), 481)
	go sub.Unsubscribe(timeout(t))
	end := f.asked("SUBSCRIBE")
	if to, _ := message.To(end.Request()); to.Tag() != "two" {
		t.Errorf("unsubscribed from %q", to.Tag())
	}
	f.answer(end, 200, "", "", "Expires", "0", "Contact", f.contact())
}

func TestRefreshByTheClock(t *testing.T) {
	manual := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	f := newFar(t)
	d := newDevice(t, "alice", f.at(), func(c *client.Config) { c.Clock = manual })
	result := watching(t, d, 10*time.Minute)
	tx := f.asked("SUBSCRIBE")
	f.answer(tx, 200, "n", "", "Expires", "600", "Contact", f.contact())
	sub, err := result()
	if err != nil {
		t.Fatal(err)
	}
	f.notifies(d, f.notify(tx.Request(), "n", 1, "active;expires=600"), 200)
	d.next("presence")
	for range 2 {
		manual.Advance(560 * time.Second)
		select {
		case <-f.asks:
			t.Fatal("refreshed too early")
		default:
		}
		manual.Advance(11 * time.Second)
		again := f.asked("SUBSCRIBE")
		if to, _ := message.To(again.Request()); to.Tag() != "n" || message.Get(again.Request(), "Expires") != "600" {
			t.Errorf("refresh:\n%s", message.Bytes(again.Request()))
		}
		// Without Expires: only the NOTIFY, whose answer is waited for, sets the time.
		f.answer(again, 200, "", "", "Contact", f.contact())
		cseq, _ := message.CSeqOf(again.Request())
		f.notifies(d, f.notify(tx.Request(), "n", 100+int(cseq.Seq), "active;expires=600"), 200)
		d.next("presence")
	}
	manual.Advance(571 * time.Second)
	f.answer(f.asked("SUBSCRIBE"), 481, "", "")
	if e := d.next("presence"); e.State != "terminated" {
		t.Errorf("%+v", e)
	}
	<-sub.Done()
}

// Timer N, RFC 6665 section 4.1.2.4.
func TestNoNotifyEver(t *testing.T) {
	manual := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	f := newFar(t)
	d := newDevice(t, "alice", f.at(), func(c *client.Config) { c.Clock = manual })
	result := watching(t, d, time.Hour)
	f.answer(f.asked("SUBSCRIBE"), 200, "n", "", "Expires", "3600", "Contact", f.contact())
	sub, err := result()
	if err != nil {
		t.Fatal(err)
	}
	manual.Advance(33 * time.Second)
	if e := d.next("presence"); e.State != "terminated" || e.Reason == "" {
		t.Errorf("%+v", e)
	}
	<-sub.Done()
}

func TestTooBrief(t *testing.T) {
	f := newFar(t)
	d := newDevice(t, "alice", f.at(), func(c *client.Config) { c.Lengthen = true })
	result := watching(t, d, time.Second)
	tx := f.asked("SUBSCRIBE")
	f.answer(tx, 423, "n", "", "Min-Expires", "60")
	again := f.asked("SUBSCRIBE")
	first, _ := message.CSeqOf(tx.Request())
	second, _ := message.CSeqOf(again.Request())
	if message.Get(again.Request(), "Expires") != "60" || second.Seq <= first.Seq || message.CallID(again.Request()) != message.CallID(tx.Request()) {
		t.Errorf("asked again:\n%s", message.Bytes(again.Request()))
	}
	f.answer(again, 423, "n", "", "Min-Expires", "3600") // a server that is never content is not asked for ever
	if _, err := result(); err == nil || !strings.Contains(err.Error(), "423") {
		t.Errorf("%v", err)
	}
	go d.Register(timeout(t), time.Second)
	f.answer(f.asked("REGISTER"), 423, "n", "", "Min-Expires", "90")
	registered := f.asked("REGISTER")
	if message.Get(registered.Request(), "Expires") != "90" {
		t.Errorf("REGISTER again:\n%s", message.Bytes(registered.Request()))
	}
	f.answer(registered, 200, "n", "", "Contact", message.Get(registered.Request(), "Contact")+";expires=90")
	if e := d.next("registered"); e.Expires != 90 {
		t.Errorf("%+v", e)
	}
}

// The nonce of one challenge serves the requests after it.
func TestNonceServesAgain(t *testing.T) {
	f := newFar(t)
	d := newDevice(t, "alice", f.at(), func(c *client.Config) { c.Password = "secret" })
	ask := func(do func(context.Context)) { go do(timeout(t)) }
	ask(func(ctx context.Context) { d.Register(ctx, time.Minute) })
	f.answer(f.asked("REGISTER"), 401, "n", "", "WWW-Authenticate", `Digest realm="example.com", nonce="abc", qop="auth", algorithm=SHA-256`)
	tx := f.asked("REGISTER")
	f.answer(tx, 200, "n", "")
	d.next("registered")
	first, _ := message.CSeqOf(tx.Request())
	ask(func(ctx context.Context) { d.Register(ctx, time.Minute) })
	tx = f.asked("REGISTER")
	if v := message.Get(tx.Request(), "Authorization"); !strings.Contains(v, `nonce="abc"`) || !strings.Contains(v, "nc=00000002") {
		t.Errorf("the next REGISTER carries %q", v)
	}
	// RFC 3261 section 10.2: one Call-ID, and a number that goes up past what
	// the challenge used.
	if second, _ := message.CSeqOf(tx.Request()); second.Seq <= first.Seq {
		t.Errorf("CSeq %d after %d", second.Seq, first.Seq)
	}
	f.answer(tx, 200, "n", "")
	d.next("registered")
	result := watching(t, d, time.Hour)
	sub := f.asked("SUBSCRIBE")
	if v := message.Get(sub.Request(), "Authorization"); !strings.Contains(v, "nc=00000003") {
		t.Errorf("SUBSCRIBE carries %q", v)
	}
	// Challenged all the same, with a new nonce: the CSeq numbers of the dialog go on from there.
	f.answer(sub, 401, "n", "", "WWW-Authenticate", `Digest realm="example.com", nonce="def", qop="auth", algorithm=SHA-256, stale=true`)
	sub = f.asked("SUBSCRIBE")
	f.answer(sub, 200, "n", "", "Expires", "3600", "Contact", f.contact())
	s, err := result()
	if err != nil {
		t.Fatal(err)
	}
	go s.Unsubscribe(timeout(t))
	end := f.asked("SUBSCRIBE")
	before, _ := message.CSeqOf(sub.Request())
	if after, _ := message.CSeqOf(end.Request()); after.Seq <= before.Seq {
		t.Errorf("CSeq %d after %d", after.Seq, before.Seq)
	}
	f.answer(end, 200, "", "", "Expires", "0", "Contact", f.contact())
}

var _ sip.Handler = (*far)(nil)

// What has ended at its notifier meanwhile is unsubscribed as well.
func TestUnsubscribingWhatHasEnded(t *testing.T) {
	f := newFar(t)
	d := newDevice(t, "alice", f.at(), nil)
	result := watching(t, d, time.Hour)
	tx := f.asked("SUBSCRIBE")
	f.answer(tx, 200, "n", "", "Expires", "3600", "Contact", f.contact())
	sub, err := result()
	if err != nil {
		t.Fatal(err)
	}
	f.notifies(d, f.notify(tx.Request(), "n", 1, "active;expires=3600"), 200)
	d.next("presence")
	done := make(chan error, 1)
	go func() { done <- sub.Unsubscribe(timeout(t)) }()
	f.answer(f.asked("SUBSCRIBE"), 481, "", "")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if e := d.next("presence"); e.State != "terminated" {
		t.Errorf("%+v", e)
	}
	<-sub.Done()
}
