package dialog

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
)

// uas sends reliably on a clock that the test turns, and notes when.
type uas struct {
	*Reliable
	t       *testing.T
	clock   *clock.Manual
	start   time.Time
	sent    []string // "status at seconds"
	rseq    []uint32
	expired int
}

func newUAS(t *testing.T) *uas {
	u := &uas{t: t, start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	u.clock = clock.NewManual(u.start)
	var err error
	u.Reliable, err = NewReliable(invite(t, "Supported: 100rel"), ReliableConfig{
		T1: 500 * time.Millisecond, Clock: u.clock, Expired: func() { u.expired++ },
		Send: func(res *message.Response) {
			u.sent = append(u.sent, fmt.Sprint(res.StatusCode, " at ", u.clock.Now().Sub(u.start).Seconds()))
			n, err := strconv.ParseUint(message.Get(res, "RSeq"), 10, 32)
			if err != nil || !message.HasToken(res, "Require", "100rel") {
				t.Errorf("sent as reliable:\n%s", message.Bytes(res))
			}
			u.rseq = append(u.rseq, uint32(n))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (u *uas) progress(status int) { u.Send(message.NewResponse(invite(u.t), status, "", "bo")) }

// prack has the RAck given; the error's status, or 0.
func (u *uas) prack(rack string) int {
	err := u.Acknowledge(parse[*message.Request](u.t, "PRACK sip:bob@b SIP/2.0", "Via: SIP/2.0/TCP a;branch=z9hG4bK2",
		"From: <sip:alice@example.com>;tag=al", "To: <sip:bob@example.com>;tag=bo", "Call-ID: c1", "CSeq: 11 PRACK", "RAck: "+rack))
	var refused *message.ParseError
	if err != nil && !errors.As(err, &refused) {
		u.t.Fatal(err)
	}
	if refused == nil {
		return 0
	}
	return refused.Status
}

// RFC 3262 section 3: from T1 on, doubled without a cap, for 64*T1.
func TestReliableComesAgainUntilItsPrack(t *testing.T) {
	u := newUAS(t)
	u.progress(183)
	u.clock.Advance(time.Hour)
	want := []string{"183 at 0", "183 at 0.5", "183 at 1.5", "183 at 3.5", "183 at 7.5", "183 at 15.5", "183 at 31.5"}
	if diff := cmp.Diff(want, u.sent); diff != "" || u.expired != 1 {
		t.Errorf("expired %d times; %s", u.expired, diff)
	}
	if first := u.rseq[0]; first < 1 || first > 1<<31-1 || slices.ContainsFunc(u.rseq, func(n uint32) bool { return n != first }) {
		t.Errorf("RSeq %d", u.rseq)
	}
	u.progress(180)
	if len(u.sent) != len(want) {
		t.Error("sent after it was given up")
	}
}

// Section 3: RAck has to match in all of its three parts, once; what follows
// waits and is numbered one higher.
func TestPrackMatches(t *testing.T) {
	u := newUAS(t)
	u.progress(183)
	u.progress(180)
	u.progress(181)
	first := u.rseq[0]
	for rack, want := range map[string]int{
		fmt.Sprint(first+1, " 10 INVITE"): 481, fmt.Sprint(first, " 11 INVITE"): 481, fmt.Sprint(first, " 10 invite"): 481,
		fmt.Sprint(first, " 10"): 400, "": 400, "0 10 INVITE": 400, "4294967296 10 INVITE": 400, "x 10 INVITE": 400,
	} {
		if got := u.prack(rack); got != want {
			t.Errorf("RAck %q: %d, want %d", rack, got, want)
		}
	}
	if len(u.sent) != 1 || !u.Pending() {
		t.Errorf("sent %v before the first was acknowledged", u.sent)
	}
	if got := u.prack(fmt.Sprint(first, "  10 INVITE")); got != 0 {
		t.Errorf("the right one: %d", got)
	}
	if got := u.prack(fmt.Sprint(first, " 10 INVITE")); got != 481 {
		t.Errorf("the right one again: %d", got)
	}
	u.clock.Advance(600 * time.Millisecond)
	if got := u.prack(fmt.Sprint(first+1, " 10 INVITE")); got != 0 {
		t.Errorf("the second: %d", got)
	}
	if diff := cmp.Diff([]string{"183 at 0", "180 at 0", "180 at 0.5", "181 at 0.6"}, u.sent); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]uint32{first, first + 1, first + 1, first + 2}, u.rseq); diff != "" {
		t.Error(diff)
	}
	u.Stop() // a final response: silence, but the PRACK under way is good
	u.clock.Advance(time.Hour)
	if len(u.sent) != 4 || u.expired != 0 || u.prack(fmt.Sprint(first+2, " 10 INVITE")) != 0 || u.Pending() {
		t.Errorf("sent %v, expired %d, after the end", u.sent, u.expired)
	}
}

// Section 4, and a fork: each branch is counted for itself, once and in order.
func TestPrackIsOwedOnceAndInOrder(t *testing.T) {
	f := NewFork(invite(t))
	for i, step := range []struct {
		status, tag, rseq, require string
		owed                       string // "": none
		bad                        bool
	}{
		{"183 P", "pc", "7", "100rel", "7 10 INVITE", false},
		{"183 P", "pc", "7", "100rel", "", false}, // again
		{"183 P", "pc", "9", "100rel", "", false}, // a gap
		{"183 P", "phone", "4294967295", "100rel", "4294967295 10 INVITE", false},
		{"180 R", "phone", "1", "100rel", "", false}, // numbers do not wrap around
		{"180 R", "pc", "8", "precondition, 100REL", "8 10 INVITE", false},
		{"180 R", "pc", "9", "precondition", "", false},
		{"183 P", "pc", "9", "", "", false},
		{"183 P", "pc", "0", "100rel", "", true},
		{"183 P", "pc", "4294967296", "100rel", "", true},
		{"183 P", "pc", "", "100rel", "", true},
		{"100 T", "pc", "9", "100rel", "", false},
		{"183 P", "pc", "9", "100rel", "9 10 INVITE", false},
		{"200 O", "pc", "10", "100rel", "", false},
		{"183 P", "pc", "10", "100rel", "", false}, // after the final response
	} {
		more := []string{"Contact: <sip:b>"}
		if step.rseq != "" {
			more = append(more, "RSeq: "+step.rseq)
		}
		if step.require != "" {
			more = append(more, "Require: "+step.require)
		}
		res := answer(t, step.status, step.tag, more...)
		if _, _, err := f.Receive(res); err != nil {
			t.Fatal(err)
		}
		owed, ok, err := f.Owed(res)
		if ok != (step.owed != "") || ok && owed.String() != step.owed || (err != nil) != step.bad {
			t.Errorf("step %d: %v, %v, %v", i, owed, ok, err)
		}
	}
}

// What one side writes, the other one reads, and a foreign one's white space.
func TestRAck(t *testing.T) {
	req := parse[*message.Request](t, "PRACK sip:bob@b SIP/2.0", "Via: SIP/2.0/TCP a;branch=z9hG4bK2", "From: <sip:a>;tag=al",
		"To: <sip:b>;tag=bo", "Call-ID: c1", "CSeq: 11 PRACK", "RAck:  776656   1  INVITE ")
	got, err := RAckOf(req)
	if want := (RAck{776656, message.CSeq{Seq: 1, Method: "INVITE"}}); err != nil || got != want || got.String() != "776656 1 INVITE" {
		t.Errorf("%v, %v", got, err)
	}
}

// What is read as a RAck is written so that it is read as the same.
func FuzzRAck(f *testing.F) {
	for _, s := range []string{"776656 1 INVITE", "4294967295 2147483647 x", "0 1 INVITE", "1  2\tPRACK ", "1", ""} {
		f.Add(s)
	}
	read := func(s string) (RAck, error) {
		req := message.NewRequest("PRACK", message.URI{})
		message.Add(req, "RAck", s)
		return RAckOf(req)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := read(s)
		if err != nil {
			var malformed *message.ParseError
			if !errors.As(err, &malformed) || malformed.Status != 400 {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if back, err := read(a.String()); a.RSeq == 0 || err != nil || back != a {
			t.Fatalf("%q is %v, and that %v, %v", s, a, back, err)
		}
	})
}
