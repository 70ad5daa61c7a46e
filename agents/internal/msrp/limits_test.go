package msrp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestUnboundConnectionsAreClosed(t *testing.T) {
	c := newWatchedClock()
	e := startEndpoint(t, Config{Clock: c})
	p := dialPeer(t, e)
	c.await(t, 30*time.Second)
	c.Advance(30 * time.Second)
	p.closed()
}

func TestConnectionsWithoutSessionsAreClosed(t *testing.T) {
	c := newWatchedClock()
	s, p := bound(t, Config{Clock: c}, SessionConfig{})
	c.Advance(time.Hour) // nothing happens to a bound one
	p.send(s, "MSRP next0001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: ping\n-------next0001$\n")
	p.frame()
	s.Close()
	p.send(s, "MSRP late0001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: ping\n-------late0001$\n")
	if f, _, _ := p.frame(); f.Status != 481 {
		t.Errorf("a closed session answers %+v", f)
	}
	c.await(t, time.Second)
	c.Advance(time.Second)
	p.closed()
}

func TestLimitsOfAnEndpoint(t *testing.T) {
	e := startEndpoint(t, Config{Limits: Limits{Sessions: 1, Connections: 1}})
	s := newSession(t, e, SessionConfig{})
	if _, err := e.NewSession(SessionConfig{}); !errors.Is(err, ErrLimit) {
		t.Errorf("second session: %v", err)
	}
	first := dialPeer(t, e)
	first.send(s, "MSRP next0001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: ping\n-------next0001$\n")
	first.frame()
	dialPeer(t, e).closed()
	s.Close()
	newSession(t, e, SessionConfig{})
}

func TestLimitsOfASession(t *testing.T) {
	chunk := func(s *Session, p *peer, id string, at int, n int) int {
		p.send(s, fmt.Sprintf("MSRP abcd1234 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: %s\nByte-Range: %d-*/*\nContent-Type: a/b\n\n%s\n-------abcd1234+\n", id, at, strings.Repeat("x", n)))
		f, _, _ := p.frame()
		return f.Status
	}
	t.Run("messages begun", func(t *testing.T) {
		s, p := bound(t, Config{Limits: Limits{Incoming: 2}}, newInbox().config())
		if a, b, c := chunk(s, p, "m001", 1, 1), chunk(s, p, "m002", 1, 1), chunk(s, p, "m003", 1, 1); a != 200 || b != 200 || c != 413 {
			t.Error(a, b, c)
		}
		if a := chunk(s, p, "m001", 2, 1); a != 200 {
			t.Error("one that had begun suffers:", a)
		}
	})
	t.Run("gaps", func(t *testing.T) {
		s, p := bound(t, Config{Limits: Limits{Gaps: 2}}, newInbox().config())
		if a, b, c := chunk(s, p, "m001", 1, 1), chunk(s, p, "m001", 5, 1), chunk(s, p, "m001", 9, 1); a != 200 || b != 200 || c != 413 {
			t.Error(a, b, c)
		}
	})
	t.Run("memory", func(t *testing.T) {
		s, p := bound(t, Config{Limits: Limits{Buffer: 10_000}}, newInbox().config())
		if a, b, c := chunk(s, p, "m001", 1, 6000), chunk(s, p, "m002", 1, 6000), chunk(s, p, "m003", 1, 3000); a != 200 || b != 413 || c != 200 {
			t.Error(a, b, c)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.buffered != 9000 {
			t.Errorf("%d bytes booked", s.buffered)
		}
	})
	t.Run("one message", func(t *testing.T) {
		s, p := bound(t, Config{Limits: Limits{Message: 100}}, newInbox().config())
		if a, b := chunk(s, p, "m001", 1, 100), chunk(s, p, "m001", 101, 1); a != 200 || b != 413 {
			t.Error(a, b)
		}
	})
	t.Run("undelivered", func(t *testing.T) {
		hold := make(chan struct{})
		defer close(hold)
		s, p := bound(t, Config{Limits: Limits{Deliveries: 2}}, SessionConfig{OnMessage: func(Message) { <-hold }})
		for i, want := range []int{200, 200, 413} {
			p.send(s, fmt.Sprintf("MSRP abcd1234 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: m00%d\nContent-Type: a/b\n\nx\n-------abcd1234$\n", i))
			if f, _, _ := p.frame(); f.Status != want {
				t.Errorf("message %d: %+v", i, f)
			}
		}
	})
}

func TestAFrameThatStallsEndsTheConnection(t *testing.T) {
	s, p := bound(t, Config{Limits: Limits{Frame: 20 * time.Millisecond}}, newInbox().config())
	p.send(s, "MSRP abcd1234 SEND\nTo-Path: {our}\n")
	p.closed()
	await(t, s.Done())
	if !errors.Is(s.Err(), ErrConnectionLost) {
		t.Error(s.Err())
	}
}

func TestAnIdleConnectionIsClosedIfAsked(t *testing.T) {
	s, p := bound(t, Config{Limits: Limits{Idle: 20 * time.Millisecond}}, newInbox().config())
	p.closed()
	await(t, s.Done())
}

// A peer that takes nothing holds up a Send only until the write deadline.
func TestAPeerThatDoesNotReadEndsTheConnection(t *testing.T) {
	s, _, result := sending(t, Config{Limits: Limits{Write: 50 * time.Millisecond}}, SessionConfig{}, t.Context(), endless{}, SendOptions{FailureReport: FailureNo})
	if err := await(t, result); !errors.Is(err, ErrConnectionLost) {
		t.Errorf("Send: %v", err)
	}
	await(t, s.Done())
}

// A peer that sends and takes no responses is not served for ever.
func TestAPeerThatTakesNoResponses(t *testing.T) {
	s, p := bound(t, Config{Limits: Limits{Write: 50 * time.Millisecond, Responses: 16}}, newInbox().config())
	request := strings.NewReplacer("{our}", s.LocalPath().String(), "{peer}", p.uri).Replace(crlf("MSRP next0001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: ping\n-------next0001$\n"))
	many := strings.Repeat(request, 1000)
	for {
		if _, err := io.WriteString(p.conn, many); err != nil {
			if n, ok := err.(net.Error); ok && n.Timeout() {
				t.Error("still served")
			}
			break
		}
	}
	await(t, s.Done())
}

// Messages both ways at full speed: neither end may wait for the other's
// responses to be taken before it takes what comes.
func TestFloodsBothWays(t *testing.T) {
	a, b := startEndpoint(t, Config{}), startEndpoint(t, Config{})
	discard := func(Incoming) (Sink, error) { return endSink{make(chan error, 1)}, nil }
	sa, sb := pair(t, a, b, SessionConfig{Accept: discard}, SessionConfig{Accept: discard})
	done := make(chan error, 8)
	for range 4 {
		for _, s := range []*Session{sa, sb} {
			go func() {
				_, err := s.Send(context.Background(), "a/b", io.LimitReader(endless{}, 2<<20), SendOptions{})
				done <- err
			}()
		}
	}
	for range 8 {
		if err := await(t, done); err != nil {
			t.Error(err)
		}
	}
}

// What all sessions hold in memory is bounded, and given back however a message ends.
func TestMemoryOfAllSessions(t *testing.T) {
	e := startEndpoint(t, Config{Limits: Limits{Held: 10_000}})
	begin := func(end string) (*Session, int) {
		s := newSession(t, e, newInbox().config())
		if err := s.Start(testContext(t), describe(t, peerURI), Passive); err != nil {
			t.Fatal(err)
		}
		p := dialPeer(t, e)
		p.send(s, "MSRP abcd1234 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: m001\nContent-Type: a/b\n\n"+strings.Repeat("x", 6000)+"\n-------abcd1234"+end+"\n")
		f, _, _ := p.frame()
		return s, f.Status
	}
	holds, status := begin("+")
	if status != 200 {
		t.Fatal(status)
	}
	if _, status := begin("+"); status != 413 {
		t.Errorf("more than there is: %d", status)
	}
	holds.Close()
	for _, end := range []string{"#", "$", "$"} {
		s, status := begin(end)
		if status != 200 {
			t.Errorf("after the others %s: %d", end, status)
		}
		s.Close()
		await(t, s.Done())
	}
	if n := e.held.Load(); n != 0 {
		t.Errorf("%d bytes are booked, and nobody has them", n)
	}
}
