package trace

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"presfed/agents/internal/wire"
)

// told is a message in one line, for comparisons.
func told(m Message) string {
	s := m.From + " > " + m.To + ": " + m.Label()
	if m.Sent == nil {
		s += ", not sent"
	}
	if m.Received == nil {
		s += ", not received"
	}
	if m.Lost {
		s += ", lost"
	}
	return s
}

func tell(messages []Message) []string {
	var out []string
	for _, m := range messages {
		out = append(out, told(m))
	}
	return out
}

var imTold = []string{
	"alice-pc > server-a: SUBSCRIBE", "server-a > alice-pc: 200 OK (SUBSCRIBE)",
	"server-a > server-b: SUBSCRIBE", "server-b > server-a: 403 Forbidden (SUBSCRIBE)",
	"alice-pc > server-a: INVITE", "server-a > server-b: INVITE", "server-b > bob-pc: INVITE",
	"bob-pc > server-b: 200 OK (INVITE)", "server-b > server-a: 200 OK (INVITE)",
	"server-a > alice-pc: 200 OK (INVITE), not received, lost",
	"alice-pc > bob-pc: MSRP SEND", "bob-pc > alice-pc: MSRP 200 OK",
}

func TestPair(t *testing.T) {
	messages := Pair(im().records)
	if diff := cmp.Diff(imTold, tell(messages)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := messages[len(messages)-1].Method; got != "SEND" {
		t.Errorf("the MSRP response's method is %q, want SEND", got)
	}
}

// TestPairInAnyOrder: sockets are read one after another, so their records come
// in any mixture.
func TestPairInAnyOrder(t *testing.T) {
	records := im().records
	seed := rand.Uint64()
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	if diff := cmp.Diff(imTold, tell(Pair(records))); diff != "" {
		t.Errorf("seed %d (-want +got):\n%s", seed, diff)
	}
}

// TestPairWhenTheSenderRecordsLate: the sender's record follows its write, and
// the answer may be quicker.
func TestPairWhenTheSenderRecordsLate(t *testing.T) {
	b := newBed()
	b.sip("alice-pc", "server-a", request("OPTIONS", "sip:server-a", 1, "x"))
	b.sip("server-a", "alice-pc", response("200 OK", "OPTIONS", 1))
	b.records[0].Time = b.now.Add(time.Second)
	want := []string{"alice-pc > server-a: OPTIONS", "server-a > alice-pc: 200 OK (OPTIONS)"}
	if diff := cmp.Diff(want, tell(Pair(b.records))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPairRetransmissions(t *testing.T) {
	b := newBed()
	raw := request("OPTIONS", "sip:server-a", 1, "x")
	b.hop(SIP, "UDP", "server-a", "server-b", raw, wire.In)
	b.hop(SIP, "UDP", "server-a", "server-b", raw)
	b.hop(SIP, "UDP", "server-b", "server-a", response("200 OK", "OPTIONS", 1))
	messages := Pair(b.records)
	lost := 0
	for _, m := range messages {
		if m.Lost {
			lost++
		}
	}
	if len(messages) != 3 || lost != 1 {
		t.Errorf("%d messages, %d lost, want 3 and 1:\n%s", len(messages), lost, strings.Join(tell(messages), "\n"))
	}
}

func TestPairKeepsConnectionsApart(t *testing.T) {
	b := newBed()
	raw := request("OPTIONS", "sip:server-b", 1, "x")
	b.sip("server-a", "server-b", raw, wire.In)
	b.addr["server-a"] = netip.MustParseAddrPort("127.0.0.11:40777")
	b.sip("server-a", "server-b", raw)
	messages := Pair(b.records)
	if len(messages) != 2 || !messages[0].Lost || messages[1].Lost || messages[1].Src.Port() != 40777 {
		t.Errorf("%v", tell(messages))
	}
}

func TestPairWithAnUnboundDatagramSocket(t *testing.T) {
	b := newBed()
	b.hop(SIP, "UDP", "server-a", "server-b", request("OPTIONS", "sip:server-b", 1, "x"))
	b.records[0].Src = netip.MustParseAddrPort("[::]:5061")
	messages := Pair(b.records)
	if len(messages) != 1 || messages[0].Src != b.addr["server-a"] || messages[0].From != "server-a" {
		t.Errorf("%v from %v", tell(messages), messages[0].Src)
	}
}

func TestPairWithStrangers(t *testing.T) {
	b := newBed()
	b.sip("alice-pc", "server-a", request("REGISTER", "sip:example.com", 1, "x"), wire.Out)
	b.sip("server-a", "alice-pc", response("200 OK", "REGISTER", 1), wire.In)
	want := []string{"127.0.0.21:40001 > server-a: REGISTER, not sent", "server-a > 127.0.0.21:40001: 200 OK (REGISTER), not received"}
	if diff := cmp.Diff(want, tell(Pair(b.records))); diff != "" {
		t.Errorf("nobody watches alice-pc, so nothing is lost (-want +got):\n%s", diff)
	}
}

func TestHead(t *testing.T) {
	raw := "\r\nSIP/2.0 200 Very\x80 OK \r\nv: SIP/2.0/TCP a;branch=z9hG4bKone, SIP/2.0/TCP b;branch=z9hG4bKtwo\r\n" +
		"Via: SIP/2.0/TCP c;branch=z9hG4bKthree\r\nf: \"A;tag=no\" <sip:a@x>;tag=yes\r\nt: sip:b@x\r\ni:\r\n folded@x\r\nCSEQ:  7   INVITE\r\n" +
		"no colon here\r\nP-Asserted-Identity: <sip:a@x>, <tel:1>\r\n\r\na=path:msrp://h:1/s;tcp\r\n"
	got := readHead(SIP, []byte(raw))
	want := Head{
		StartLine: "SIP/2.0 200 Very\uFFFD OK", Status: 200, Reason: "Very\uFFFD OK", Method: "INVITE", CSeq: "7 INVITE",
		Branch: "z9hG4bKone", FromURI: "sip:a@x", FromTag: "yes", ToURI: "sip:b@x", CallID: "folded@x",
		Paths: []string{"msrp://h:1/s;tcp"},
	}
	got.Asserted = slices.DeleteFunc(got.Asserted, func(s string) bool { return !strings.HasPrefix(s, "sip:") })
	want.Asserted = []string{"sip:a@x"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, raw := range []string{"", "\r\n", "MSRP", "MSRP x", "x", "SIP/2.0", "SIP/2.0 99 x", ":\r\n:"} {
		for _, p := range []Protocol{SIP, MSRP} {
			_ = readHead(p, []byte(raw))
		}
	}
}

// FuzzHead: whatever comes, what is shown is text on one line, and it is what a
// plain reader of lines finds first.
func FuzzHead(f *testing.F) {
	f.Add([]byte(request("INVITE", "sip:b@x", 1, "a", sdp(alicePath))), true)
	f.Add([]byte(response("200 OK", "INVITE", 1)), true)
	f.Add([]byte(send("d93kswow", "x")), false)
	f.Add([]byte("\x00\r\n : \r\n\t\r\n"), true)
	f.Fuzz(func(t *testing.T, raw []byte, sip bool) {
		protocol := MSRP
		if sip {
			protocol = SIP
		}
		h := readHead(protocol, raw)
		if strings.ContainsAny(h.StartLine+h.CallID+h.CSeq+h.Method+h.RequestURI+h.Transaction+h.MessageID, "\n") {
			t.Fatalf("a line break in %+v", h)
		}
		if first := strings.TrimSpace(strings.SplitN(strings.TrimLeft(string(raw), "\r\n"), "\n", 2)[0]); strings.ToValidUTF8(first, "\uFFFD") != h.StartLine &&
			strings.TrimSpace(strings.ToValidUTF8(first, "\uFFFD")) != h.StartLine {
			t.Fatalf("start line %q, want %q", h.StartLine, first)
		}
		if h.Status < 0 || h.Status > 999 {
			t.Fatalf("status %d", h.Status)
		}
	})
}
