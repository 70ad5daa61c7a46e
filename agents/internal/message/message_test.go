package message

import (
	"errors"
	"strings"
	"testing"
)

const invite = "INVITE sip:bob@example.com SIP/2.0\r\n" +
	"v: SIP/2.0/TCP a.example.com:5060;branch=z9hG4bK1;rport, SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bK0\r\n" +
	"Max-Forwards: 70\r\n" +
	"f: \"Al \\\"x\\\", ice\" <sip:alice@example.com>;tag=a1\r\n" +
	"t: <sip:bob@example.com>\r\n" +
	"i: c1\r\n" +
	"CSeq: 1 INVITE\r\n" +
	"m: <sip:alice@192.0.2.1;transport=tcp>;+sip.instance=\"<urn:uuid:1>\";description=\"a b\"\r\n" +
	"k: 100rel,\r\n early-session\r\n" +
	"X-Odd:  kept \r\n" +
	"l: 4\r\n\r\nv=0\n"

func parseRequest(t *testing.T, raw string) *Request {
	t.Helper()
	m, err := Parse([]byte(raw), DefaultLimits)
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	return m.(*Request)
}

func TestParseKeepsEveryField(t *testing.T) {
	req := parseRequest(t, invite)
	if got := Raw(req, "Via"); len(got) != 2 || got[1] != "SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bK0" {
		t.Errorf("Via lines %q", got)
	}
	from, err := From(req)
	if err != nil || from.Display != `Al "x", ice` || from.Tag() != "a1" {
		t.Errorf("From %+v, %v", from, err)
	}
	contacts, err := Addresses(req, "Contact")
	if err != nil || len(contacts) != 1 {
		t.Fatalf("Contact %v, %v", contacts, err)
	}
	if got := contacts[0].String(); got != `<sip:alice@192.0.2.1;transport=tcp>;+sip.instance="<urn:uuid:1>";description="a b"` {
		t.Errorf("Contact is written %s", got)
	}
	if !HasToken(req, "Supported", "Early-Session") || Get(req, "X-Odd") != "kept" {
		t.Errorf("Supported %q, X-Odd %q", Values(req, "Supported"), Get(req, "X-Odd"))
	}
	again := parseRequest(t, string(Bytes(req)))
	if string(Bytes(again)) != string(Bytes(req)) {
		t.Errorf("written twice it differs:\n%s\n%s", Bytes(req), Bytes(again))
	}
	if string(again.Body()) != "v=0\n" {
		t.Errorf("body %q", again.Body())
	}
}

// RFC 3261 section 7.1: SIP-Version is case-insensitive, and written in upper case.
func TestVersionInAnyCase(t *testing.T) {
	req := parseRequest(t, strings.ReplaceAll(invite, "SIP/2.0", "sip/2.0"))
	if got := string(Bytes(req)); !strings.HasPrefix(got, "INVITE sip:bob@example.com SIP/2.0\r\n") {
		t.Errorf("written %s", got)
	}
	m, err := Parse([]byte(strings.Replace(invite, "INVITE sip:bob@example.com SIP/2.0", "Sip/2.0 200 OK", 1)), DefaultLimits)
	res, ok := m.(*Response)
	if err != nil || !ok || res.StatusCode != 200 || !strings.HasPrefix(string(Bytes(res)), "SIP/2.0 200 OK\r\n") {
		t.Errorf("%v, %v", m, err)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	req := parseRequest(t, invite)
	before := string(Bytes(req))
	c := Clone(req)
	Set(c, "Max-Forwards", "3")
	Prepend(c, "Via", "SIP/2.0/UDP x;branch=z9hG4bKx")
	Remove(c, "Contact")
	SetBody(c, "text/plain", []byte("hello"))
	if string(Bytes(req)) != before {
		t.Errorf("the original changed:\n%s", Bytes(req))
	}
	if v, _ := TopVia(c); v.Host != "x" || len(Raw(c, "Via")) != 3 || Has(c, "Contact") || Get(c, "Content-Length") != "5" {
		t.Errorf("the copy is wrong:\n%s", Bytes(c))
	}
}

func TestResponseCopiesWhatItMust(t *testing.T) {
	req := parseRequest(t, invite)
	Add(req, "Record-Route", "<sip:p1;lr>")
	res := NewResponse(req, 200, "", "b1")
	to, _ := To(res)
	if to.Tag() != "b1" || len(Raw(res, "Via")) != 2 || Get(res, "Record-Route") != "<sip:p1;lr>" || CallID(res) != "c1" {
		t.Errorf("%s", Bytes(res))
	}
	if to, _ := To(NewResponse(req, 100, "", "b1")); to.Tag() != "" {
		t.Error("a 100 must not get our tag")
	}
}

func TestParseRefuses(t *testing.T) {
	good := invite
	tests := []struct {
		name, from, to string
		status         int
		where          string
	}{
		{"no colon", "X-Odd:  kept ", "X-Odd", 400, "header"},
		{"control byte", "kept", "ke\x00pt", 400, "header"},
		{"two From", "X-Odd:  kept ", "From: <sip:x@y>;tag=1", 400, "From"},
		{"no Call-ID", "i: c1\r\n", "", 400, "Call-ID"},
		{"CSeq method", "1 INVITE", "1 BYE", 400, "CSeq"},
		{"CSeq number", "CSeq: 1 ", "CSeq: 4294967296 ", 400, "CSeq"},
		{"version", "bob@example.com SIP/2.0", "bob@example.com SIP/7.0", 505, "start line"},
		{"spaces", "INVITE sip:bob@example.com SIP/2.0", "INVITE  sip:bob@example.com SIP/2.0", 400, "start line"},
		{"short body", "l: 4", "l: 40", 400, "Content-Length"},
		{"two lengths", "X-Odd:  kept ", "Content-Length: 2", 400, "Content-Length"},
		{"negative length", "l: 4", "l: -4", 400, "Content-Length"},
		{"quote left open", `ice" <`, `ice <`, 400, "From"},
		{"Max-Forwards", ": 70", ": 300", 400, "Max-Forwards"},
		{"Max-Breadth", "X-Odd:  kept ", "Max-Breadth: abc", 400, "Max-Breadth"},
		{"Max-Breadth below zero", "X-Odd:  kept ", "Max-Breadth: -1", 400, "Max-Breadth"},
		{"two Max-Breadths", "X-Odd:  kept ", "Max-Breadth: 1\r\nMax-Breadth: 1", 400, "Max-Breadth"},
		{"Via", "SIP/2.0/TCP a.example.com:5060", "SIP/2.0/TCP ", 400, "Via"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := strings.Replace(good, tt.from, tt.to, 1)
			if raw == good {
				t.Fatal("the case changes nothing")
			}
			_, err := Parse([]byte(raw), DefaultLimits)
			var p *ParseError
			if !errors.As(err, &p) || p.Status != tt.status || p.Where != tt.where {
				t.Errorf("got %v, want %d at %s", err, tt.status, tt.where)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		limits Limits
		status int
	}{
		{Limits{HeaderBytes: 100, Headers: 100, BodyBytes: 100}, 513},
		{Limits{HeaderBytes: 1000, Headers: 5, BodyBytes: 100}, 513},
		{Limits{HeaderBytes: 1000, Headers: 100, BodyBytes: 3}, 413},
	} {
		_, err := Parse([]byte(invite), tt.limits)
		var p *ParseError
		if !errors.As(err, &p) || p.Status != tt.status {
			t.Errorf("%+v: %v", tt.limits, err)
		}
	}
}

func TestURI(t *testing.T) {
	for _, bad := range []string{"", "sip:", "sip:a b@c", "sip://c", "sip:a@c:99999", "bob@c", "<sip:a@c>",
		"sip:a@c:0", "sip:a@c:", "sip:a@[::1", "sip:a[::1]", "sip:a@[x]", "sip:a@c/d", "sip:a@b@c", "sip:a:@c",
		"sip:a@c;p=1;P=2", "sip:a@c;;p", "sip:a@c?", "tel:", ":a@c", "1a:b"} {
		if u, err := ParseURI(bad); err == nil {
			t.Errorf("%q read as %+v", bad, u)
		}
	}
	u, err := ParseURI("sip:b%6Fb@EXAMPLE.com:5070;Transport=tcp")
	if err != nil || AOR(u) != "sip:bob@example.com" {
		t.Errorf("%v, %v", AOR(u), err)
	}
	if v, _ := URIParam(u, "transport"); v != "tcp" {
		t.Errorf("transport %q", v)
	}
}

// What is written by us is what sipgo writes.
func TestURIAsSipgoWritesIt(t *testing.T) {
	for _, s := range []string{
		"sip:example.com", "sips:bob:secret@example.com:5061;transport=tcp;lr", "sip:b%6Fb@[2001:db8::1]:5070;x",
		"sip:bob@example.com;method=REGISTER?to=alice%40x&priority=urgent", "tel:+358-555-1234567;postd=pp22", "*",
		"http://www.example.com/a?b=c",
	} {
		u, err := ParseURI(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(AppendURI(nil, u)), u.String(); got != want {
			t.Errorf("%s is written %s, want %s", s, got, want)
		}
	}
	bare := URI{Host: "2001:db8::1", User: "bob"} // made, not read
	if got, want := string(AppendURI(nil, bare)), bare.String(); got != want {
		t.Errorf("written %s, want %s", got, want)
	}
}

func BenchmarkParse(b *testing.B) {
	raw := []byte(invite)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(raw, DefaultLimits); err != nil {
			b.Fatal(err)
		}
	}
}

// What every message costs: twice what it is, so that a change that doubles it is
// seen.
func TestParseIsCheap(t *testing.T) {
	raw := []byte(invite)
	if n := testing.AllocsPerRun(100, func() { _, _ = Parse(raw, DefaultLimits) }); n > 26 {
		t.Errorf("%v allocations for an INVITE", n)
	}
	m, err := Parse(raw, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { Clone(m.(*Request)) }); n > 4 {
		t.Errorf("%v allocations for a copy", n)
	}
}
