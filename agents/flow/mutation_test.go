package flow

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestGoldenIsGreen(t *testing.T) {
	for _, f := range List() {
		s := golden(t, f.ID)
		r := s.judge()
		if got := shape(r); got != green {
			t.Errorf("%s: %s", f.ID, got)
			for _, c := range r.Checks {
				if !c.OK {
					t.Logf("%s %s: got %s", c.F, c.Check, c.Got)
				}
			}
		}
		for i, m := range r.Messages {
			want := s.shots[i].f
			if want == "-" && m.Undrawn == Setup {
				want = ""
			}
			if m.F != want {
				t.Errorf("%s: message %d is %q, want %q", f.ID, i, m.F, want)
			}
		}
	}
}

// forgery changes one message so that one check fails.
type forgery struct{ old, new string }

var alicesPAI = forgery{"P-Asserted-Identity: <sip:alice@", "P-Asserted-Identity: <sip:mallory@"}

var (
	otherEntity = forgery{`entity="sip:bob@`, `entity="sip:carol@`}
	otherTuple  = forgery{`<contact priority="0.5">sip:bob@`, `<contact priority="0.5">sip:carol@`}
	noOffer     = forgery{"m=message ", "m=audio "}
)

// forgeries has one for each check, by flow, F-number and name.
var forgeries = map[string]forgery{
	"4.1.1 F1 Request-URI is bob@domain":          {"SUBSCRIBE sip:bob@example.com", "SUBSCRIBE sip:bob@example.org"},
	"4.1.1 F2 Request-URI is bob@server-b":        {"SUBSCRIBE sip:bob@serverb", "SUBSCRIBE sip:bob@serverc"},
	"4.1.1 F2 Record-Route names server-a":        {"Record-Route: <sip:servera.", "Record-Route: <sip:serverb."},
	"4.1.1 F2 P-Asserted-Identity is alice":       alicesPAI,
	"4.1.1 F2 Contact is that of F1":              {"", ""}, // below: the NOTIFY must follow it
	"4.1.1 F4 bob's policy allows alice":          {"", ""}, // below: F5 says it
	"4.1.1 F5 Request-URI is alice's Contact":     {"NOTIFY sip:alice@127.9.0.11", "NOTIFY sip:alice@127.9.0.12"},
	"4.1.1 F5 Route is server-a":                  {"Route: <sip:servera.", "Route: <sip:serverb."},
	"4.1.1 F5 P-Asserted-Identity is bob":         {"P-Asserted-Identity: <sip:bob@", "P-Asserted-Identity: <sip:carol@"},
	"4.1.1 F5 body is PIDF":                       {"application/pidf+xml", "text/xml"},
	"4.1.1 F5 document is of bob":                 otherEntity,
	"4.1.1 F5 person is":                          {"I am Active", "I am Idle"},
	"4.1.1 F5 tuples are":                         otherTuple,
	"4.1.1 F6 Record-Route names server-a":        {"Record-Route: <sip:127.9.0.1:", "Record-Route: <sip:127.9.0.2:"},
	"4.1.1 F6 document is of bob":                 otherEntity,
	"4.1.1 F6 person is":                          {"<rpid:other>available</rpid:other>", "<rpid:away/>"},
	"4.1.1 F6 tuples are":                         {"<caps:audio>true</caps:audio>", ""},
	"4.1.2 F3 document is of bob":                 otherEntity,
	"4.1.2 F3 person is":                          {"<rpid:away/>", "<rpid:busy/>"},
	"4.1.2 F3 tuples are":                         {"<basic>open</basic>", "<basic>closed</basic>"},
	"4.1.2 F4 document is of bob":                 otherEntity,
	"4.1.2 F4 person is":                          {"Away from my computer now", "away"},
	"4.1.2 F4 tuples are":                         otherTuple,
	"4.1.3 F3 document is of bob":                 otherEntity,
	"4.1.3 F3 person is":                          {"do-not-disturb", "available"},
	"4.1.3 F3 tuples are":                         {"<basic>closed</basic>", "<basic>open</basic>"},
	"4.1.3 F4 document is of bob":                 otherEntity,
	"4.1.3 F4 person is":                          {"do-not-disturb", "available"},
	"4.1.3 F4 tuples are":                         {`priority="0.4"`, `priority="0.3"`},
	"4.1.4 F1 SDP has m=message":                  noOffer,
	"4.1.4 F1 a=path is of alice-pc":              {"a=path:msrp://127.9.0.11", "a=path:msrp://127.9.0.1"},
	"4.1.4 F2 Request-URI is bob@server-b":        {"INVITE sip:bob@serverb", "INVITE sip:carol@serverb"},
	"4.1.4 F2 Record-Route names server-a":        {"Record-Route: <sip:servera.example.com:5061;transport=tls;lr>\r\n", ""},
	"4.1.4 F2 P-Asserted-Identity is alice":       {"P-Asserted-Identity: <sip:alice@example.com>\r\n", ""},
	"4.1.4 F3 bob's policy allows alice":          {"From: <sip:alice@", "From: <sip:mallory@"},
	"4.1.4 F4 SDP has m=message":                  {"m=message 2856 ", "m=message 0 "},
	"4.1.4 F4 a=path is of bob-pc":                {"a=path:msrp://127.9.0.21:2856/bob1;tcp\r\n", ""},
	"4.1.1 F5 for the Record-Route, from then on": {"\r\nRoute: <sip:servera.", "\r\nRoute: <sip:serverb."},
	"4.1.1 F5 for F4":                             {"Subscription-State: active", "Subscription-State: pending"},
	"4.1.1 F2 for the Contact, on the link":       {"Contact: <sip:alice@127.9.0.11", "Contact: <sip:alice@127.9.0.13"},
	"4.1.1 F5 for the Contact, from then on":      {"NOTIFY sip:alice@127.9.0.11", "NOTIFY sip:alice@127.9.0.13"},
}

// Every check has a change of the traffic that makes it fail, and nothing else:
// one made before the message was sent, and one made between both sockets.
func TestEveryCheckCanFailAlone(t *testing.T) {
	used := map[string]bool{}
	change := func(t *testing.T, s *scene, f, name, where string) {
		key := s.flow.ID + " " + f + " " + name
		forged, ok := forgeries[key]
		if !ok {
			t.Fatalf("no change for %s", key)
		}
		used[key] = true
		shot := s.find(t, f)
		if where == "on the way" {
			shot.in.Raw = replaced(t, shot.in.Raw, forged.old, forged.new)
		} else {
			shot.replace(t, forged.old, forged.new)
		}
	}
	for _, f := range List() {
		for _, c := range f.Checks {
			if c.Name == recorded {
				continue
			}
			name := c.Name
			for _, stem := range []string{"person is", "tuples are"} {
				if strings.HasPrefix(name, stem) {
					name = stem
				}
			}
			for _, where := range []string{"before it was sent", "on the way"} {
				s := golden(t, f.ID)
				switch key := f.ID + " " + c.F + " " + name; key {
				case "4.1.1 F2 Contact is that of F1":
					used[key] = true
					change(t, s, "F2", "for the Contact, on the link", where)
					change(t, s, "F5", "for the Contact, from then on", "before it was sent")
				case "4.1.1 F2 Record-Route names server-a":
					change(t, s, "F2", name, where)
					change(t, s, "F5", "for the Record-Route, from then on", "before it was sent")
				case "4.1.1 F4 bob's policy allows alice":
					used[key] = true
					change(t, s, "F5", "for F4", "before it was sent")
				default:
					change(t, s, c.F, name, where)
				}
				if got, want := shape(s.judge()), only("check", c.F+" "+c.Name); got != want {
					t.Errorf("%s %s %s, changed %s:\n got %s\nwant %s", f.ID, c.F, c.Name, where, got, want)
				}
			}
		}
	}
	for key := range forgeries {
		if !used[key] {
			t.Errorf("change for %q, which is no check", key)
		}
	}
}

// What one socket did not record, or recorded otherwise, is a finding.
func TestEveryMessageIsRecordedTwice(t *testing.T) {
	for _, f := range List() {
		for _, m := range f.Messages {
			for what, change := range map[string]func(*shot){
				"receiver": func(s *shot) { s.in = nil },
				"sender":   func(s *shot) { s.out = nil },
				"changed":  func(s *shot) { s.in.Raw = append(s.in.Raw[:len(s.in.Raw):len(s.in.Raw)], ' ') },
			} {
				s := golden(t, f.ID)
				change(s.find(t, m.F))
				if got, want := shape(s.judge()), only("check", m.F+" "+recorded); got != want {
					t.Errorf("%s %s %s: got %s", f.ID, m.F, what, got)
				}
			}
		}
	}
}

// A message that is not there is missing, and it alone; only checks that look at
// it fail with it.
func TestEveryMessageCanBeDropped(t *testing.T) {
	looksAt := map[string]string{"4.1.1 F1": "F2", "4.1.1 F2": "F5", "4.1.1 F5": "F4"}
	for _, f := range List() {
		for _, m := range f.Messages {
			s := golden(t, f.ID)
			*s.find(t, m.F) = shot{}
			r := s.judge()
			if v := r.Verdict; v.OK || !slices.Equal(v.Missing, []string{m.F}) || len(v.Unexpected)+len(v.OutOfOrder) != 0 {
				t.Errorf("%s without %s: %s", f.ID, m.F, shape(r))
			}
			for _, c := range r.Checks {
				if (c.F == m.F) == c.OK && !(c.F == looksAt[f.ID+" "+m.F] && c.F != m.F) {
					t.Errorf("%s without %s: %s %s is %t", f.ID, m.F, c.F, c.Check, c.OK)
				}
			}
		}
	}
}

// A message of another dialog, transaction or status is not the drawn one, alike
// as it may look: one is missing, one unexpected.
func TestEveryMessageIsKnownByWhatItIs(t *testing.T) {
	for _, f := range List() {
		for _, m := range f.Messages {
			changes := map[string]forgery{}
			switch {
			case m.Protocol == "msrp" && m.status != 0:
				changes["another transaction"] = forgery{"MSRP t", "MSRP u"}
				changes["another status"] = forgery{" 200 OK", " 413 Stop"}
			case m.Protocol == "msrp":
				changes["another method"] = forgery{" SEND", " REPORT"}
			case !m.opens:
				changes["another Call-ID"] = forgery{"Call-ID: ", "Call-ID: x"}
			}
			if m.status != 0 && m.Protocol == "sip" {
				changes["another status"] = forgery{"SIP/2.0 200 OK", "SIP/2.0 488 Not Acceptable Here"}
				changes["another transaction"] = forgery{";branch=z9hG4bK", ";branch=z9hG4bKx"}
			}
			if m.method == "ACK" {
				changes["the ACK to a refusal"] = forgery{"bKk", "bKi"}
			}
			if m.opens {
				changes["within a dialog"] = forgery{"To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=zz"}
			}
			if m.dialog == "session" && !m.opens && m.Protocol == "sip" {
				changes["another caller"] = forgery{"tag=a1", "tag=a9"}
			}
			for what, c := range changes {
				s := golden(t, f.ID)
				s.find(t, m.F).replace(t, c.old, c.new)
				if v := s.judge().Verdict; !slices.Contains(v.Missing, m.F) || len(v.Unexpected) == 0 || v.OK ||
					len(v.Missing) != 1 && !m.opens && what != "another status" {
					t.Errorf("%s %s, %s: %s", f.ID, m.F, what, shape(s.judge()))
				}
			}
		}
	}
}

// Each "after" counts: a message sent before what it must follow is out of order.
func TestEveryOrderIsHeld(t *testing.T) {
	for _, f := range List() {
		for _, m := range f.Messages {
			for _, before := range m.After {
				s := golden(t, f.ID)
				shot, first := s.find(t, m.F), s.find(t, before)
				s.begin = s.begin.Add(-time.Millisecond)
				shot.out.Time = first.out.Time.Add(-time.Microsecond)
				shot.in.Time = first.out.Time
				if got := shape(s.judge()); got != only("order", m.F) {
					t.Errorf("%s %s before %s: %s", f.ID, m.F, before, got)
				}
			}
		}
	}
}

// Two messages whose bytes are swapped do not pass for each other.
func TestSwapped(t *testing.T) {
	s := golden(t, "4.1.2")
	a, b := s.find(t, "F3"), s.find(t, "F4")
	a.out.Raw, b.out.Raw = b.out.Raw, a.out.Raw
	a.in.Raw, b.in.Raw = b.in.Raw, a.in.Raw
	if v := s.judge().Verdict; v.OK {
		t.Errorf("%+v", v)
	}
}

// A document that came wrong and is passed on as it came is one finding; one
// that a proxy changes is the proxy's.
func TestDocumentPassedOn(t *testing.T) {
	for _, f := range []string{"4.1.2", "4.1.3"} {
		s := golden(t, f)
		s.find(t, "F3").in.Raw = replaced(t, s.find(t, "F3").in.Raw, otherTuple.old, otherTuple.new)
		s.find(t, "F4").replace(t, otherTuple.old, otherTuple.new)
		if got := shape(s.judge()); !strings.Contains(got, `failed ["F3 tuples`) || !strings.HasSuffix(got, "(1)") {
			t.Errorf("%s: %s", f, got)
		}
		s.find(t, "F4").replace(t, otherTuple.new, `<contact priority="0.5">sip:dave@`)
		if got := shape(s.judge()); !strings.HasSuffix(got, "(2)") {
			t.Errorf("%s: %s", f, got)
		}
	}
}
