package msrp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"presfed/agents/internal/wire"
)

func TestTwoEndsTalk(t *testing.T) {
	a, b := startEndpoint(t, Config{}), startEndpoint(t, Config{})
	ba, bb := newInbox(), newInbox()
	sa, sb := pair(t, a, b, ba.config(), bb.config())
	sent, err := sa.Send(testContext(t), "text/plain", strings.NewReader("Hi, I'm Alice!"), SendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m := await(t, bb.messages)
	if string(m.Body) != "Hi, I'm Alice!" || m.ContentType != "text/plain" || m.ID != sent.MessageID || m.Size != 14 {
		t.Errorf("got %+v", m)
	}
	if _, err := sb.Send(testContext(t), "text/plain", strings.NewReader("Hi, Alice!  I'm Bob!"), SendOptions{}); err != nil {
		t.Fatal(err)
	}
	if m := await(t, ba.messages); string(m.Body) != "Hi, Alice!  I'm Bob!" {
		t.Errorf("got %+v", m)
	}
	// Binding and message, each with its 200.
	if o := sa.Outcomes(); len(o) != 2 || o[0].Status != 200 || o[1].Status != 200 || o[1].MessageID != sent.MessageID {
		t.Errorf("outcomes %+v", o)
	}
}

// arrived has a session take a message to its last byte. Its 200 would go out
// before deliver.
func arrived(t *testing.T, s *Session) (deliver func()) {
	t.Helper()
	in, refusal := s.receive(&Frame{Method: MethodSend, HasBody: true, Headers: Headers{
		{headerMessageID, "last"}, {headerByteRange, "1-4/4"}, {headerContentType, "text/plain"},
	}})
	if refusal != nil {
		t.Fatal(refusal)
	}
	if refusal = in.write([]byte("word")); refusal != nil {
		t.Fatal(refusal)
	}
	deliver, refusal = in.finish(Last)
	if refusal != nil {
		t.Fatal(refusal)
	}
	return deliver
}

// What a peer is answered 200 for is delivered before the session is over, also
// when a BYE closes it between the answer and the delivery.
func TestWhatWasAnsweredIsDelivered(t *testing.T) {
	inbox := newInbox()
	s := newSession(t, startEndpoint(t, Config{}), inbox.config())
	deliver := arrived(t, s)
	s.Close()
	called := make(chan struct{})
	s.call(func() { close(called) })
	await(t, called) // and with it every callback that the end has queued
	select {
	case <-s.Done():
		t.Fatal("the session is over, and its message not delivered")
	default:
	}
	deliver()
	await(t, s.Done())
	if len(inbox.messages) != 1 {
		t.Errorf("%d messages were delivered", len(inbox.messages))
	}
}

// So is what a sink takes: its End comes before the session's.
func TestWhatASinkTookEndsFirst(t *testing.T) {
	var s *Session
	early := false
	config := newInbox().config()
	config.Accept = func(Incoming) (Sink, error) {
		return closingSink(func(error) {
			s.Close()
			called := make(chan struct{})
			s.call(func() { close(called) })
			<-called
			select {
			case <-s.Done():
				early = true
			default:
			}
		}), nil
	}
	s = newSession(t, startEndpoint(t, Config{}), config)
	deliver := arrived(t, s)
	deliver()
	await(t, s.Done())
	if early {
		t.Error("the session was over before its message")
	}
}

type closingSink func(error)

func (closingSink) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (end closingSink) End(err error) error                { end(err); return nil }

func TestMessagesOfAllSizes(t *testing.T) {
	a, b := startEndpoint(t, Config{}), startEndpoint(t, Config{})
	inbox := newInbox()
	sa, _ := pair(t, a, b, SessionConfig{}, inbox.config())
	random := rand.NewChaCha8([32]byte{1})
	for _, n := range []int{0, 1, 2047, 2048, 2049, 4096, 100_000, 1 << 20} {
		body := make([]byte, n)
		_, _ = random.Read(body)
		for name, r := range map[string]io.Reader{
			"size known":   bytes.NewReader(body),
			"size unknown": io.MultiReader(bytes.NewReader(body)),
			"in halves":    iotest.HalfReader(bytes.NewReader(body)),
		} {
			sent, err := sa.Send(testContext(t), "application/octet-stream", r, SendOptions{})
			if err != nil {
				t.Fatalf("%d bytes, %s: %v", n, name, err)
			}
			m := await(t, inbox.messages)
			if !bytes.Equal(m.Body, body) || m.Size != int64(n) || sent.Size != int64(n) || sent.Chunks != max(1, (n+chunkSize-1)/chunkSize) {
				t.Errorf("%d bytes, %s: %d arrived, sent %+v", n, name, len(m.Body), sent)
			}
		}
	}
}

func TestManyMessagesAtOnceShareTheConnection(t *testing.T) {
	a, b := startEndpoint(t, Config{}), startEndpoint(t, Config{Limits: Limits{Buffer: 64 << 20}})
	inbox := newInbox()
	sa, _ := pair(t, a, b, SessionConfig{}, inbox.config())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			body := bytes.Repeat([]byte{byte(i)}, 300_000)
			if _, err := sa.Send(testContext(t), "a/b", bytes.NewReader(body), SendOptions{MessageID: fmt.Sprintf("message%d", i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for range 8 {
		m := await(t, inbox.messages)
		var i byte
		fmt.Sscanf(m.ID, "message%d", &i)
		if !bytes.Equal(m.Body, bytes.Repeat([]byte{i}, 300_000)) {
			t.Errorf("%s is not what was sent", m.ID)
		}
	}
}

// A short message overtakes a long one on the same session.
func TestChunksInterleave(t *testing.T) {
	uri, accept := listenPeer(t)
	e := startEndpoint(t, Config{})
	s := newSession(t, e, SessionConfig{})
	if err := s.Start(testContext(t), describe(t, uri), ActiveSpeaks); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	wg.Go(func() {
		_, _ = s.Send(ctx, "a/b", endless{}, SendOptions{MessageID: "long"})
	})
	p := accept()
	p.answer(s)
	wg.Go(func() {
		if _, err := s.Send(testContext(t), "a/b", strings.NewReader("short"), SendOptions{MessageID: "short"}); err != nil {
			t.Error(err)
		}
	})
	for range 1000 {
		if f := p.answer(s); f.MessageID() == "short" {
			return
		}
	}
	t.Error("the short message waits for the long one's end")
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestSessionsToOneHopShareItsConnection(t *testing.T) {
	r := newRecords()
	a, b := startEndpoint(t, Config{Tap: r.tap}), startEndpoint(t, Config{})
	s1, _ := pair(t, a, b, SessionConfig{}, newInbox().config())
	s2, _ := pair(t, a, b, SessionConfig{}, newInbox().config())
	for _, s := range []*Session{s1, s2} {
		if _, err := s.Send(testContext(t), "a/b", strings.NewReader("x"), SendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	ports := map[uint16]bool{}
	for _, x := range r.all() {
		if x.Direction == wire.Out {
			ports[x.Src.Port()] = true
		}
	}
	if len(ports) != 1 {
		t.Errorf("%d connections", len(ports))
	}
	s1.Close()
	if _, err := s2.Send(testContext(t), "a/b", strings.NewReader("y"), SendOptions{}); err != nil {
		t.Errorf("the other session's end hurts: %v", err)
	}
}

func TestALostConnectionEndsItsSessionsAtOnce(t *testing.T) {
	uri, accept := listenPeer(t)
	e := startEndpoint(t, Config{})
	s := newSession(t, e, SessionConfig{})
	if err := s.Start(testContext(t), describe(t, uri), ActiveSpeaks); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		_, err := s.Send(context.Background(), "a/b", strings.NewReader("x"), SendOptions{})
		failed <- err
	}()
	p := accept()
	p.frame()
	p.conn.Close()
	await(t, s.Done())
	if err := s.Err(); !errors.Is(err, ErrConnectionLost) {
		t.Errorf("session: %v", err)
	}
	if err := await(t, failed); !errors.Is(err, ErrConnectionLost) {
		t.Errorf("Send: %v", err)
	}
}

func TestRunEndsEverything(t *testing.T) {
	e, err := Listen(Config{Listen: loopback})
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(t, e, SessionConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	sending := make(chan error)
	go func() {
		_, err := s.Send(context.Background(), "a/b", strings.NewReader("x"), SendOptions{})
		sending <- err
	}()
	cancel()
	if err := await(t, done); err != nil {
		t.Error(err)
	}
	if err := await(t, sending); !errors.Is(err, ErrClosed) {
		t.Errorf("Send: %v", err)
	}
	await(t, s.Done())
	if _, err := e.NewSession(SessionConfig{}); !errors.Is(err, ErrClosed) {
		t.Errorf("NewSession: %v", err)
	}
	never, err := Listen(Config{Listen: loopback})
	if err != nil {
		t.Fatal(err)
	}
	never.Close()
}
