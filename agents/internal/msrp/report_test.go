package msrp

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestSuccessReports(t *testing.T) {
	a, b := startEndpoint(t, Config{}), startEndpoint(t, Config{})
	ba, bb := newInbox(), newInbox()
	sa, _ := pair(t, a, b, ba.config(), bb.config())
	for _, n := range []int{0, 5, 10_000} {
		sent, err := sa.Send(testContext(t), "a/b", strings.NewReader(strings.Repeat("x", n)), SendOptions{SuccessReport: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := sent.Reported(testContext(t)); err != nil {
			t.Error(err)
		}
		if r := await(t, ba.reports); r.MessageID != sent.MessageID || r.Status != 200 || r.Range != (ByteRange{1, int64(n), int64(n)}) {
			t.Errorf("told %+v", r)
		}
	}
	sent, err := sa.Send(testContext(t), "a/b", strings.NewReader("x"), SendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sent.Reported(testContext(t)); err == nil {
		t.Error("reported without being asked")
	}
}

// Success in parts (RFC 4975 section 7.1.3), failure, and the session's end.
func TestReportsByHand(t *testing.T) {
	report := func(s *Session, p *peer, id, r, status string) {
		p.send(s, "MSRP rep00001 REPORT\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: "+id+"\nByte-Range: "+r+"\nStatus: "+status+"\n-------rep00001$\n")
	}
	for name, c := range map[string]struct {
		then func(s *Session, p *peer)
		want func(err error) bool
		over bool
	}{
		"in parts": {func(s *Session, p *peer) {
			report(s, p, "m001", "4-5/5", "000 200 OK")
			report(s, p, "unknown", "1-9/9", "000 500 who")
			report(s, p, "m001", "1-5/5", "001 500 another namespace")
			report(s, p, "m001", "1-3/5", "000 200 OK")
		}, func(err error) bool { return err == nil }, false},
		"failure": {func(s *Session, p *peer) { report(s, p, "m001", "1-5/5", "000 408 late") },
			func(err error) bool { return errors.Is(err, ErrTimeout) }, true},
		"the session ends": {func(s *Session, _ *peer) { s.Close() },
			func(err error) bool { return errors.Is(err, ErrClosed) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			uri, accept := listenPeer(t)
			s := newSession(t, startEndpoint(t, Config{}), SessionConfig{})
			if err := s.Start(testContext(t), describe(t, uri), ActiveSpeaks); err != nil {
				t.Fatal(err)
			}
			p := accept()
			result := make(chan *Sent, 1)
			go func() {
				sent, _ := s.Send(context.Background(), "a/b", strings.NewReader("abcde"), SendOptions{MessageID: "m001", SuccessReport: true})
				result <- sent
			}()
			p.answer(s)
			sent := await(t, result)
			c.then(s, p)
			if err := sent.Reported(testContext(t)); !c.want(err) {
				t.Errorf("Reported: %v", err)
			}
			if c.over {
				await(t, s.Done())
			}
		})
	}
}

// A peer that reports every other byte does not have us remember each.
func TestReportsOfManyRanges(t *testing.T) {
	m := &Sent{total: 100_000}
	for i := int64(99_999); i > 0; i -= 2 {
		if m.cover(ByteRange{Start: i, End: i, Total: Unknown}) {
			t.Fatal("half is taken for all")
		}
	}
	if n := len(m.reported); n > maxRanges {
		t.Errorf("%d ranges", n)
	}
	if !m.cover(ByteRange{Start: 1, End: 100_000, Total: 100_000}) {
		t.Error("all is not all")
	}
}
