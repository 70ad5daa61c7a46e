package client_test

import (
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
	"presfed/pidf"
)

// later gives an error when it is there.
func later(f func() error) chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

func newTimedDevice(t *testing.T, f *far) (*device, *clock.Manual) {
	t.Helper()
	manual := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	return newDevice(t, "bob", f.at(), func(c *client.Config) { c.Clock = manual }), manual
}

func TestRegistrationIsKept(t *testing.T) {
	f := newFar(t)
	d, manual := newTimedDevice(t, f)
	done := later(func() error { return d.KeepRegistered(timeout(t), time.Hour) })
	tx := f.asked("REGISTER")
	contact := message.Get(tx.Request(), "Contact")
	if !strings.Contains(contact, ";+sip.message") || !strings.Contains(contact, `methods="INVITE,`) {
		t.Errorf("Contact %s", contact)
	}
	f.answer(tx, 200, "r", "", "Contact", contact+";expires=600")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	d.next("registered")
	id := message.CallID(tx.Request())

	manual.Advance(571 * time.Second)
	tx = f.asked("REGISTER")
	if message.CallID(tx.Request()) != id {
		t.Errorf("another Call-ID")
	}
	f.answer(tx, 503, "r", "") // and again later
	if e := d.next("failed"); e.Code != 503 || e.AOR != "sip:bob@example.com" {
		t.Errorf("%+v", e)
	}
	manual.Advance(5 * time.Second)
	tx = f.asked("REGISTER")
	f.answer(tx, 200, "r", "", "Contact", contact+";expires=600")
	d.next("registered")

	done = later(func() error { return d.Close(timeout(t)) })
	tx = f.asked("REGISTER")
	if message.Get(tx.Request(), "Expires") != "0" {
		t.Errorf("at the end:\n%s", message.Bytes(tx.Request()))
	}
	f.answer(tx, 200, "r", "")
	if err := <-done; err != nil {
		t.Error(err)
	}
	d.next("registered")
	d.next("closed")
	manual.Advance(time.Hour)
	select {
	case tx := <-f.asks:
		t.Errorf("after Close: %s", tx.Request().Method)
	default:
	}
}

// A server that has too much to do says when to come again: what is renewed keeps to
// it (RFC 3261 section 20.33).
func TestRetryAfter(t *testing.T) {
	f := newFar(t)
	timers := &seenClock{Manual: clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), set: make(chan time.Duration, 256)}
	d := newDevice(t, "bob", f.at(), func(c *client.Config) { c.Clock = timers })
	waits := func(what string, want time.Duration) {
		t.Helper()
		for end := time.After(20 * time.Second); ; {
			select {
			case set := <-timers.set:
				if set == want {
					return
				}
			case <-end:
				t.Fatalf("%s does not wait for %s", what, want)
			}
		}
	}
	done := later(func() error { return d.KeepRegistered(timeout(t), time.Hour) })
	f.answer(f.asked("REGISTER"), 200, "r", "", "Expires", "600")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	waits("the registration", 570*time.Second)
	timers.Advance(570 * time.Second)
	f.answer(f.asked("REGISTER"), 503, "r", "", "Retry-After", "23 (busy);duration=60")
	waits("the registration", 23*time.Second)

	done = later(func() error {
		_, err := d.Watch(timeout(t), "sip:alice@example.com", client.SubscribeOptions{Expires: time.Hour})
		return err
	})
	tx := f.asked("SUBSCRIBE")
	f.answer(tx, 200, "w", "", "Contact", f.contact(), "Expires", "200")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	f.notifies(d, f.notify(tx.Request(), "w", 1, "terminated;reason=deactivated"), 200)
	f.answer(f.asked("SUBSCRIBE"), 503, "w", "", "Retry-After", "17")
	waits("the subscription", 17*time.Second)
}

// The server's way to the device is the connection that it registered on.
func TestRegistersAgainOnANewConnection(t *testing.T) {
	f, stop := newStoppableFar(t)
	timers := &seenClock{Manual: clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), set: make(chan time.Duration, 256)}
	d := newDevice(t, "bob", f.at(), func(c *client.Config) { c.Clock = timers })
	done := later(func() error { return d.KeepRegistered(timeout(t), time.Hour) })
	f.answer(f.asked("REGISTER"), 200, "r", "")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	d.next("registered")
	at := f.Addr("TCP")
	stop()
	for set := range timers.set { // until the loss is noticed
		if set == time.Second {
			break
		}
	}
	f = newFarAt(t, at)
	timers.Advance(time.Second)
	f.answer(f.asked("REGISTER"), 200, "r", "")
	d.next("registered")
}

// seenClock tells what timers are set.
type seenClock struct {
	*clock.Manual
	set chan time.Duration
}

func (c *seenClock) AfterFunc(d time.Duration, f func()) clock.Timer {
	t := c.Manual.AfterFunc(d, f)
	c.set <- d
	return t
}

func TestPublicationIsKept(t *testing.T) {
	f := newFar(t)
	d, manual := newTimedDevice(t, f)
	published := func(status pidf.Status, note string) chan error {
		return later(func() error { return d.Status(timeout(t), status, note) })
	}
	done := published(pidf.StatusAway, "at lunch")
	tx := f.asked("PUBLISH")
	doc, err := pidf.Parse(tx.Request().Body(), pidf.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for _, diff := range (pidf.Expect{Entity: "bob", Match: pidf.MatchEqual,
		Person: &pidf.ExpectPerson{Activities: []string{"away"}, Note: "at lunch"},
		Tuples: []pidf.ExpectTuple{{Basic: pidf.Open, Capabilities: []string{"text", "text/plain"}, Contact: "sip:bob@example.com"}},
	}).Check(doc) {
		t.Error(diff)
	}
	if message.Has(tx.Request(), "SIP-If-Match") {
		t.Error("the first one has an entity-tag")
	}
	f.answer(tx, 200, "p", "", "SIP-ETag", "one", "Expires", "600")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	d.next("published")

	expect := func(tx interface{ Request() *message.Request }, etag string, body bool) {
		t.Helper()
		req := tx.Request()
		if message.Get(req, "SIP-If-Match") != etag || len(req.Body()) > 0 != body {
			t.Errorf("SIP-If-Match %q, %d bytes", message.Get(req, "SIP-If-Match"), len(req.Body()))
		}
	}
	// Refreshed without a body.
	manual.Advance(571 * time.Second)
	tx = f.asked("PUBLISH")
	expect(tx, "one", false)
	f.answer(tx, 200, "p", "", "SIP-ETag", "two", "Expires", "600")
	d.next("published")
	// Modified.
	done = published(pidf.StatusDND, "")
	tx = f.asked("PUBLISH")
	expect(tx, "two", true)
	f.answer(tx, 200, "p", "", "SIP-ETag", "three", "Expires", "600")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	d.next("published")
	// Lost at the server: published anew.
	manual.Advance(571 * time.Second)
	tx = f.asked("PUBLISH")
	expect(tx, "three", false)
	f.answer(tx, 412, "p", "")
	tx = f.asked("PUBLISH")
	expect(tx, "", true)
	f.answer(tx, 200, "p", "", "SIP-ETag", "four", "Expires", "600")
	d.next("published")
	// Removed.
	done = later(func() error { return d.Close(timeout(t)) })
	tx = f.asked("PUBLISH")
	expect(tx, "four", false)
	if message.Get(tx.Request(), "Expires") != "0" {
		t.Errorf("Expires %s", message.Get(tx.Request(), "Expires"))
	}
	f.answer(tx, 200, "p", "", "SIP-ETag", "five", "Expires", "0")
	if err := <-done; err != nil {
		t.Error(err)
	}
}
