package msrp

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// The sessions of call flow 4.2.1.4: Bob offers; Alice's PC and phone answer
// and offer an early session each, to which Bob connects with his first
// message; one of the devices then talks on the established session, to which
// Bob has connected and said nothing.
func TestEarlySessionsThenOneEstablished(t *testing.T) {
	bob := startEndpoint(t, Config{})
	offered := newInbox()
	main := newSession(t, bob, offered.config())
	offer := reread(t, main.Describe(SetupActpass))

	type device struct {
		early, main *Session
		inbox       *inbox
	}
	var devices []device
	for range 2 {
		d := device{inbox: newInbox()}
		// Two ports, as the draft draws it.
		d.main = newSession(t, startEndpoint(t, Config{}), d.inbox.config())
		d.early = newSession(t, startEndpoint(t, Config{}), d.inbox.config())
		devices = append(devices, d)

		answer, err := d.main.Describe("").Answering(offer, SetupPassive)
		if err != nil || answer.Setup != SetupPassive {
			t.Fatal(answer, err)
		}
		if err := d.main.Start(testContext(t), *offer, RoleOfAnswerer(offer.Setup, answer.Setup)); err != nil {
			t.Fatal(err)
		}
		// The early offer, and Bob's answer by PRACK: he is active, and quicker
		// than his answer.
		earlyOffer := reread(t, d.early.Describe(SetupActpass))
		toDevice := newSession(t, bob, newInbox().config())
		earlyAnswer, err := toDevice.Describe("").Answering(earlyOffer, SetupActive)
		if err != nil || earlyAnswer.Setup != SetupActive {
			t.Fatal(earlyAnswer, err)
		}
		if err := toDevice.Start(testContext(t), *earlyOffer, ActiveSpeaks); err != nil {
			t.Fatal(err)
		}
		if _, err := toDevice.Send(testContext(t), "text/plain", strings.NewReader("R u there"), SendOptions{}); err != nil {
			t.Fatal(err)
		}
		if m := await(t, d.inbox.messages); string(m.Body) != "R u there" {
			t.Errorf("got %+v", m)
		}
		if err := d.early.Start(testContext(t), *reread(t, earlyAnswer), RoleOfOfferer(earlyOffer.Setup, earlyAnswer.Setup)); err != nil {
			t.Fatal(err)
		}
		await(t, d.early.Ready())
	}
	// 200 from the PC: early sessions end, the main one begins.
	for _, d := range devices {
		d.early.Close()
	}
	pc := devices[0]
	answer := reread(t, pc.main.Describe(SetupPassive))
	if err := main.Start(testContext(t), *answer, RoleOfOfferer(offer.Setup, answer.Setup)); err != nil {
		t.Fatal(err)
	}
	if _, err := pc.main.Send(testContext(t), "text/plain", strings.NewReader("here I am"), SendOptions{}); err != nil {
		t.Fatal(err)
	}
	if m := await(t, offered.messages); string(m.Body) != "here I am" {
		t.Errorf("got %+v", m)
	}
	// CANCEL to the phone.
	devices[1].main.Close()
	await(t, devices[1].main.Done())
	select {
	case <-main.Done():
		t.Error(main.Err())
	default:
	}
}

// reread is a description as the other end gets it.
func reread(t *testing.T, d Description) *Description {
	t.Helper()
	text, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseDescription(text)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Run ends though a sink is stuck in a write that nobody takes.
func TestAStuckSinkDoesNotHoldUpTheEnd(t *testing.T) {
	a := startEndpoint(t, Config{})
	b, err := Listen(Config{Listen: loopback})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	stream := NewStream(0)
	begun := make(chan struct{})
	sa, sb := pair(t, a, b, SessionConfig{}, SessionConfig{Accept: func(Incoming) (Sink, error) { close(begun); return stream, nil }})
	result := make(chan error, 1)
	go func() {
		_, err := sa.Send(context.Background(), "a/b", endless{}, SendOptions{})
		result <- err
	}()
	await(t, begun)
	cancel()
	if err := await(t, done); err != nil {
		t.Error(err)
	}
	var stopped *StatusError // what could not be taken is refused with the last words
	if err := await(t, result); !errors.Is(err, ErrConnectionLost) && !errors.As(err, &stopped) {
		t.Errorf("Send: %v", err)
	}
	await(t, sb.Done())
	if _, err := stream.Read(make([]byte, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("the stream ends with %v", err)
	}
}

// OnMessage may answer on the session, and wait for the answer's response.
func TestAnsweringFromOnMessage(t *testing.T) {
	a, b := startEndpoint(t, Config{}), startEndpoint(t, Config{})
	inbox := newInbox()
	var sb *Session
	ready, answered := make(chan struct{}), make(chan error, 3)
	sa, s := pair(t, a, b, inbox.config(), SessionConfig{OnMessage: func(m Message) {
		<-ready
		_, err := sb.Send(t.Context(), "text/plain", strings.NewReader("re: "+string(m.Body)), SendOptions{})
		answered <- err
	}})
	sb = s
	close(ready)
	for _, text := range []string{"one", "two", "three"} {
		if _, err := sa.Send(testContext(t), "text/plain", strings.NewReader(text), SendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"re: one", "re: two", "re: three"} {
		if m := await(t, inbox.messages); string(m.Body) != want {
			t.Errorf("got %q, want %q", m.Body, want)
		}
		if err := await(t, answered); err != nil {
			t.Error(err)
		}
	}
}
