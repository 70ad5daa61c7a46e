package msrp

import (
	"bytes"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"presfed/agents/internal/wire"
)

// Every frame is recorded once where it leaves and once where it arrives, whole
// and the same, and a response never before its request.
func TestRecords(t *testing.T) {
	ra, rb := newRecords(), newRecords()
	a := startEndpoint(t, Config{Participant: "alice-pc", Tap: ra.tap})
	b := startEndpoint(t, Config{Participant: "bob-pc", Tap: rb.tap})
	bb := newInbox()
	sa, sb := pair(t, a, b, newInbox().config(), bb.config())
	sent, err := sa.Send(testContext(t), "text/plain", strings.NewReader(strings.Repeat("x", 150_000)), SendOptions{SuccessReport: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := sent.Reported(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := sb.Send(testContext(t), "text/plain", strings.NewReader("y"), SendOptions{}); err != nil {
		t.Fatal(err)
	}
	here, there := ra.await(t, 15), rb.await(t, 15)
	// Binding, 5 chunks, one message back, each with its 200; one REPORT.
	if len(here) != 15 || len(there) != 15 {
		t.Fatalf("%d and %d records", len(here), len(there))
	}
	left := map[string]wire.Record{}
	for _, r := range append(here, there...) {
		if r.Direction == wire.Out {
			left[string(r.Raw)] = r
		}
	}
	for _, r := range append(here, there...) {
		if r.Direction != wire.In {
			continue
		}
		o, ok := left[string(r.Raw)]
		if !ok || o.Src != r.Src || o.Dst != r.Dst || o.Participant == r.Participant || o.Time.After(r.Time) || r.Transport != "TCP" || r.Protocol != wire.MSRP {
			t.Errorf("arrived %+v\nleft %+v", r, o)
		}
		delete(left, string(r.Raw))
		if _, _, _, err := Parse(r.Raw); err != nil {
			t.Errorf("%v in %q", err, r.Raw)
		}
	}
	if len(left) > 0 {
		t.Errorf("not arrived: %v", left)
	}
	for _, list := range [][]wire.Record{here, there} {
		asked := map[string]bool{}
		for _, r := range list {
			f, _, _, _ := Parse(r.Raw)
			if f.IsResponse() && !asked[f.Transaction] {
				t.Errorf("%s: response to %s before its request", r.Participant, f.Transaction)
			}
			asked[f.Transaction] = true
		}
	}
}

// A chunk longer than what a record holds is recorded with its body cut.
func TestARecordOfALongChunk(t *testing.T) {
	r := newRecords()
	inbox := newInbox()
	s, p := bound(t, Config{Tap: r.tap}, inbox.config())
	body := strings.Repeat("0123456789", 20_000)
	p.send(s, "MSRP long0001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: long\nByte-Range: 1-*/*\nContent-Type: a/b\n\n"+body+"\n-------long0001$\n")
	p.frame()
	if m := await(t, inbox.messages); string(m.Body) != body {
		t.Errorf("%d bytes", len(m.Body))
	}
	for _, x := range r.await(t, 4) {
		f, got, _, err := Parse(x.Raw)
		if err != nil || f.Transaction != "long0001" || f.IsResponse() {
			continue
		}
		if !bytes.Equal(got, []byte(body[:64<<10])) {
			t.Errorf("%d bytes recorded", len(got))
		}
		return
	}
	t.Error("no record")
}

func TestOutgoingConnectionsLeaveFromTheOwnAddress(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not tested: only Linux has all of 127.0.0.0/8 without being told")
	}
	r := newRecords()
	a := startEndpoint(t, Config{Tap: r.tap, Listen: netip.MustParseAddrPort("127.0.0.2:0")})
	b := startEndpoint(t, Config{Listen: netip.MustParseAddrPort("127.0.0.3:0")})
	pair(t, a, b, SessionConfig{}, SessionConfig{})
	for _, x := range r.await(t, 2) {
		from, to := x.Src, x.Dst
		if x.Direction == wire.In {
			from, to = to, from
		}
		if from.Addr() != a.Addr().Addr() || to != b.Addr() {
			t.Errorf("%s to %s", from, to)
		}
	}
}
