package flow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"presfed/agents/internal/wire"
	"presfed/pidf"
)

// insert puts a message before the one with an F-number.
func (s *scene) insert(t *testing.T, before string, add shot) {
	t.Helper()
	at := s.find(t, before).out.Time.Add(-2 * time.Millisecond)
	add.out.Time, add.in.Time = at, at.Add(time.Microsecond)
	i := slices.IndexFunc(s.shots, func(x shot) bool { return x.f == before })
	s.shots = slices.Insert(s.shots, i, add)
}

func reply(line, from, cseq, branch string) string {
	return "SIP/2.0 " + line + "\nVia: SIP/2.0/TCP 127.9.0.11:5060;branch=" + branch +
		"\nFrom: <sip:alice@example.com>;tag=a1\nTo: <sip:bob@example.com>\nCall-ID: " + from + "\nCSeq: " + cseq + "\n\n"
}

func ask(method, branch string) string {
	return method + " sip:bob@example.com SIP/2.0\nVia: SIP/2.0/TCP 127.9.0.11:5060;branch=" + branch +
		"\nMax-Forwards: 70\nFrom: <sip:alice@example.com>;tag=a0\nTo: <sip:bob@example.com>\nCall-ID: session-1@127.9.0.11\nCSeq: 20 " + method + "\n\n"
}

const bindSend = "MSRP tz01 SEND\nTo-Path: msrp://127.9.0.21:2856/bob1;tcp\nFrom-Path: msrp://127.9.0.11:2855/alice1;tcp\nMessage-ID: m0\nByte-Range: 1-0/0\n-------tz01$\n"

const bindOK = "MSRP tz01 200 OK\nTo-Path: msrp://127.9.0.11:2855/alice1;tcp\nFrom-Path: msrp://127.9.0.21:2856/bob1;tcp\n-------tz01$\n"

// What nobody drew and may be there is classified, and changes no verdict.
func TestUndrawn(t *testing.T) {
	for _, c := range []struct {
		name, flow, before string
		add                []shot
		want               []string
	}{
		{"100", "4.1.4", "F6", []shot{take("", ServerA, AlicePC, "TCP", reply("100 Trying", "session-1@127.9.0.11", "21 INVITE", "z9hG4bKi1"), start)}, []string{Trying}},
		{"407", "4.1.4", "F1", []shot{
			take("", AlicePC, ServerA, "TCP", ask("INVITE", "z9hG4bKi0"), start),
			take("", ServerA, AlicePC, "TCP", reply("407 Proxy Authentication Required", "session-1@127.9.0.11", "20 INVITE", "z9hG4bKi0"), start),
			take("", AlicePC, ServerA, "TCP", ask("ACK", "z9hG4bKi0"), start),
		}, []string{Challenged, Challenged, Challenged}},
		{"bind", "4.1.4", "F10", []shot{
			take("", AlicePC, BobPC, "MSRP", bindSend, start),
			take("", BobPC, AlicePC, "MSRP", bindOK, start),
		}, []string{Bind, Bind}},
		{"401", "4.1.1", "F1", []shot{
			take("", AlicePC, ServerA, "TCP", ask("SUBSCRIBE", "z9hG4bKi0"), start),
			take("", ServerA, AlicePC, "TCP", reply("401 Unauthorized", "session-1@127.9.0.11", "20 SUBSCRIBE", "z9hG4bKi0"), start),
		}, []string{Challenged, Challenged}},
	} {
		s := golden(t, c.flow)
		s.begin = s.begin.Add(-5 * time.Millisecond)
		for _, add := range c.add {
			s.insert(t, c.before, add)
		}
		r := s.judge()
		var got []string
		for _, m := range r.Messages {
			if m.Undrawn != "" && m.Undrawn != Setup {
				got = append(got, m.Undrawn)
			}
		}
		if !slices.Equal(got, c.want) || !r.Verdict.OK {
			t.Errorf("%s: %v, want %v; %s %v", c.name, got, c.want, shape(r), r.Verdict.Unexpected)
		}
	}
}

func TestRetransmissionAndKeepalive(t *testing.T) {
	s := golden(t, "4.1.1")
	first := s.find(t, "F7")
	again := shot{out: new(wire.Record), in: new(wire.Record)}
	*again.out, *again.in = *first.out, *first.in
	s.insert(t, "F8", again)
	ping := take("", AlicePC, ServerA, "TCP", "x", start)
	ping.out.Raw, ping.in.Raw = []byte("\r\n\r\n"), []byte("\r\n\r\n")
	s.insert(t, "F8", ping)
	r := s.judge()
	var got []string
	for _, m := range r.Messages {
		if m.F == "" {
			got = append(got, m.Undrawn)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{Keepalive, Retransmission}) || !r.Verdict.OK {
		t.Errorf("%v, %s", got, shape(r))
	}
}

// A NOTIFY without a body may come before the drawn one; anything else is one too
// many.
func TestBodilessNotify(t *testing.T) {
	bare := func(f string) shot {
		s := golden(t, "4.1.1")
		x := *s.find(t, f)
		head, _, _ := bytes.Cut(x.out.Raw, []byte("Content-Type:"))
		raw := bytes.ReplaceAll(append(head, "Content-Length: 0\r\n\r\n"...), []byte("bKn1"), []byte("bKn0"))
		x.f, x.out.Raw, x.in.Raw = "", raw, bytes.Clone(raw)
		return x
	}
	s := golden(t, "4.1.1")
	s.insert(t, "F5", bare("F5"))
	if got := shape(s.judge()); got != green {
		t.Error(got)
	}
	s = golden(t, "4.1.1")
	more := take("", ServerA, AlicePC, "TCP", ask("OPTIONS", "z9hG4bKo1"), start)
	s.insert(t, "F6", more)
	if got := shape(s.judge()); got != only("unexpected", 1) {
		t.Error(got)
	}
}

// An undrawn message that got lost between two participants is a finding too.
func TestUndrawnIsRecordedTwice(t *testing.T) {
	s := golden(t, "4.1.4")
	trying := take("", ServerA, AlicePC, "TCP", reply("100 Trying", "session-1@127.9.0.11", "21 INVITE", "z9hG4bKi1"), start)
	s.insert(t, "F6", trying)
	s.shots[slices.IndexFunc(s.shots, func(x shot) bool { return x.f == "" })].in = nil
	if got := shape(s.judge()); got != only("check", " "+recorded) {
		t.Error(got)
	}
}

// A subscription whose set-up is not known is taken from its first NOTIFY.
func TestWithoutSetup(t *testing.T) {
	s := golden(t, "4.1.2")
	s.shots = slices.DeleteFunc(s.shots, func(x shot) bool { return x.f == "-" })
	if got := shape(s.judge()); got != green {
		t.Error(got)
	}
}

// A record's participant has no say in whom it is for where nobody received it:
// the address has.
func TestLostIsNamedByAddress(t *testing.T) {
	s := golden(t, "4.1.4")
	x := s.find(t, "F1")
	x.in = nil
	s.shots = []shot{*x}
	if m := s.judge().Messages[0]; m.To != ServerA || m.F != "F1" {
		t.Errorf("to %s, %q", m.To, m.F)
	}
}

func TestResultLines(t *testing.T) {
	var b bytes.Buffer
	s := golden(t, "4.1.1")
	r := s.judge()
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	dec := json.NewDecoder(&b)
	for {
		var line map[string]any
		if err := dec.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		kinds[line["type"].(string)]++
		want := map[string][]string{
			"participant": {"name", "addresses"},
			"message":     {"flow", "f", "from", "to", "src", "dst", "transport", "protocol", "start_line", "method", "call_id", "cseq", "time", "raw"},
			"check":       {"flow", "f", "check", "source", "ok", "got"},
			"verdict":     {"flow", "ok", "missing", "unexpected", "out_of_order", "failed_checks"},
		}
		for _, key := range want[line["type"].(string)] {
			if line[key] == nil {
				t.Errorf("no %s in %v", key, line)
			}
		}
	}
	if kinds["participant"] != 7 || kinds["message"] != 8 || kinds["check"] != len(s.flow.Checks) || kinds["verdict"] != 1 {
		t.Error(kinds)
	}
}

// The tables say what the draft's own record of its flows says. It stands
// outside: PRESFED_DRAFT names its folder.
func TestTablesAreTheDrafts(t *testing.T) {
	dir := os.Getenv("PRESFED_DRAFT")
	if dir == "" {
		t.Skip("not tested: the tables against flows.json; PRESFED_DRAFT names no folder")
	}
	data, err := os.ReadFile(filepath.Join(dir, "flows.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Flows []struct {
			ID, Slug, Title, Model, Needs string
			Messages                      []MessageDescription
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, want := range file.Flows {
		got, ok := Show(want.ID)
		if !ok {
			t.Errorf("no flow %s", want.ID)
			continue
		}
		d := got.Describe()
		a, _ := json.Marshal([]any{want.Slug, want.Title, want.Model, want.Needs, want.Messages})
		b, _ := json.Marshal([]any{d.Slug, d.Title, d.Model, d.Needs, d.Messages})
		if !bytes.Equal(a, b) {
			t.Errorf("%s:\nwant %s\n got %s", want.ID, a, b)
		}
	}
}

// So do the documents: each is asked of its messages, and no other is.
func TestDocumentsAreTheDrafts(t *testing.T) {
	dir := os.Getenv("PRESFED_DRAFT")
	if dir == "" {
		t.Skip("not tested: the documents against documents.json; PRESFED_DRAFT names no folder")
	}
	file, err := os.Open(filepath.Join(dir, "documents.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	wants, err := pidf.ReadExpects(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range wants {
		f, ok := Show(want.Flow)
		if !ok {
			continue
		}
		for _, message := range want.Messages {
			for _, c := range document(message, want) {
				i := slices.IndexFunc(f.Checks, func(o Check) bool { return o.F == c.F && o.Name == c.Name && o.want != nil })
				if i < 0 {
					t.Errorf("%s %s: no check %q", f.ID, message, c.Name)
					continue
				}
				own := *f.Checks[i].want
				if diff := cmp.Diff(want, own, unadorned...); diff != "" {
					t.Errorf("%s %s: %s", f.ID, message, diff)
				}
			}
		}
	}
	for _, f := range List() {
		for _, c := range f.Checks {
			if c.want != nil && !slices.ContainsFunc(wants, func(w pidf.Expect) bool { return w.Flow == f.ID && slices.Contains(w.Messages, c.F) }) {
				t.Errorf("%s %s: %q is asked of no document of the draft's", f.ID, c.F, c.Name)
			}
		}
	}
}

// unadorned compares expectations by what they ask: ids name a tuple in what is said,
// and order is none.
var unadorned = []cmp.Option{
	cmpopts.IgnoreFields(pidf.Expect{}, "Flow", "Messages", "Remark"),
	cmpopts.IgnoreFields(pidf.ExpectTuple{}, "ID"),
	cmpopts.SortSlices(func(a, b pidf.ExpectTuple) int {
		return strings.Compare(fmt.Sprint(a.Contact, a.Capabilities, a.UserInput), fmt.Sprint(b.Contact, b.Capabilities, b.UserInput))
	}),
}

// Every note of a table is asked of its message, but for what only says how it is
// drawn.
func TestEveryNoteHasItsCheck(t *testing.T) {
	said := map[string]bool{"4.2.1.3 F2": true} // drawn as "Resp"
	for _, f := range List() {
		for _, m := range f.Messages {
			asked := slices.ContainsFunc(f.Checks, func(c Check) bool { return c.F == m.F && c.Name != recorded })
			if m.Note != "" && !asked && !said[f.ID+" "+m.F] {
				t.Errorf("%s %s: no check for %q", f.ID, m.F, m.Note)
			}
		}
	}
}

func TestShow(t *testing.T) {
	for _, id := range []string{"4.1.2", "partitioned/away"} {
		if f, ok := Show(id); !ok || f.ID != "4.1.2" {
			t.Errorf("%s: %v", id, f.ID)
		}
	}
	if _, ok := Show("9.9"); ok {
		t.Error("9.9 is no flow")
	}
	for _, f := range List() {
		seen := map[string]bool{}
		for _, c := range f.Describe().Checks {
			if seen[c.F+c.Check] || !strings.HasPrefix(c.Source, "draft "+f.ID) {
				t.Errorf("%s: check %+v", f.ID, c)
			}
			seen[c.F+c.Check] = true
		}
	}
}
