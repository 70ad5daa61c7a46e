package bed_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/bed"
	"presfed/agents/flow"
)

// sabotage is a change of one message on its way that makes one check fail, and
// no other.
type sabotage struct {
	flow, f, check string
	from, to       string
	start          string // what the message begins with
	cseq           string // and the method that it is about
	old, new       string
}

// saboteur changes the first message that fits, from when it is armed.
type saboteur struct {
	mu    sync.Mutex
	armed *sabotage
	done  bool
}

func (s *saboteur) meddle(from, to string, raw []byte) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.armed
	if a == nil || s.done || from != a.from || to != a.to || !bytes.HasPrefix(raw, []byte(a.start)) ||
		!bytes.Contains(raw, []byte(" "+a.cseq+"\r\n")) || !bytes.Contains(raw, []byte(a.old)) || bytes.HasPrefix(raw, []byte("SIP/2.0 100")) {
		return [][]byte{raw}
	}
	s.done = true
	if a.new == "drop" {
		return nil
	}
	raw = bytes.Replace(raw, []byte(a.old), []byte(a.new), 1)
	head, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	var kept [][]byte
	for _, line := range bytes.Split(head, []byte("\r\n")) {
		if !bytes.HasPrefix(line, []byte("Content-Length:")) {
			kept = append(kept, line)
		}
	}
	return [][]byte{fmt.Appendf(nil, "%s\r\nContent-Length: %d\r\n\r\n%s", bytes.Join(kept, []byte("\r\n")), len(body), body)}
}

// astray says that devices cannot go on after it: their dialogs are not what they
// take them for.
func (a sabotage) astray() bool {
	return a.flow == "4.1.1" && (strings.HasPrefix(a.check, "P-Asserted-Identity") || strings.HasPrefix(a.check, "Record-Route"))
}

// relayA stands for the address of the relay before server-a.
const relayA = "RELAY"

func sabotages() []sabotage {
	const a, b, pc, bob = flow.ServerA, flow.ServerB, flow.AlicePC, flow.BobPC
	byRelay := "@" + relayA + ";transport=tls;lr>"
	list := []sabotage{
		{"4.1.1", "F1", "Request-URI is bob@domain", pc, a, "SUBSCRIBE", "SUBSCRIBE", "sip:bob@example.com SIP", "sip:bob@servera.example.com SIP"},
		{"4.1.1", "F2", "Request-URI is bob@server-b", a, b, "SUBSCRIBE", "SUBSCRIBE", "sip:bob@serverb.example.com SIP", "sip:bob@example.com SIP"},
		{"4.1.1", "F2", "Record-Route names server-a", a, b, "SUBSCRIBE", "SUBSCRIBE", "@servera.example.com;lr>", byRelay},
		{"4.1.1", "F2", "P-Asserted-Identity is alice", a, b, "SUBSCRIBE", "SUBSCRIBE", "P-Asserted-Identity: <sip:alice@example.com>", "P-Asserted-Identity: <sip:alice@example.com>, <sip:carol@example.com>"},
		{"4.1.1", "F2", "Contact is that of F1", a, b, "SUBSCRIBE", "SUBSCRIBE", "5060;transport=tcp>\r\n", "5060;transport=tcp;x=1>\r\n"},
		{"4.1.1", "F4", "bob's policy allows alice", b, a, "NOTIFY", "NOTIFY", "Subscription-State: active", "Subscription-State: pending"},
		{"4.1.1", "F5", "Request-URI is alice's Contact", b, a, "NOTIFY", "NOTIFY", ";transport=tcp SIP/2.0", ";transport=tcp;x=1 SIP/2.0"},
		{"4.1.1", "F5", "Route is server-a", b, a, "NOTIFY", "NOTIFY", "@servera.example.com;lr>", byRelay},
		{"4.1.1", "F5", "P-Asserted-Identity is bob", b, a, "NOTIFY", "NOTIFY", "P-Asserted-Identity: <sip:bob@", "P-Asserted-Identity: <sip:carol@"},
		{"4.1.1", "F5", "body is PIDF", b, a, "NOTIFY", "NOTIFY", "application/pidf+xml", "text/xml"},
		{"4.1.4", "F2", "Request-URI is bob@server-b", a, b, "INVITE", "INVITE", "sip:bob@serverb.example.com SIP", "sip:bob@example.com SIP"},
		{"4.1.4", "F2", "Record-Route names server-a", a, b, "INVITE", "INVITE", "@servera.example.com;lr>", byRelay},
		{"4.1.4", "F2", "P-Asserted-Identity is alice", a, b, "INVITE", "INVITE", "P-Asserted-Identity: <sip:alice@example.com>", "P-Asserted-Identity: <sip:alice@example.com>, <sip:carol@example.com>"},
		{"4.1.4", "F3", "bob's policy allows alice", b, bob, "INVITE", "INVITE", "From: <sip:alice@example.com>", "From: <sip:alice@example.net>"},
	}
	// What is in a document is the same story on each hop and in each flow.
	hops := []struct{ suffix, from, to string }{{"link", b, a}, {"access", a, pc}}
	for id, fs := range map[string][2]string{"4.1.1": {"F5", "F6"}, "4.1.2": {"F3", "F4"}, "4.1.3": {"F3", "F4"}} {
		activity := map[string]string{"4.1.1": "available", "4.1.2": "away", "4.1.3": "do-not-disturb"}[id]
		for i, hop := range hops {
			for check, c := range map[string][2]string{
				"document is of bob": {`entity="sip:bob@`, `entity="sip:carol@`},
				"person is":          {activity, "on-the-phone"},
				"tuples are":         {"<contact priority=\"0.5\">sip:bob@", "<contact priority=\"0.5\">sip:carol@"},
			} {
				list = append(list, sabotage{id, fs[i], check, hop.from, hop.to, "NOTIFY", "NOTIFY", c[0], c[1]})
			}
		}
	}
	// A field that nobody asks for is still a message that did not arrive as sent.
	for _, id := range []string{"4.1.1", "4.1.2", "4.1.3", "4.1.4"} {
		f, _ := flow.Show(id)
		for _, m := range f.Messages {
			// In the session Alice's route set leads past the relay before server-a.
			if m.Protocol != "sip" || id == "4.1.4" && slices.Contains([]string{"F7", "F14", "F19"}, m.F) {
				continue
			}
			start, method, isResponse := strings.Cut(m.What, " ")
			if isResponse {
				start = "SIP/2.0 " + start
			} else {
				method = start
			}
			list = append(list, sabotage{id, m.F, "recorded by both sockets, alike", m.From, m.To, start, method, "\r\nCSeq:", "\r\nX-Relay: 1\r\nCSeq:"})
		}
	}
	return append(list, sabotage{"4.1.1", "F6", "Record-Route names server-a", a, pc, "NOTIFY", "NOTIFY", "Record-Route: <", "Record-Route: <sip:serverb.example.com;lr>, <"})
}

// TestSabotage changes the traffic of running flows, and each time the one check
// fails that the change is about.
func TestSabotage(t *testing.T) {
	s := &saboteur{}
	var b *bed.Bed
	var r *flow.Runner
	fresh := func() {
		var err error
		if b, err = bed.Up(t.Context(), bed.Options{Meddle: s.meddle}); err != nil {
			t.Fatal(err)
		}
		r = flow.NewRunner(b, flow.Settings{Quiet: 20 * time.Millisecond, Timeout: 5 * time.Second})
	}
	down := func() {
		if b == nil {
			return
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // no goodbyes: they may lead nowhere
		if err := b.Down(ctx); err != nil {
			t.Error(err)
		}
	}
	fresh()
	defer func() { down() }()
	for _, f := range flow.List()[:4] {
		result, err := r.Run(t.Context(), f)
		if err != nil {
			t.Fatal(f.ID, err)
		}
		explain(t, result)
	}
	for _, a := range sabotages() {
		a.new = strings.Replace(a.new, relayA, b.RelayOf(flow.ServerA).String(), 1)
		name := a.flow + " " + a.f + " " + a.check
		f, _ := flow.Show(a.flow)
		if err := r.Prepare(t.Context(), f); err != nil {
			t.Fatal(name, err)
		}
		s.mu.Lock()
		s.armed, s.done = &a, false
		s.mu.Unlock()
		result, err := r.Run(t.Context(), f)
		s.mu.Lock()
		if !s.done {
			t.Errorf("%s: nothing was changed", name)
		}
		s.armed = nil
		s.mu.Unlock()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var failed []string
		for _, c := range result.Checks {
			if !c.OK {
				failed = append(failed, c.F+" "+c.Check)
			}
		}
		v := result.Verdict
		if len(failed) != 1 || !strings.HasPrefix(failed[0], a.f+" "+a.check) || len(v.Missing)+len(v.Unexpected)+len(v.OutOfOrder) != 0 {
			t.Errorf("%s: failed %q, missing %v, unexpected %v, out of order %v", name, failed, v.Missing, v.Unexpected, v.OutOfOrder)
		}
		if a.astray() {
			down()
			fresh()
		}
	}
}
