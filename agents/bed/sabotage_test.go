package bed_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"presfed/agents/bed"
	"presfed/agents/flow"
	"presfed/routing"
)

// sabotage is a change of one message on its way that makes one check fail, and
// no other but those that rest on the same words.
type sabotage struct {
	flow, f, check string
	from, to       string
	start          string // what the message begins with
	cseq           string // and the method that it is about
	old, new       string
	also           []string // the beginnings of the others
	leg            string   // with the To tag of that device, which its 183 has told
	skip           int      // that many others come before
}

// request is a change of a request.
func request(flow, f, check, from, to, method, old, new string, also ...string) sabotage {
	return sabotage{flow: flow, f: f, check: check, from: from, to: to, start: method + " ", cseq: method, old: old, new: new, also: also}
}

// saboteur changes the first message that fits, from when it is armed.
type saboteur struct {
	mu    sync.Mutex
	armed *sabotage
	skip  int
	done  bool
	tags  map[string]string // To tags of early dialogs, by device
	fault bed.Meddler       // instead of a change of one message
}

var toTag = regexp.MustCompile(`\r\nTo: [^\r]*(;tag=[^;\r]+)`)

func (s *saboteur) meddle(from, to string, raw []byte) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		return s.fault(from, to, raw)
	}
	if tag := toTag.FindSubmatch(raw); tag != nil && bytes.HasPrefix(raw, []byte("SIP/2.0 183")) && s.tags[from] == "" {
		s.tags[from] = string(tag[1])
	}
	a := s.armed
	if a == nil || s.done || from != a.from || to != a.to || !bytes.HasPrefix(raw, []byte(a.start)) ||
		!bytes.Contains(raw, []byte(" "+a.cseq+"\r\n")) || !bytes.Contains(raw, []byte(a.old)) || bytes.HasPrefix(raw, []byte("SIP/2.0 100")) {
		return [][]byte{raw}
	}
	// The leg that an INVITE or a CANCEL is for has no tag yet.
	if a.leg != "" && toTag.Match(raw) && (s.tags[a.leg] == "" || !bytes.Contains(raw, []byte(s.tags[a.leg]+"\r\n"))) {
		return [][]byte{raw}
	}
	// What has no credentials is asked for them, and comes again.
	if to == flow.ServerA || to == flow.ServerB {
		if from != flow.ServerA && from != flow.ServerB && !bytes.HasPrefix(raw, []byte("SIP/2.0")) && !bytes.Contains(raw, []byte("uthorization:")) {
			return [][]byte{raw}
		}
	}
	if s.skip++; s.skip <= a.skip {
		return [][]byte{raw}
	}
	s.done = true
	if a.new == "drop" {
		return nil
	}
	times := 1
	if strings.HasPrefix(a.old, "<contact") {
		times = -1 // of each tuple
	}
	raw = bytes.Replace(raw, []byte(a.old), []byte(a.new), times)
	head, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	var kept [][]byte
	for _, line := range bytes.Split(head, []byte("\r\n")) {
		if !bytes.HasPrefix(line, []byte("Content-Length:")) {
			kept = append(kept, line)
		}
	}
	return [][]byte{fmt.Appendf(nil, "%s\r\nContent-Length: %d\r\n\r\n%s", bytes.Join(kept, []byte("\r\n")), len(body), body)}
}

// stage is a bed whose traffic a saboteur changes.
type stage struct {
	*saboteur
	t      *testing.T
	model  routing.Model
	lasts  time.Duration // a flow, at the longest
	bed    *bed.Bed
	runner *flow.Runner
}

func (s *stage) up() {
	var err error
	s.bed, err = bed.Up(s.t.Context(), bed.Options{Model: s.model, Meddle: s.meddle, ShareLinger: 10 * time.Millisecond})
	if err != nil {
		s.t.Fatal(err)
	}
	s.runner = flow.NewRunner(s.bed, flow.Settings{Quiet: 20 * time.Millisecond, Timeout: cmp.Or(s.lasts, 5*time.Second)})
}

func (s *stage) down() {
	if s.bed == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // no goodbyes: they may lead nowhere
	if err := s.bed.Down(ctx); err != nil {
		s.t.Error(err)
	}
	s.bed = nil
}

// words puts this bed's addresses into what a sabotage says.
func (s *stage) words(text string) string {
	return strings.NewReplacer("RELAY-A", s.bed.RelayOf(flow.ServerA).String(), "RELAY-B", s.bed.RelayOf(flow.ServerB).String()).Replace(text)
}

// arm has a flow prepared and then a message of it changed.
func (s *stage) arm(f flow.Flow, a sabotage) {
	if err := s.runner.Prepare(s.t.Context(), f); err != nil {
		s.t.Fatal(a.name(), err)
	}
	a.old, a.new = s.words(a.old), s.words(a.new)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed, s.done, s.skip, s.tags = &a, false, 0, map[string]string{}
}

// disarm tells whether the message came.
func (s *stage) disarm() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = nil
	return s.done
}

// TestSabotage changes the traffic of running flows, and each time the one check
// fails that the change is about.
func TestSabotage(t *testing.T) {
	for _, f := range flow.List() {
		t.Run(f.ID, func(t *testing.T) {
			t.Parallel()
			s := &stage{saboteur: &saboteur{tags: map[string]string{}}, t: t, model: f.Bed()}
			s.up()
			defer s.down()
			result, err := s.runner.Run(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			explain(t, result)
			for _, a := range sabotages() {
				if a.flow == f.ID {
					s.try(f, a)
				}
			}
		})
	}
}

// try expects the checks to fail that a sabotage names, and nothing else.
func (s *stage) try(f flow.Flow, a sabotage) {
	s.t.Helper()
	s.arm(f, a)
	result, err := s.runner.Run(s.t.Context(), f)
	if !s.disarm() {
		s.t.Errorf("%s: nothing was changed", a.name())
	}
	if err != nil {
		s.t.Errorf("%s: %v", a.name(), err)
	}
	want := append([]string{a.f + " " + a.check}, a.also...)
	var failed []string
	wrong := false
	for _, c := range result.Checks {
		if c.OK {
			continue
		}
		failed = append(failed, c.F+" "+c.Check)
		i := slices.IndexFunc(want, func(w string) bool { return strings.HasPrefix(c.F+" "+c.Check, w) })
		if wrong = wrong || i < 0; i >= 0 {
			want = slices.Delete(want, i, i+1)
		}
	}
	v := result.Verdict
	if wrong || len(want) > 0 || len(v.Missing)+len(v.Unexpected)+len(v.OutOfOrder) != 0 {
		s.t.Errorf("%s: failed %q, missing %v, unexpected %v, out of order %v", a.name(), failed, v.Missing, v.Unexpected, v.OutOfOrder)
		s.down()
		s.up()
	} else if a.astray() {
		s.down()
		s.up()
	}
}

func (a sabotage) name() string { return a.flow + " " + a.f + " " + a.check }
