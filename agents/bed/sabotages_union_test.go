package bed_test

import (
	"slices"
	"strings"

	"presfed/agents/flow"
)

// Changes that servers and devices take for what was meant, and that are not what
// is asked for: a user part that is escaped, a Request-URI in the other form, an
// identity too many.
const (
	escaped   = "sip:%61lice@"
	second    = ", <sip:carol@example.com>"
	entity    = `entity="sip:alice@`
	entityNot = `entity="sip:%61lice@`
	contact   = "<contact priority=\"0.5\">sip:alice@"
	otherOne  = "<contact priority=\"0.5\">sip:carol@"
)

func hierarchicalSabotages() []sabotage {
	const a, b, pc, phone, bob, cal = flow.ServerA, flow.ServerB, flow.AlicePC, flow.AlicePhone, flow.BobPC, flow.Calendar
	list := []sabotage{
		request("4.2.1.1", "F1", "Request-URI", phone, b, "PUBLISH", "sip:alice@example.com SIP", escaped+"example.com SIP"),
		request("4.2.1.1", "F1", "document is of", phone, b, "PUBLISH", entity, entityNot),
		request("4.2.1.1", "F1", "tuples", phone, b, "PUBLISH", contact, otherOne, "F8 tuples", "F10 tuples"),
		request("4.2.1.1", "F2b", "Request-URI", pc, a, "PUBLISH", "sip:alice@example.com SIP", escaped+"example.com SIP"),
		request("4.2.1.1", "F2b", "document is of", pc, a, "PUBLISH", entity, entityNot),
		request("4.2.1.1", "F2b", "person is", pc, a, "PUBLISH", "I am Active", "I am Native", "F10 person"),
		request("4.2.1.1", "F2b", "tuples", pc, a, "PUBLISH", contact, otherOne, "F10 tuples"),
		request("4.2.1.1", "F4", "Request-URI", pc, a, "SUBSCRIBE", "sip:alice@example.com SIP", "sip:alice@servera.example.com SIP"),
		request("4.2.1.1", "F4", "From", pc, a, "SUBSCRIBE", "From: <sip:alice@", "From: <"+escaped),
		request("4.2.1.1", "F6", "Request-URI", a, b, "SUBSCRIBE", "sip:alice@serverb.example.com SIP", "sip:alice@example.com SIP"),
		request("4.2.1.1", "F6", "From", a, b, "SUBSCRIBE", "From: <sip:alice@", "From: <"+escaped),
		request("4.2.1.1", "F6", "P-Asserted-Identity", a, b, "SUBSCRIBE", "P-Asserted-Identity: <sip:alice@example.com>", "P-Asserted-Identity: <sip:alice@example.com>"+second),
		request("4.2.1.1", "F8", "document is of", b, a, "NOTIFY", entity, entityNot),
		request("4.2.1.1", "F8", "tuples", b, a, "NOTIFY", contact, otherOne, "F10 tuples"),
		request("4.2.1.1", "F10", "body is PIDF", a, pc, "NOTIFY", "application/pidf+xml", "text/xml"),
		request("4.2.1.1", "F10", "tuples are those of", a, pc, "NOTIFY", `<tuple id="frh78">`, `<tuple id="other">`),
		request("4.2.1.1", "F10", "document is of", a, pc, "NOTIFY", entity, entityNot),
		request("4.2.1.1", "F10", "person is", a, pc, "NOTIFY", "I am Active", "I am Native"),
		request("4.2.1.1", "F10", "tuples are text", a, pc, "NOTIFY", contact, otherOne),

		request("4.2.1.2", "F2", "Request-URI", b, a, "SUBSCRIBE", "sip:alice@example.com SIP", escaped+"example.com SIP"),
		request("4.2.1.2", "F2", "Route", b, a, "SUBSCRIBE", "\r\nRoute: <sip:servera.example.com;lr>", ""),
		request("4.2.1.2", "F2", "Record-Route", b, a, "SUBSCRIBE", "@serverb.example.com;lr>", "@RELAY-B;transport=tls;lr>"),
		request("4.2.1.2", "F2", "P-Asserted-Identity", b, a, "SUBSCRIBE", "P-Asserted-Identity: <sip:bob@example.com>", "P-Asserted-Identity: <sip:bob@example.com>"+second),
		request("4.2.1.2", "F2", "Contact", b, a, "SUBSCRIBE", "5060;transport=tcp>\r\n", "5060;transport=tcp;x=1>\r\n"),
		request("4.2.1.2", "F3", "alice's policy", a, b, "NOTIFY", "Subscription-State: active", "Subscription-State: pending"),
		request("4.2.1.2", "F5", "Request-URI", a, b, "NOTIFY", ";transport=tcp SIP/2.0", ";transport=tcp;x=1 SIP/2.0"),
		request("4.2.1.2", "F5", "Route", a, b, "NOTIFY", "@serverb.example.com;lr>", "@RELAY-B;transport=tls;lr>"),
		request("4.2.1.2", "F5", "P-Asserted-Identity", a, b, "NOTIFY", "P-Asserted-Identity: <sip:alice@", "P-Asserted-Identity: <sip:carol@"),
		request("4.2.1.2", "F5", "body is PIDF", a, b, "NOTIFY", "application/pidf+xml", "text/xml"),
		request("4.2.1.2", "F6", "Record-Route", b, bob, "NOTIFY", "Record-Route: <", "Record-Route: <sip:servera.example.com;lr>, <"),

		request("4.2.1.3", "F1", "Request-URI", cal, a, "PUBLISH", "sip:alice@example.com SIP", escaped+"example.com SIP"),
		request("4.2.1.3", "F7", "document is of", phone, b, "PUBLISH", entity, entityNot),
		request("4.2.1.3", "F7", "tuples", phone, b, "PUBLISH", contact, otherOne, "F9 tuples", "F11 tuples"),
		request("4.2.1.3", "F9", "Request-URI", b, a, "NOTIFY", "sip:alice@servera.example.com SIP", escaped+"servera.example.com SIP"),
		request("4.2.1.3", "F9", "document is of", b, a, "NOTIFY", entity, entityNot),
		request("4.2.1.3", "F9", "tuples", b, a, "NOTIFY", contact, otherOne, "F11 tuples"),

		request("4.2.1.4", "F1", "Request-URI", bob, b, "INVITE", "sip:alice@example.com SIP", "sip:alice@serverb.example.com SIP"),
		request("4.2.1.4", "F1", "Supported", bob, b, "INVITE", "Supported: early-session", "Require: early-session"),
		request("4.2.1.4", "F2", "Request-URI", b, a, "INVITE", "sip:alice@example.com SIP", escaped+"example.com SIP", "F3 Request-URI"),
		request("4.2.1.4", "F2", "Route", b, a, "INVITE", "\r\nRoute: <sip:servera.example.com;lr>", ""),
		request("4.2.1.4", "F2", "Record-Route", b, a, "INVITE", "@serverb.example.com;lr>", "@RELAY-B;transport=tls;lr>"),
		request("4.2.1.4", "F2", "P-Asserted-Identity", b, a, "INVITE", "P-Asserted-Identity: <sip:bob@example.com>", "P-Asserted-Identity: <sip:bob@example.com>"+second),
		request("4.2.1.4", "F3", "Request-URI", a, b, "INVITE", "sip:alice@serverb.example.com SIP", escaped+"serverb.example.com SIP"),
		request("4.2.1.4", "F3", "Record-Route", a, b, "INVITE", "@servera.example.com;lr>", "@RELAY-A;transport=tls;lr>"),
		request("4.2.1.4", "F3", "P-Asserted-Identity", a, b, "INVITE", "P-Asserted-Identity: <sip:bob@example.com>", "P-Asserted-Identity: <sip:bob@example.com>"+second),
	}
	for id, hops := range map[string][][3]string{"4.2.1.2": {{"F5", a, b}, {"F6", b, bob}}, "4.2.1.3": {{"F3", a, b}, {"F4", b, bob}}} {
		for _, h := range hops {
			list = append(list, document(id, h[0], h[1], h[2], "I am ", "I was ")...)
		}
	}
	for _, h := range [][3]string{{"F11", a, b}, {"F13", b, bob}} {
		for _, s := range document("4.2.1.3", h[0], h[1], h[2], "I am ", "I was ") {
			s.skip = 1
			list = append(list, s)
		}
	}
	list = append(list, policyOf("4.2.1.4", "F4", a, pc)...)
	for _, c := range []call{{f: "F2", from: b, to: a}, {f: "F3", from: a, to: b}, {f: "F4", from: a, to: pc}, {f: "F5", from: b, to: phone},
		{f: "F6", from: pc, to: a, leg: pc}, {f: "F7", from: phone, to: b, leg: phone}, {f: "F8", from: b, to: a, leg: phone}, {f: "F9", from: a, to: b, leg: pc}, {f: "F10", from: b, to: bob, leg: pc}, {f: "F17", from: a, to: b, leg: phone},
		{f: "F12", from: b, to: a, leg: pc}, {f: "F13", from: a, to: pc, leg: pc}, {f: "F20", from: b, to: a, leg: phone}, {f: "F21", from: a, to: b, leg: phone}, {f: "F22", from: b, to: phone, leg: phone}, {f: "F27", from: pc, to: a, leg: pc}, {f: "F31", from: b, to: a, leg: pc},
		{f: "F33", from: a, to: b, also: "F36 goes"}, {f: "F34", from: b, to: phone, also: "F35 goes"}, {f: "F35", from: phone, to: b}, {f: "F36", from: b, to: a}, {f: "F39", from: a, to: b}, {f: "F40", from: b, to: phone}} {
		list = append(list, c.sabotages("4.2.1.4")...)
	}
	return list
}

func peerSabotages() []sabotage {
	const a, b, pc, phone, bob = flow.ServerA, flow.ServerB, flow.AlicePC, flow.AlicePhone, flow.BobPC
	list := []sabotage{
		request("4.2.2.1", "F1", "Request-URI", bob, b, "SUBSCRIBE", "sip:alice@example.com SIP", "sip:alice@serverb.example.com SIP"),
		request("4.2.2.1", "F3", "Request-URI", b, a, "SUBSCRIBE", "sip:alice@servera.example.com SIP", escaped+"servera.example.com SIP"),
		request("4.2.2.1", "F3", "From", b, a, "SUBSCRIBE", "From: <sip:alice@", "From: <"+escaped),
		request("4.2.2.1", "F3", "P-Asserted-Identity", b, a, "SUBSCRIBE", "P-Asserted-Identity: <sip:alice@example.com>", "P-Asserted-Identity: <sip:alice@example.com>"+second),
		request("4.2.2.1", "F5", "document is of", a, b, "NOTIFY", entity, entityNot),
		request("4.2.2.1", "F5", "person is", a, b, "NOTIFY", "I am ", "I was ", "F7 person"),
		request("4.2.2.1", "F5", "tuples", a, b, "NOTIFY", contact, otherOne, "F7 tuples"),
		request("4.2.2.1", "F7", "body is PIDF", b, bob, "NOTIFY", "application/pidf+xml", "text/xml"),
		request("4.2.2.2", "F1", "Request-URI", a, b, "NOTIFY", "sip:alice@serverb.example.com SIP", escaped+"serverb.example.com SIP"),
		request("4.2.2.2", "F1", "document is of", a, b, "NOTIFY", entity, entityNot),
		request("4.2.2.2", "F1", "person is", a, b, "NOTIFY", "Busy fixing", "Busy mixing", "F3 person"),
		request("4.2.2.2", "F1", "tuples", a, b, "NOTIFY", "<basic>closed", "<basic>open"),
		request("4.2.2.2", "F4", "Request-URI", b, a, "NOTIFY", "sip:alice@servera.example.com SIP", escaped+"servera.example.com SIP"),
		request("4.2.2.2", "F4", "document is of", b, a, "NOTIFY", entity, entityNot),
		request("4.2.2.2", "F4", "tuples", b, a, "NOTIFY", contact, otherOne),
		request("4.2.2.3", "F1", "Request-URI", bob, b, "INVITE", "sip:alice@example.com SIP", "sip:alice@serverb.example.com SIP"),
		request("4.2.2.3", "F1", "Supported", bob, b, "INVITE", "Supported: early-session", "Require: early-session"),
		request("4.2.2.3", "F2", "Request-URI", b, a, "INVITE", "sip:alice@servera.example.com SIP", escaped+"servera.example.com SIP"),
		request("4.2.2.3", "F2", "Record-Route", b, a, "INVITE", "@serverb.example.com;lr>", "@RELAY-B;transport=tls;lr>"),
		request("4.2.2.3", "F2", "P-Asserted-Identity", b, a, "INVITE", "P-Asserted-Identity: <sip:bob@example.com>", "P-Asserted-Identity: <sip:bob@example.com>"+second),
	}
	list = append(list, document("4.2.2.1", "F7", b, bob, "I am ", "I was ")...)
	list = append(list, document("4.2.2.2", "F3", b, bob, "Busy fixing", "Busy mixing")...)
	list = append(list, policyOf("4.2.2.3", "F3", b, phone)...)
	for _, c := range []call{{f: "F2", from: b, to: a}, {f: "F3", from: b, to: phone}, {f: "F4", from: a, to: pc},
		{f: "F5", from: pc, to: a, leg: pc}, {f: "F6", from: phone, to: b, leg: phone}, {f: "F7", from: a, to: b, leg: pc}, {f: "F8", from: b, to: bob, leg: pc}, {f: "F16", from: b, to: bob, leg: phone},
		{f: "F10", from: b, to: a, leg: pc}, {f: "F11", from: a, to: pc, leg: pc}, {f: "F18", from: b, to: phone, leg: phone}, {f: "F21", from: pc, to: a, leg: pc}, {f: "F25", from: b, to: a, leg: pc},
		{f: "F27", from: b, to: phone, also: "F28 goes"}, {f: "F28", from: phone, to: b}, {f: "F30", from: b, to: phone}} {
		list = append(list, c.sabotages("4.2.2.3")...)
	}
	return list
}

// policyOf has somebody else call.
func policyOf(id, f, from, to string) []sabotage {
	return []sabotage{request(id, f, "alice's policy", from, to, "INVITE", "From: <sip:bob@example.com>", "From: <sip:bob@example.net>")}
}

// call is a message of a call that rings several devices.
type call struct{ f, from, to, leg, also string }

// sabotages are those of the checks that all messages of its kind have.
func (c call) sabotages(id string) (list []sabotage) {
	flows, _ := flow.Show(id)
	i := slices.IndexFunc(flows.Messages, func(m flow.Message) bool { return m.F == c.f })
	add := func(check, old, new string) {
		s := request(id, c.f, check, c.from, c.to, flows.Messages[i].What, old, new)
		if code, method, ok := strings.Cut(flows.Messages[i].What, " "); ok {
			s.start, s.cseq = "SIP/2.0 "+code, method
		}
		s.leg = c.leg
		list = append(list, s)
	}
	device := c.to != flow.ServerA && c.to != flow.ServerB
	switch what := flows.Messages[i].What; {
	case what == "INVITE":
		add("body is", "\r\ns=-", "\r\ns=x")
		if device {
			add("Request-URI is at", "INVITE sip:alice@", "INVITE sip:alice@127.0.0.1;x=")
		}
	case what == "183 INVITE" && c.from == c.leg: // from the device
		add("answer and early offer", "multipart/mixed", "multipart/related")
		add("early offer is", "a=setup:actpass", "a=setup:passive")
	case what == "183 INVITE":
		add("body is", "\r\ns=-", "\r\ns=x")
	case what == "PRACK" && device:
		add("RAck is", "RAck: ", "RAck: 0")
	case what == "PRACK", what == "ACK" && c.leg != "": // to a 2xx
		add("no P-Asserted-Identity", "\r\nMax-Forwards:", "\r\nP-Asserted-Identity: <sip:bob@example.com>\r\nMax-Forwards:")
	case what == "200 INVITE":
		add("no early-session", "\r\n\r\n", "\r\nContent-Type: application/sdp\r\nContent-Disposition: early-session\r\n\r\nv=0\r\n")
	default: // CANCEL, ACK
		add("goes one hop", "\r\nFrom:", "\r\nVia: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bKother\r\nFrom:")
	}
	if c.also != "" {
		list[0].also = []string{c.also}
	}
	return list
}

// document changes what the document of a NOTIFY says, in each of its parts.
func document(id, f, from, to, note, otherNote string) []sabotage {
	return []sabotage{
		request(id, f, "document is of", from, to, "NOTIFY", entity, entityNot),
		request(id, f, "person is", from, to, "NOTIFY", note, otherNote),
		request(id, f, "tuples", from, to, "NOTIFY", contact, otherOne),
	}
}
