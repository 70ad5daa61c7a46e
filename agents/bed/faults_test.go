package bed_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"presfed/agents/bed"
	"presfed/agents/flow"
)

// faulty runs a flow whose traffic a fault changes, on a bed of its own.
func faulty(t *testing.T, id string, fault bed.Meddler) (flow.Result, error) {
	t.Helper()
	t.Parallel()
	f, _ := flow.Show(id)
	s := &stage{saboteur: &saboteur{tags: map[string]string{}}, t: t, model: f.Bed(), lasts: 2 * time.Second} // none of them comes to rest
	s.up()
	t.Cleanup(s.down)
	if err := s.runner.Prepare(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.fault = fault
	s.mu.Unlock()
	result, err := s.runner.Run(t.Context(), f)
	if result.Verdict.OK {
		t.Error("that went well?")
	}
	return result, err
}

// failed are the checks that do not hold.
func failed(r flow.Result) (out []string) {
	for _, c := range r.Checks {
		if !c.OK {
			out = append(out, c.F+" "+c.Check)
		}
	}
	return out
}

func has(list []string, part string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, part) })
}

// withBody is a message with another body.
func withBody(raw, body []byte) []byte {
	head, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	head = regexp.MustCompile(`\r\nContent-Length: *\d+`).ReplaceAll(head, nil)
	return fmt.Appendf(nil, "%s\r\nContent-Length: %d\r\n\r\n%s", head, len(body), body)
}

// A branch that answers twice, in two dialogs: the call goes on in the first, the
// caller acknowledges the other and ends it (RFC 3261 section 13.2.2.4), and all
// that is one too many.
func TestBranchAnswersTwice(t *testing.T) {
	once := false
	result, err := faulty(t, "4.2.2.3", func(from, to string, raw []byte) [][]byte {
		if once || from != flow.AlicePC || !bytes.HasPrefix(raw, []byte("SIP/2.0 200")) || !bytes.Contains(raw, []byte(" INVITE\r\n")) {
			return [][]byte{raw}
		}
		once = true
		return [][]byte{raw, toTag.ReplaceAll(raw, []byte("${0}second"))}
	})
	if err != nil {
		t.Error(err)
	}
	v := result.Verdict
	if len(v.Missing) > 0 || !has(v.Unexpected, "200 OK") || !has(v.Unexpected, "bob-pc to server-b: ACK") || !has(v.Unexpected, "bob-pc to server-b: BYE") {
		t.Errorf("%+v", v)
	}
}

// A PRACK that names another response is 481 (RFC 3262 section 3), and not drawn.
func TestPRACKOfAnotherResponse(t *testing.T) {
	result, err := faulty(t, "4.2.1.4", func(from, to string, raw []byte) [][]byte {
		if from == flow.ServerA && to == flow.AlicePC && bytes.HasPrefix(raw, []byte("PRACK ")) {
			raw = regexp.MustCompile(`RAck: \d+ `).ReplaceAll(raw, []byte("${0}9"))
		}
		return [][]byte{raw}
	})
	if err == nil {
		t.Error("both devices have shown the message?")
	}
	v := result.Verdict
	if !slices.Contains(v.Missing, "F14") || !has(v.Unexpected, "alice-pc to server-a: SIP/2.0 481") || !has(failed(result), "F13 RAck is for F6") {
		t.Errorf("%+v %q", v, failed(result))
	}
}

// A root that shows what a child has refused to tell: what it has cannot come from
// where it should.
func TestRootLeaksWhatAChildDenied(t *testing.T) {
	deny := func(from, to string, raw []byte) [][]byte {
		switch {
		case from == flow.ServerB && to == flow.ServerA && bytes.HasPrefix(raw, []byte("NOTIFY ")):
			return nil
		case from == flow.ServerB && to == flow.ServerA && bytes.HasPrefix(raw, []byte("SIP/2.0 200")) && bytes.Contains(raw, []byte(" SUBSCRIBE\r\n")):
			return [][]byte{bytes.Replace(raw, []byte("SIP/2.0 200 OK"), []byte("SIP/2.0 403 Forbidden"), 1)}
		}
		return [][]byte{raw}
	}
	t.Run("it does not", func(t *testing.T) {
		result, _ := faulty(t, "4.2.1.1", deny)
		for _, m := range result.Messages {
			if m.To == flow.AlicePC && bytes.Contains(m.Raw, []byte("85551234")) {
				t.Errorf("%s", m.Raw)
			}
		}
	})
	t.Run("it does", func(t *testing.T) {
		result, _ := faulty(t, "4.2.1.1", func(from, to string, raw []byte) [][]byte {
			if from != flow.ServerA || to != flow.AlicePC || !bytes.HasPrefix(raw, []byte("NOTIFY ")) {
				return deny(from, to, raw)
			}
			const theirs = `<tuple id="fabfa341"><status><basic>open</basic></status><contact priority="0.8">sip:85551234@example.com</contact></tuple>`
			_, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
			return [][]byte{withBody(raw, bytes.Replace(body, []byte("<tuple "), []byte(theirs+"<tuple "), 1))}
		})
		v := result.Verdict
		if !slices.Contains(v.Missing, "F7") || !slices.Contains(v.Missing, "F8") || !has(v.Unexpected, "403") || !has(failed(result), "F10 tuples are those of F2b and F8") {
			t.Errorf("%+v %q", v, failed(result))
		}
	})
}
