package flow

import (
	"slices"
	"strings"
)

// forgery changes one message so that one check fails.
type forgery struct{ old, new string }

var alicesPAI = forgery{"P-Asserted-Identity: <sip:alice@", "P-Asserted-Identity: <sip:mallory@"}

var (
	otherEntity = forgery{`entity="sip:bob@`, `entity="sip:carol@`}
	otherTuple  = forgery{`<contact priority="0.5">sip:bob@`, `<contact priority="0.5">sip:carol@`}
	noOffer     = forgery{"m=message ", "m=audio "}
)

// forgeries are changes by flow, F-number and name of the check.
var forgeries = map[string]forgery{
	"4.1.1 F1 Request-URI is bob@domain":      {"SUBSCRIBE sip:bob@example.com", "SUBSCRIBE sip:bob@example.org"},
	"4.1.1 F2 Request-URI is bob@server-b":    {"SUBSCRIBE sip:bob@serverb", "SUBSCRIBE sip:bob@serverc"},
	"4.1.1 F2 Record-Route names server-a":    {"Record-Route: <sip:servera.", "Record-Route: <sip:serverb."},
	"4.1.1 F2 P-Asserted-Identity is alice":   alicesPAI,
	"4.1.1 F2 Contact is that of F1":          {"Contact: <sip:alice@127.9.0.11", "Contact: <sip:alice@127.9.0.13"},
	"4.1.1 F4 bob's policy allows alice":      {}, // below: F5 says it
	"4.1.1 F5 Request-URI is alice's Contact": {"NOTIFY sip:alice@127.9.0.11", "NOTIFY sip:alice@127.9.0.12"},
	"4.1.1 F5 Route is server-a":              {"Route: <sip:servera.", "Route: <sip:serverb."},
	"4.1.1 F5 P-Asserted-Identity is bob":     {"P-Asserted-Identity: <sip:bob@", "P-Asserted-Identity: <sip:carol@"},
	"4.1.1 F5 body is PIDF":                   {"application/pidf+xml", "text/xml"},
	"4.1.1 F5 document is of bob":             otherEntity,
	"4.1.1 F5 person is":                      {"I am Active", "I am Idle"},
	"4.1.1 F5 tuples are":                     otherTuple,
	"4.1.1 F6 Record-Route names server-a":    {"Record-Route: <sip:127.9.0.1:", "Record-Route: <sip:127.9.0.2:"},
	"4.1.1 F6 document is of bob":             otherEntity,
	"4.1.1 F6 person is":                      {"<rpid:other>available</rpid:other>", "<rpid:away/>"},
	"4.1.1 F6 tuples are":                     {"<caps:audio>true</caps:audio>", ""},
	"4.1.2 F3 document is of bob":             otherEntity,
	"4.1.2 F3 person is":                      {"<rpid:away/>", "<rpid:busy/>"},
	"4.1.2 F3 tuples are":                     {"<basic>open</basic>", "<basic>closed</basic>"},
	"4.1.2 F4 document is of bob":             otherEntity,
	"4.1.2 F4 person is":                      {"Away from my computer now", "away"},
	"4.1.2 F4 tuples are":                     otherTuple,
	"4.1.3 F3 document is of bob":             otherEntity,
	"4.1.3 F3 person is":                      {"do-not-disturb", "available"},
	"4.1.3 F3 tuples are":                     {"<basic>closed</basic>", "<basic>open</basic>"},
	"4.1.3 F4 document is of bob":             otherEntity,
	"4.1.3 F4 person is":                      {"do-not-disturb", "available"},
	"4.1.3 F4 tuples are":                     {`priority="0.4"`, `priority="0.3"`},
	"4.1.4 F1 SDP has m=message":              noOffer,
	"4.1.4 F1 a=path is of alice-pc":          {"a=path:msrp://127.9.0.11", "a=path:msrp://127.9.0.1"},
	"4.1.4 F2 Request-URI is bob@server-b":    {"INVITE sip:bob@serverb", "INVITE sip:carol@serverb"},
	"4.1.4 F2 Record-Route names server-a":    {"Record-Route: <sip:servera.example.com:5061;transport=tls;lr>\r\n", ""},
	"4.1.4 F2 P-Asserted-Identity is alice":   {"P-Asserted-Identity: <sip:alice@example.com>\r\n", ""},
	"4.1.4 F3 bob's policy allows alice":      {"From: <sip:alice@", "From: <sip:mallory@"},
	"4.1.4 F4 SDP has m=message":              {"m=message 2856 ", "m=message 0 "},
	"4.1.4 F4 a=path is of bob-pc":            {"a=path:msrp://127.9.0.21:2856/bob1;tcp\r\n", ""},
	"4.2.1.2 F2 Contact is that of F1":        {"Contact: <sip:bob@127.9.0.21", "Contact: <sip:bob@127.9.0.29"},
	"4.2.1.2 F2 Record-Route names server-b":  {"Record-Route: <sip:serverb.", "Record-Route: <sip:servera."},
	"4.2.1.2 F3 alice's policy allows bob":    {}, // below: F5 says it
	"4.2.1.2 F6 Record-Route names server-b":  {"Record-Route: <sip:127.9.0.2:", "Record-Route: <sip:127.9.0.1:"},
}

// besides are changes of another message, for a check that looks at it, or that
// others look at.
var besides = map[string]struct {
	f string
	forgery
}{
	"4.1.1 F2 Contact is that of F1":         {"F5", forgery{"NOTIFY sip:alice@127.9.0.11", "NOTIFY sip:alice@127.9.0.13"}},
	"4.1.1 F2 Record-Route names server-a":   {"F5", forgery{"\r\nRoute: <sip:servera.", "\r\nRoute: <sip:serverb."}},
	"4.1.1 F4 bob's policy allows alice":     {"F5", forgery{"Subscription-State: active", "Subscription-State: pending"}},
	"4.2.1.2 F2 Contact is that of F1":       {"F5", forgery{"NOTIFY sip:bob@127.9.0.21", "NOTIFY sip:bob@127.9.0.29"}},
	"4.2.1.2 F2 Record-Route names server-b": {"F5", forgery{"\r\nRoute: <sip:serverb.", "\r\nRoute: <sip:servera."}},
	"4.2.1.2 F3 alice's policy allows bob":   {"F5", forgery{"Subscription-State: active", "Subscription-State: pending"}},
}

type family struct {
	stem string
	forgery
}

// alike are changes for checks that many messages have, by how their names begin.
var alike = []family{
	{"Request-URI is alice@server-a, or", forgery{" sip:alice@example.com SIP", " sip:carol@example.com SIP"}},
	{"Request-URI is alice@server-b, or", forgery{" sip:alice@example.com SIP", " sip:carol@example.com SIP"}},
	{"Request-URI is alice@domain", forgery{" sip:alice@example.com SIP", " sip:alice@example.org SIP"}},
	{"Request-URI is alice@server-", forgery{" sip:alice@server", " sip:carol@server"}},
	{"Request-URI is bob's Contact", forgery{"NOTIFY sip:bob@127.9.0.21", "NOTIFY sip:bob@127.9.0.29"}},
	{"Request-URI is at alice-pc", forgery{"INVITE sip:alice@127.9.0.11", "INVITE sip:alice@127.9.0.12"}},
	{"Request-URI is at alice-phone", forgery{"INVITE sip:alice@127.9.0.12", "INVITE sip:alice@127.9.0.11"}},
	{"From is alice@", forgery{"From: <sip:alice@", "From: <sip:carol@"}},
	{"alice's policy allows bob", forgery{"From: <sip:bob@", "From: <sip:mallory@"}},
	{"P-Asserted-Identity is alice", alicesPAI},
	{"P-Asserted-Identity is bob", forgery{"P-Asserted-Identity: <sip:bob@", "P-Asserted-Identity: <sip:mallory@"}},
	{"Record-Route names server-", forgery{"Record-Route: <sip:server", "Record-Route: <sip:other"}},
	{"Route names server-a", forgery{"Route: <sip:servera.example.com;lr>\r\n", ""}},
	{"Route is server-b", forgery{"\r\nRoute: <sip:serverb.", "\r\nRoute: <sip:servera."}},
	{"body is PIDF", forgery{"application/pidf+xml", "text/xml"}},
	{"tuples are those of F2b and F8", forgery{`<tuple id="frh78">`, `<tuple id="other">`}},
	{"document is of alice", forgery{`entity="sip:alice@`, `entity="sip:carol@`}},
	{"person is", forgery{"<rpid:activities>", "<rpid:activities><rpid:meal/>"}},
	{"tuples ", forgery{`<contact priority="0.5">sip:alice@`, `<contact priority="0.5">sip:carol@`}},
	{"Supported names", forgery{"early-session, 100rel", "100rel"}},
	{"SDP has m=message", noOffer},
	{"a=path is of bob-pc", forgery{"msrp://127.9.0.21:2855/bob1", "msrp://127.9.0.1:2855/bob1"}},
	{"body is that of", forgery{"s=-", "s=x"}},
	{"183 is reliable", forgery{"Require: 100rel\r\n", ""}},
	{"answer and early offer are apart", forgery{"m=message 2856 ", "m=message 2855 "}},
	{"both paths are of alice-pc", forgery{"msrp://127.9.0.11:2855/pcmain", "msrp://127.9.0.12:2855/pcmain"}},
	{"both paths are of alice-phone", forgery{"msrp://127.9.0.12:2855/phmain", "msrp://127.9.0.11:2855/phmain"}},
	{"early offer is a=setup:actpass", forgery{"a=setup:actpass", "a=setup:active"}},
	{"RAck is for", forgery{" 1 INVITE\r\n", " 2 INVITE\r\n"}},
	{"early answer is", forgery{"a=setup:active", "a=setup:passive"}},
	{`text is "R`, forgery{"R u there", "R u where"}},
	{`text is "Y`, forgery{"Yes, I am here", "Yes, I am gone"}},
	{"To-Path is the", forgery{"To-Path: msrp://127.9.0.", "To-Path: msrp://127.9.9."}},
	{"no early-session body", forgery{"Content-Disposition: session", "Content-Disposition: early-session"}},
	{"no body", forgery{"\r\n\r\n", "\r\n\r\nv=0"}},
	{"goes one hop", forgery{"\r\nFrom:", "\r\nVia: SIP/2.0/TCP 127.9.0.99:5060;branch=z9hG4bKe\r\nFrom:"}},
	{"no P-Asserted-Identity", forgery{"\r\nFrom:", "\r\nP-Asserted-Identity: <sip:bob@example.com>\r\nFrom:"}},
}

// forgeryOf is the change for a check, and its key among forgeries where it has
// one of its own.
func forgeryOf(flow string, c Check) (key string, f forgery, ok bool) {
	name := c.Name
	for _, stem := range []string{"person is", "tuples are"} {
		if strings.HasPrefix(name, stem) {
			name = stem
		}
	}
	key = flow + " " + c.F + " " + name
	if f, ok = forgeries[key]; ok {
		return key, f, true
	}
	i := slices.IndexFunc(alike, func(a family) bool { return strings.HasPrefix(c.Name, a.stem) })
	if i < 0 {
		return key, f, false
	}
	return key, alike[i].forgery, true
}
