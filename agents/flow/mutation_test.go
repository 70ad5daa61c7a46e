package flow

import (
	"bytes"
	"fmt"
	"regexp"
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

// Every check has a change of the traffic that makes it fail, and nothing else:
// one made before the message was sent, and one made between both sockets.
func TestEveryCheckCanFailAlone(t *testing.T) {
	used := map[string]bool{}
	for _, f := range List() {
		for _, c := range f.Checks {
			if c.Name == recorded {
				continue
			}
			key, forged, ok := forgeryOf(f.ID, c)
			if !ok {
				t.Errorf("no change for %s %s %s", f.ID, c.F, c.Name)
				continue
			}
			used[key] = true
			for _, where := range []string{"before it was sent", "on the way"} {
				s := golden(t, f.ID)
				switch shot := s.find(t, c.F); {
				case forged.old == "": // only what goes with it changes
				case where == "on the way":
					shot.in.Raw = replaced(t, shot.in.Raw, forged.old, forged.new)
				default:
					shot.replace(t, forged.old, forged.new)
				}
				for _, other := range carriers(f, c) {
					if shot := s.find(t, other); bytes.Contains(shot.out.Raw, []byte(forged.old)) {
						shot.replace(t, forged.old, forged.new)
					}
				}
				if b, ok := besides[key]; ok {
					s.find(t, b.f).replace(t, b.old, b.new)
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

// carriers are the messages that carry what a body says: those that pass it on,
// and those of the session that it describes.
func carriers(f Flow, c Check) (out []string) {
	if !slices.ContainsFunc([]string{"body is that of", "both paths", "answer and early", "early offer", "SDP has", "a=path is"},
		func(stem string) bool { return strings.HasPrefix(c.Name, stem) }) {
		return nil
	}
	from := []string{c.F}
	for _, m := range f.Messages {
		if slices.Contains(from, m.passes) {
			from = append(from, m.F)
		}
	}
	for _, other := range f.Checks {
		if slices.Contains(other.also, c.F) && strings.HasPrefix(other.Name, "To-Path") {
			from = append(from, other.F)
		}
	}
	return from[1:]
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

// standIns are messages that pass for one that looks alike where that is not there:
// the later NOTIFY is then the first.
var standIns = map[string]string{"4.2.1.3 F3": "F11"}

// A message that is not there is missing, and it alone; only checks that look at
// it fail with it.
func TestEveryMessageCanBeDropped(t *testing.T) {
	for _, f := range List() {
		for _, m := range f.Messages {
			s := golden(t, f.ID)
			*s.find(t, m.F) = shot{}
			r := s.judge()
			if twin := standIns[f.ID+" "+m.F]; twin != "" {
				if v := r.Verdict; v.OK || !slices.Equal(v.Missing, []string{twin}) {
					t.Errorf("%s without %s: %s", f.ID, m.F, shape(r))
				}
				continue
			}
			if v := r.Verdict; v.OK || !slices.Equal(v.Missing, []string{m.F}) || len(v.Unexpected)+len(v.OutOfOrder) != 0 {
				t.Errorf("%s without %s: %s", f.ID, m.F, shape(r))
			}
			for i, c := range r.Checks {
				if (c.F == m.F) == c.OK && (!slices.Contains(f.Checks[i].also, m.F) || c.F == m.F) {
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
				changes["another status"] = forgery{fmt.Sprintf("SIP/2.0 %d", m.status), "SIP/2.0 493"}
				changes["another transaction"] = forgery{";branch=z9hG4bK", ";branch=z9hG4bKx"}
			}
			if m.method == "ACK" {
				changes["another ACK"] = forgery{"bKk", "bKi"}
				if m.of != "" {
					changes["another ACK"] = forgery{"bKi", "bKk"}
				}
			}
			if m.opens {
				to := string(regexp.MustCompile(`\nTo: [^\r]*`).Find(golden(t, f.ID).find(t, m.F).out.Raw))
				changes["within a dialog"] = forgery{to, to + ";tag=zz"}
			}
			if m.dialog == "session" && !m.opens && m.Protocol == "sip" {
				changes["another caller"] = forgery{"tag=a1", "tag=a9"}
			}
			for what, c := range changes {
				s := golden(t, f.ID)
				s.find(t, m.F).replace(t, c.old, c.new)
				missed := m.F
				if twin := standIns[f.ID+" "+m.F]; twin != "" {
					missed = twin
				}
				if v := s.judge().Verdict; !slices.Contains(v.Missing, missed) || len(v.Unexpected) == 0 || v.OK ||
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
