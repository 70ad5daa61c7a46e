package pidf

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// respelled are the parts of a document that Write spells otherwise than they
// were read, or leaves out because they say nothing.
var respelled = regexp.MustCompile(`do-not-disturb|available|sc:|servcaps|source|user-input|xml:|note` +
	`|contact|deviceID|priority|class`)

// FuzzParse: what Parse takes, Write spells in either dialect so that Parse
// takes it again as the same document, and valid if it was; no element is lost
// on the way, by the count of another reader; nothing takes a second.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"rfc", "drawn", "golden"} {
		files, _ := filepath.Glob(filepath.Join("testdata", pattern, "*.xml"))
		for _, file := range files {
			f.Add(readFile(f, file))
		}
	}
	f.Add([]byte(head + tuple + tail))
	f.Add([]byte(head + `<x:a xmlns:x="urn:x" x:b="x:c">x:d<x:e xmlns:x="urn:y"/></x:a><dm:person id="p" xmlns:y="u" y:z="1"/>` + tail))
	f.Fuzz(func(t *testing.T, data []byte) {
		var took time.Duration
		for try := 0; try == 0 || took > time.Second && try < 3; try++ { // the machine may be busy with something else
			start := time.Now()
			spelledAndComposed(t, data)
			took = time.Since(start)
		}
		if took > time.Second {
			t.Fatalf("%d bytes took %v", len(data), took)
		}
	})
}

func spelledAndComposed(t *testing.T, data []byte) {
	before := allocated()
	d, err := Parse(data, Limits{})
	if spent := allocated() - before; spent > 2<<20+400*uint64(len(data)) {
		t.Fatalf("%d bytes took %d bytes of memory", len(data), spent)
	}
	if err != nil {
		return
	}
	for _, dialect := range []Dialect{Standard, Draft} {
		text := Write(d, dialect)
		again, err := Parse(text, Limits{Bytes: 16 << 20, Elements: 1 << 20, Attributes: 1 << 20})
		if err != nil {
			t.Fatalf("%v: what was written is refused: %v\n%s", dialect, err, text)
		}
		if !again.Equal(d) {
			t.Fatalf("%v: another document:\n%s\nthan\n%s", dialect, text, data)
		}
		if dialect == Standard && !respelled.Match(data) {
			if diff := cmp.Diff(paths(data), paths(text)); diff != "" {
				t.Fatalf("elements before (-) and after (+):\n%s\n%s", diff, text)
			}
		}
	}
	found, err := Validate(data, Limits{})
	if err != nil {
		t.Fatalf("it is taken, but not to be validated: %v", err)
	}
	if written, err := Validate(Write(d, Standard), Limits{Bytes: 16 << 20, Elements: 1 << 20, Attributes: 1 << 20}); err != nil || len(found) == 0 && len(written) > 0 {
		t.Fatalf("valid, but not when it is written: %v %v\n%s", written, err, Write(d, Standard))
	}
	composed := Compose(d.Entity, Share{Source: device("k", 1), Document: d})
	if !Compose(d.Entity, Share{Document: composed}, Share{Document: composed}).Equal(composed) {
		t.Fatalf("composed again it is another document: %s", Write(composed, Standard))
	}
}

// allocated is how much memory has been asked for so far.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// Documents of the largest size, each made to be as slow as it can be.
func TestNothingIsSlow(t *testing.T) {
	const size = 64<<10 - 2000
	full := func(piece string) string { return strings.Repeat(piece, size/len(piece)) }
	numbered := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < size && i < 1020; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for name, body := range map[string]string{
		"tuples":         numbered(`<tuple id="t%d"><status/></tuple>`),
		"persons":        numbered(`<dm:person id="p%d"><rpid:activities/></dm:person>`),
		"notes":          numbered(`<note>%d</note>`),
		"extensions":     numbered(`<x%d/>`),
		"one tuple":      `<tuple id="t"><status/>` + numbered(`<dm:deviceID x="%d"/>`) + `</tuple>`,
		"capabilities":   `<tuple id="t"><status/><c:servcaps>` + numbered(`<c:audio x="%d">1</c:audio>`) + `</c:servcaps></tuple>`,
		"activities":     `<dm:person id="p"><rpid:activities>` + numbered(`<rpid:a%d/>`) + `</rpid:activities></dm:person>`,
		"declarations":   `<x>` + strings.Repeat(`<x xmlns:a="urn:a" xmlns:b="urn:b" xmlns:c="urn:c" a:x="" b:x="" c:x="">`, 29) + strings.Repeat("</x>", 29) + `</x>`,
		"attributes":     `<note ` + attributes(60) + `/>` + `<x ` + attributes(60) + `/>`,
		"comments":       `<note>` + full("a<!---->") + `</note>`,
		"colons":         `<x>` + full("a:") + `</x>`,
		"distinct words": `<x>` + numbered("w%d: ") + `</x>`,
		"one word":       `<x>` + full("a") + `:</x>`,
		"references":     `<note>` + full("&#65;") + `</note>`,
		"lines":          `<note>` + full("\n") + `</note>`,
	} {
		before := allocated()
		_, err := Parse([]byte(head+body+tail), Limits{})
		if spent := allocated() - before; spent > 2<<20+400*uint64(len(body)) {
			t.Errorf("%s: %d bytes took %d bytes of memory", name, len(body), spent)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		took := fastest(3, time.Second, func() {
			d, _ := Parse([]byte(head+body+tail), Limits{})
			Write(d, Draft)
			share := Share{Source: device("k", 1), Document: d}
			composed, _ := Explain(d.Entity, share, share, Share{Source: device("l", 1), Document: d})
			Write(composed, Standard)
		})
		if took > time.Second {
			t.Errorf("%s: took %v", name, took)
		} else {
			t.Logf("%s: %v", name, took)
		}
	}
}

// fastest is how long f takes: of a few times, for the machine may be busy with
// something else, unless it is quick enough at once.
func fastest(times int, enough time.Duration, f func()) time.Duration {
	best := time.Duration(math.MaxInt64)
	for ; times > 0 && best > enough; times-- {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return best
}

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d="%d"`, i, i)
	}
	return b.String()
}

// paths lists the elements of a document, sorted.
func paths(data []byte) []string {
	lines, err := saidBy(data)
	if err != nil {
		return []string{err.Error()}
	}
	for i, line := range lines {
		lines[i], _, _ = strings.Cut(line, " ")
	}
	slices.Sort(lines)
	return lines
}
