package pidf

import (
	"bytes"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// With another vendor's servers among ours, whose documents do not say whose
// anything is, ours still show one document, the reference's but for the names
// of publications, and nothing latches.
func TestUnionWithForeigners(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := newServers(t, false)
		for i, m := range u.members {
			m.foreign = i > 0 && rapid.Bool().Draw(t, "foreign")
		}
		for i := range u.members {
			u.tell(i)
		}
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			u.step(t)
		}
		u.drain(t)
		u.oursAgree(t)
		u.clearAll(t)
		u.oursAgree(t)
	})
}

func (u *servers) oursAgree(t *rapid.T) {
	var pubs []publication
	for _, m := range u.members {
		pubs = append(pubs, m.pubs...)
	}
	var first []byte
	for i, m := range u.members {
		if m.foreign {
			continue
		}
		view := m.view()
		uniqueIDs(t, view)
		want, got := nameless(reference(pubs)), nameless(summary(view))
		for at, line := range want {
			for _, alternative := range alternatives(line) {
				if slices.Contains(got, alternative) {
					want[at] = alternative
				}
			}
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("reference (-), server %d (+):\n%s", i, diff)
		}
		text := Write(view.WithoutSources(), Standard)
		if first == nil {
			first = text
		}
		if !bytes.Equal(text, first) {
			t.Fatalf("server %d shows\n%s\nserver 0\n%s", i, text, first)
		}
	}
}

var (
	publicationName = regexp.MustCompile(`\b(tuple|person|device) (s[0-9]-[0-9]+|at [0-9])`)
	idMarks         = regexp.MustCompile(`--[0-9a-f]{8}`)
)

// nameless takes the names of publications out of the lines of a summary.
func nameless(lines []string) []string {
	out := []string{}
	for _, line := range lines {
		out = append(out, idMarks.ReplaceAllString(publicationName.ReplaceAllString(line, "$1"), ""))
	}
	slices.Sort(out)
	return out
}
