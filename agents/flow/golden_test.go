package flow

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/wire"
)

// scene is a flow's golden messages as records: an out and an in for each.
type scene struct {
	flow  Flow
	facts Facts
	begin time.Time
	shots []shot
}

// shot is one message; the test changes what its two sockets recorded.
type shot struct {
	f       string
	out, in *wire.Record
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var ends = map[string]netip.AddrPort{
	"alice-pc server-a TCP":    netip.MustParseAddrPort("127.9.0.11:40001"),
	"server-a alice-pc TCP":    netip.MustParseAddrPort("127.9.0.1:5060"),
	"server-a server-b TLS":    netip.MustParseAddrPort("127.9.0.1:41000"),
	"server-b server-a TLS":    netip.MustParseAddrPort("127.9.0.2:5061"),
	"bob-pc server-b TCP":      netip.MustParseAddrPort("127.9.0.21:40002"),
	"server-b bob-pc TCP":      netip.MustParseAddrPort("127.9.0.2:5060"),
	"alice-phone server-b TCP": netip.MustParseAddrPort("127.9.0.12:40003"),
	"server-b alice-phone TCP": netip.MustParseAddrPort("127.9.0.2:5060"),
	"calendar server-a TCP":    netip.MustParseAddrPort("127.9.0.13:40004"),
	"server-a calendar TCP":    netip.MustParseAddrPort("127.9.0.1:5060"),
	"bob-pc alice-phone MSRP":  netip.MustParseAddrPort("127.9.0.21:42001"),
	"alice-phone bob-pc MSRP":  netip.MustParseAddrPort("127.9.0.12:2856"),
	"alice-pc bob-pc MSRP":     netip.MustParseAddrPort("127.9.0.11:42000"),
	"bob-pc alice-pc MSRP":     netip.MustParseAddrPort("127.9.0.21:2856"),
}

func golden(t *testing.T, id string) *scene {
	t.Helper()
	f, ok := Show(id)
	if !ok {
		t.Fatalf("no flow %s", id)
	}
	s := &scene{flow: f, facts: Facts{
		Domain: "example.com",
		Participants: []Participant{
			{Name: ServerA, Addresses: addrs("127.9.0.1:5060 127.9.0.1:5061"), Hosts: []string{"servera.example.com"}},
			{Name: ServerB, Addresses: addrs("127.9.0.2:5060 127.9.0.2:5061"), Hosts: []string{"serverb.example.com"}},
			{Name: AlicePC, Addresses: addrs("127.9.0.11:5060")},
			{Name: AlicePhone, Addresses: addrs("127.9.0.12:5060")},
			{Name: Calendar, Addresses: addrs("127.9.0.13:5060")},
			{Name: BobPC, Addresses: addrs("127.9.0.21:5060")},
			{Name: BobPhone, Addresses: addrs("127.9.0.22:5060")},
		},
		Allows: map[string][]string{"alice": {"bob"}, "bob": {"alice"}},
	}}
	data, err := os.ReadFile("testdata/" + id + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range strings.Split(string(data), "\n>> ")[1:] {
		head, raw, _ := strings.Cut(text, "\n")
		words := strings.Fields(head) // F1 alice-pc > server-a TCP
		at := start.Add(time.Duration(i) * 10 * time.Millisecond)
		if words[0] != "-" && s.begin.IsZero() {
			s.begin = at
		}
		s.shots = append(s.shots, take(words[0], words[1], words[3], words[4], raw, at))
	}
	return s
}

func addrs(list string) (out []netip.AddrPort) {
	for _, a := range strings.Fields(list) {
		out = append(out, netip.MustParseAddrPort(a))
	}
	return out
}

// take makes the two records of a message.
func take(f, from, to, transport, raw string, at time.Time) shot {
	r := wire.Record{Participant: from, Direction: wire.Out, Time: at, Protocol: wire.SIP, Transport: transport,
		Src: ends[from+" "+to+" "+transport], Dst: ends[to+" "+from+" "+transport]}
	if transport == "MSRP" {
		r.Protocol, r.Transport = wire.MSRP, "TCP"
		r.Raw = []byte(strings.ReplaceAll(strings.TrimRight(raw, "\n")+"\n", "\n", "\r\n"))
	} else {
		head, body, _ := strings.Cut(raw, "\n\n")
		body = strings.ReplaceAll(body, "\n", "\r\n")
		head = strings.ReplaceAll(strings.TrimRight(head, "\n"), "\n", "\r\n")
		r.Raw = fmt.Appendf(nil, "%s\r\nContent-Length: %d\r\n\r\n%s", head, len(body), body)
	}
	in := r
	in.Participant, in.Direction, in.Time, in.Raw = to, wire.In, at.Add(time.Millisecond), bytes.Clone(r.Raw)
	return shot{f: f, out: &r, in: &in}
}

func (s *scene) records() (out []wire.Record) {
	for _, shot := range s.shots {
		for _, r := range []*wire.Record{shot.out, shot.in} {
			if r != nil {
				out = append(out, *r)
			}
		}
	}
	return out
}

func (s *scene) judge() Result { return Judge(s.flow, s.facts, s.records(), s.begin) }

func (s *scene) find(t *testing.T, f string) *shot {
	t.Helper()
	for i := range s.shots {
		if s.shots[i].f == f {
			return &s.shots[i]
		}
	}
	t.Fatalf("no %s in the golden messages of %s", f, s.flow.ID)
	return nil
}

// replace changes a message's bytes, the same on both sides, and its
// Content-Length with them.
func (s *shot) replace(t *testing.T, old, new string) {
	t.Helper()
	s.out.Raw = replaced(t, s.out.Raw, old, new)
	s.in.Raw = bytes.Clone(s.out.Raw)
}

func replaced(t *testing.T, raw []byte, old, new string) []byte {
	t.Helper()
	if !bytes.Contains(raw, []byte(old)) {
		t.Fatalf("no %q in\n%s", old, raw)
	}
	raw = bytes.ReplaceAll(raw, []byte(old), []byte(new))
	if !bytes.Contains(raw, []byte("SIP/2.0")) {
		return raw
	}
	head, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	at := bytes.Index(head, []byte("Content-Length:"))
	return fmt.Appendf(nil, "%sContent-Length: %d\r\n\r\n%s", head[:at], len(body), body)
}

// shape is what a verdict came to, in one comparable value.
func shape(r Result) string {
	var failed []string
	for _, c := range r.Checks {
		if !c.OK {
			failed = append(failed, c.F+" "+c.Check)
		}
	}
	v := r.Verdict
	return fmt.Sprintf("ok %t missing %v unexpected %d out of order %v failed %q (%d)", v.OK, v.Missing, len(v.Unexpected), v.OutOfOrder, failed, v.FailedChecks)
}

const green = "ok true missing [] unexpected 0 out of order [] failed [] (0)"

func only(kind string, what ...any) string {
	switch kind {
	case "check":
		return fmt.Sprintf("ok false missing [] unexpected 0 out of order [] failed [%q] (1)", what...)
	case "order":
		return fmt.Sprintf("ok false missing [] unexpected 0 out of order [%s] failed [] (0)", what...)
	}
	return fmt.Sprintf("ok false missing [] unexpected %d out of order [] failed [] (0)", what...)
}
