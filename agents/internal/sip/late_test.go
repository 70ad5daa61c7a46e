package sip

import (
	"fmt"
	"runtime"
	"testing"
	"time"
	"weak"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
)

// Of a transaction that is answered the response stays, to be sent again, and not
// the request.
func TestTheAnsweredKeepNoRequest(t *testing.T) {
	seen := make(chan weak.Pointer[message.Request], 2)
	e := start(t, &handler{request: func(tx *ServerTx) {
		seen <- weak.Make(tx.Request())
		answer(tx, 200)
	}}, nil)
	c := raw(t, e, "udp")
	ask := func() string {
		fmt.Fprint(c, wireRequest("OPTIONS", "z9hG4bKlate", "Content-Length: 0\r\n"))
		b := make([]byte, 2000)
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	first, req := ask(), recv(t, seen)
	for deadline := time.Now().Add(20 * time.Second); req.Value() != nil; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatal("the request is held")
		}
	}
	if again := ask(); again != first || len(seen) > 0 {
		t.Errorf("asked again it says %q, first %q", again, first)
	}
}

type gone struct {
	at    *[]time.Duration
	clock *clock.Manual
	since time.Time
}

func (g gone) over() { *g.at = append(*g.at, g.clock.Now().Sub(g.since)) }

// Each stays at least as long as it has to, and not much longer.
func TestTheLateGoInTime(t *testing.T) {
	c := clock.NewManual(time.Unix(1e9, 0))
	l := late{clock: c, lasts: 32 * time.Second}
	var at []time.Duration
	for range 3000 {
		l.add(gone{&at, c, c.Now()})
		c.Advance(10 * time.Millisecond)
	}
	for range 8000 {
		c.Advance(10 * time.Millisecond)
	}
	if len(at) != 3000 || l.queue != nil || l.timer != nil {
		t.Fatalf("%d of 3000 are gone", len(at))
	}
	for i, stayed := range at {
		if stayed < 32*time.Second || stayed > 33*time.Second {
			t.Fatalf("the %dth stayed %s", i, stayed)
		}
	}
}
