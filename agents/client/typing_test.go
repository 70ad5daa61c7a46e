package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"presfed/agents/client"
	"presfed/agents/internal/clock"
	"presfed/agents/internal/composing"
	"presfed/agents/internal/message"
)

// composed is the next MESSAGE, which must be a status.
func (f *far) composed(answer int) composing.Status {
	f.t.Helper()
	tx := f.asked(message.MESSAGE)
	f.answer(tx, answer, "t", "")
	if got := message.Get(tx.Request(), "Content-Type"); got != composing.Type {
		f.t.Fatalf("%s\n%s", got, tx.Request().Body())
	}
	s, err := composing.Parse(tx.Request().Body())
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// Without a session: active, and idle when nothing was added for a while; a
// message that is sent needs none. Who answers 415 hears no more.
func TestComposingByPage(t *testing.T) {
	f := newFar(t)
	now := clock.NewManual(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC))
	alice := newDevice(t, "alice", f.at(), func(c *client.Config) { c.Clock = now })
	typing := func() {
		t.Helper()
		if err := alice.Composing("bob"); err != nil {
			t.Fatal(err)
		}
	}
	typing()
	if s := f.composed(200); !s.Active || s.Refresh != time.Minute || s.ContentType != "text/plain" {
		t.Errorf("%+v", s)
	}
	typing()
	now.Advance(15 * time.Second)
	if s := f.composed(200); s.Active {
		t.Errorf("%+v", s)
	}
	typing()
	f.composed(200)
	paged := make(chan error, 1)
	go func() { paged <- alice.Page(timeout(t), "bob", "text/plain", []byte("Hello")) }()
	tx := f.asked(message.MESSAGE)
	f.answer(tx, 200, "t", "")
	if err := <-paged; err != nil || string(tx.Request().Body()) != "Hello" {
		t.Fatalf("%v\n%s", err, tx.Request().Body())
	}
	now.Advance(10 * time.Minute)
	alice.next("sent")
	typing()
	if s := f.composed(415); !s.Active {
		t.Errorf("an idle that a message has said already: %+v", s)
	}
	if e := alice.next("failed"); e.Code != 415 && !strings.Contains(e.Reason, "415") {
		t.Errorf("%+v", e)
	}
	if err := alice.Composing("bob"); !errors.Is(err, client.ErrNotTaken) {
		t.Errorf("after a 415: %v", err)
	}
	now.Advance(10 * time.Minute)
	if err := alice.Composing("carol"); err != nil {
		t.Error(err)
	}
	f.composed(200)
}

// What waits to be said when a message goes out is said by the message: an idle that
// comes behind it would be of what she writes next.
func TestWhatAMessageSaysIsNotSaidAgain(t *testing.T) {
	f := newFar(t)
	now := clock.NewManual(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC))
	alice := newDevice(t, "alice", f.at(), func(c *client.Config) { c.Clock = now })
	if err := alice.Composing("bob"); err != nil {
		t.Fatal(err)
	}
	active := f.asked(message.MESSAGE) // is not answered, so that what comes next waits
	now.Advance(15 * time.Second)
	given, giveUp := context.WithCancel(t.Context())
	giveUp()
	if err := alice.Page(given, "bob", "text/plain", []byte("given up")); !errors.Is(err, context.Canceled) {
		t.Fatalf("a message given up: %v", err)
	}
	f.answer(f.asked(message.MESSAGE), 200, "t", "") // it went out all the same
	f.answer(active, 200, "t", "")
	paged := make(chan error, 1)
	go func() { paged <- alice.Page(timeout(t), "bob", "text/plain", []byte("Hello")) }()
	tx := f.asked(message.MESSAGE)
	f.answer(tx, 200, "t", "")
	if err := <-paged; err != nil || string(tx.Request().Body()) != "Hello" {
		t.Errorf("%v\n%s", err, tx.Request().Body())
	}
}

// In a session, and seen by the other end.
func TestComposingInASession(t *testing.T) {
	alice, bob := pair(t, client.AnswerAuto)
	s, err := alice.IM(timeout(t), "bob", "")
	if err != nil {
		t.Fatal(err)
	}
	alice.next("session")
	bob.next("session")
	if err := alice.Composing("bob"); err != nil {
		t.Fatal(err)
	}
	if e := bob.next("composing"); e.State != "active" || e.Via != "session" || e.From != "sip:alice@example.com" || e.ContentType != "text/plain" {
		t.Errorf("%+v", e)
	}
	if err := s.Send(timeout(t), "Hello"); err != nil {
		t.Fatal(err)
	}
	if e := bob.next("composing"); e.State != "idle" {
		t.Errorf("%+v", e)
	}
	if e := bob.next("im"); e.Text != "Hello" {
		t.Errorf("%+v", e)
	}
	if err := alice.Composing("bob"); err != nil {
		t.Fatal(err)
	}
	if e := bob.next("composing"); e.State != "active" {
		t.Errorf("%+v", e)
	}
	if err := s.Close(timeout(t)); err != nil {
		t.Fatal(err)
	}
	if e := bob.next("composing"); e.State != "idle" {
		t.Errorf("nobody composes in a session that is over: %+v", e)
	}
	bob.next("closed")
}

// A composer who vanishes is idle after the time that she gave.
func TestComposerVanishes(t *testing.T) {
	f := newFar(t)
	now := clock.NewManual(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC))
	bob := newDevice(t, "bob", f.at(), func(c *client.Config) { c.Clock = now })
	f.ask(bob, page("application/im-iscomposing+xml", status))
	if e := bob.next("composing"); e.State != "active" {
		t.Errorf("%+v", e)
	}
	now.Advance(61 * time.Second)
	if e := bob.next("composing"); e.State != "idle" || e.From != "sip:alice@example.com" || e.Via != "page" {
		t.Errorf("%+v", e)
	}
}

// A session for a file is no conversation: what is said of composing is not said in it,
// and goes on when it ends.
func TestAFileIsNoConversation(t *testing.T) {
	path, _ := saved(t, "x.bin", 100)
	bob, _ := taker(t, "tcp:127.0.0.1:9", func(c *client.Config) { c.Answer = client.AnswerAuto })
	alice := newDevice(t, "alice", "tcp:"+bob.Addr("TCP").String(), nil)
	composes := func() {
		if err := alice.Composing("bob"); err != nil {
			t.Error(err)
		}
	}
	if err := alice.SendFile(timeout(t), "bob", path, client.FileOptions{Progress: func(int64, int64) { composes() }}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for range 4 {
		e := within(t, bob.events, "an event")
		seen[e.Type] = e.Via
	}
	if seen["composing"] != "page" || len(seen) != 4 {
		t.Errorf("%v", seen)
	}
	s, err := alice.IM(timeout(t), "bob", "")
	if err != nil {
		t.Fatal(err)
	}
	bob.next("session")
	composes()
	if e := bob.next("composing"); e.State != "active" || e.Via != "session" {
		t.Errorf("%+v", e)
	}
	if err := alice.SendFile(timeout(t), "bob", path, client.FileOptions{}); err != nil {
		t.Fatal(err)
	}
	bob.next("session")
	bob.next("file")
	if e := bob.next("closed"); e.Via != "file" {
		t.Errorf("%+v", e)
	}
	if err := s.Close(timeout(t)); err != nil {
		t.Error(err)
	}
	if e := bob.next("composing"); e.State != "idle" {
		t.Errorf("%+v", e)
	}
}
