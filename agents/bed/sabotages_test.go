package bed_test

import (
	"slices"
	"strings"

	"presfed/agents/flow"
)

// astray says that somebody cannot go on after it: a dialog is not what it is
// taken for.
func (a sabotage) astray() bool {
	return a.cseq == "SUBSCRIBE" && (strings.HasPrefix(a.check, "P-Asserted-Identity") || strings.HasPrefix(a.check, "Record-Route") || strings.HasPrefix(a.check, "From")) ||
		a.cseq == "NOTIFY" && strings.HasPrefix(a.check, "Record-Route")
}

func sabotages() []sabotage {
	const a, b, pc, bob = flow.ServerA, flow.ServerB, flow.AlicePC, flow.BobPC
	byRelay := "@RELAY-A;transport=tls;lr>"
	list := []sabotage{
		request("4.1.1", "F1", "Request-URI is bob@domain", pc, a, "SUBSCRIBE", "sip:bob@example.com SIP", "sip:bob@servera.example.com SIP"),
		request("4.1.1", "F2", "Request-URI is bob@server-b", a, b, "SUBSCRIBE", "sip:bob@serverb.example.com SIP", "sip:bob@example.com SIP"),
		request("4.1.1", "F2", "Record-Route names server-a", a, b, "SUBSCRIBE", "@servera.example.com;lr>", byRelay),
		request("4.1.1", "F2", "P-Asserted-Identity is alice", a, b, "SUBSCRIBE", "P-Asserted-Identity: <sip:alice@example.com>", "P-Asserted-Identity: <sip:alice@example.com>, <sip:carol@example.com>"),
		request("4.1.1", "F2", "Contact is that of F1", a, b, "SUBSCRIBE", "5060;transport=tcp>\r\n", "5060;transport=tcp;x=1>\r\n"),
		request("4.1.1", "F4", "bob's policy allows alice", b, a, "NOTIFY", "Subscription-State: active", "Subscription-State: pending"),
		request("4.1.1", "F5", "Request-URI is alice's Contact", b, a, "NOTIFY", ";transport=tcp SIP/2.0", ";transport=tcp;x=1 SIP/2.0"),
		request("4.1.1", "F5", "Route is server-a", b, a, "NOTIFY", "@servera.example.com;lr>", byRelay),
		request("4.1.1", "F5", "P-Asserted-Identity is bob", b, a, "NOTIFY", "P-Asserted-Identity: <sip:bob@", "P-Asserted-Identity: <sip:carol@"),
		request("4.1.1", "F5", "body is PIDF", b, a, "NOTIFY", "application/pidf+xml", "text/xml"),
		request("4.1.4", "F2", "Request-URI is bob@server-b", a, b, "INVITE", "sip:bob@serverb.example.com SIP", "sip:bob@example.com SIP"),
		request("4.1.4", "F2", "Record-Route names server-a", a, b, "INVITE", "@servera.example.com;lr>", byRelay),
		request("4.1.4", "F2", "P-Asserted-Identity is alice", a, b, "INVITE", "P-Asserted-Identity: <sip:alice@example.com>", "P-Asserted-Identity: <sip:alice@example.com>, <sip:carol@example.com>"),
		request("4.1.4", "F3", "bob's policy allows alice", b, bob, "INVITE", "From: <sip:alice@example.com>", "From: <sip:alice@example.net>"),
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
				list = append(list, request(id, fs[i], check, hop.from, hop.to, "NOTIFY", c[0], c[1]))
			}
		}
	}
	list = append(list, request("4.1.1", "F6", "Record-Route names server-a", a, pc, "NOTIFY", "Record-Route: <", "Record-Route: <sip:serverb.example.com;lr>, <"))
	list = append(append(list, hierarchicalSabotages()...), peerSabotages()...)
	// A field that nobody asks for is still a message that did not arrive as sent.
	for _, f := range flow.List() {
		for i, m := range f.Messages {
			if m.Protocol != "sip" || slices.Contains(past, f.ID+" "+m.F+" ") {
				continue
			}
			one := request(f.ID, m.F, "recorded by both sockets, alike", m.From, m.To, m.What, "\r\nCSeq:", "\r\nX-Relay: 1\r\nCSeq:")
			if code, method, ok := strings.Cut(m.What, " "); ok {
				one.start, one.cseq = "SIP/2.0 "+code, method
			}
			if one.leg = m.Leg; one.cseq == "CANCEL" {
				one.leg = "" // its response has a tag of its own
			}
			for _, other := range f.Messages[:i] {
				if other.From == m.From && other.To == m.To && other.What == m.What && other.Leg == m.Leg {
					one.skip++
				}
			}
			list = append(list, one)
		}
	}
	return list
}

// past are the messages of sessions that devices exchange with their server past
// the relay: the route set leads to the server itself.
var past = []string{"4.1.4 F7 ", "4.1.4 F14 ", "4.1.4 F19 ",
	"4.2.1.4 F11 ", "4.2.1.4 F16 ", "4.2.1.4 F19 ", "4.2.1.4 F26 ", "4.2.1.4 F30 ",
	"4.2.2.3 F9 ", "4.2.2.3 F14 ", "4.2.2.3 F17 ", "4.2.2.3 F20 ", "4.2.2.3 F24 "}
