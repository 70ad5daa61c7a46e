package pidf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Trees of extensions with few prefixes and few namespaces, declared here and
// there and bound anew inside, say the same after Parse and Write, and after
// Compose has moved them.
func TestNamespacesSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scope := map[string]string{"": NSPIDF, "dm": NSDM, "rpid": NSRPID}
		var b strings.Builder
		fmt.Fprintf(&b, `<presence xmlns=%q xmlns:dm=%q xmlns:rpid=%q entity="sip:a@b"`, NSPIDF, NSDM, NSRPID)
		scope = declareSome(t, &b, scope)
		scope[""] = NSPIDF
		b.WriteString(">")
		b.WriteString(`<tuple id="t"><status>`)
		drawTree(t, &b, scope, 2)
		b.WriteString(`</status>`)
		drawTree(t, &b, scope, 3)
		b.WriteString(`<contact>sip:a@b</contact></tuple>`)
		b.WriteString(`</presence>`)
		doc := b.String()

		want, err := saidBy([]byte(doc))
		if err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		d := mustParseIn(t, []byte(doc))
		composed := Compose(d.Entity, Share{Document: d}).WithoutSources()
		for name, v := range map[string]Document{"written": d, "composed": composed} {
			text := Write(v, Standard)
			got, err := saidBy(text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s: before (-), after (+):\n%s\n%s\n%s", name, diff, doc, text)
			}
			if again := mustParseIn(t, text); !again.Equal(v) {
				t.Fatalf("%s: read again it is another document:\n%s", name, text)
			}
		}
	})
}

var prefixes = []string{"", "a", "b", "dm", "caps", "src"}

// declareSome writes declarations and returns the scope inside.
func declareSome(t *rapid.T, b *strings.Builder, scope map[string]string) map[string]string {
	inner := map[string]string{}
	for p, s := range scope {
		inner[p] = s
	}
	for _, p := range rapid.SliceOfNDistinct(rapid.SampledFrom(prefixes[1:3]), 0, 2, rapid.ID[string]).Draw(t, "declared") {
		inner[p] = rapid.SampledFrom([]string{"urn:one", "urn:two"}).Draw(t, "namespace")
		fmt.Fprintf(b, " xmlns:%s=%q", p, inner[p])
	}
	return inner
}

// drawTree writes an element of a namespace that is ours or none, and what is
// inside it.
func drawTree(t *rapid.T, b *strings.Builder, scope map[string]string, depth int) {
	var decls strings.Builder
	inner := declareSome(t, &decls, scope)
	for _, p := range rapid.SliceOfNDistinct(rapid.SampledFrom(prefixes[3:]), 0, 1, rapid.ID[string]).Draw(t, "rebound") {
		inner[p] = "urn:" + p
		fmt.Fprintf(&decls, " xmlns:%s=%q", p, inner[p])
	}
	if def := rapid.SampledFrom([]string{"", "", "urn:one"}).Draw(t, "default"); inner[""] != def {
		inner[""] = def
		fmt.Fprintf(&decls, " xmlns=%q", def)
	}
	var usable []string
	for _, p := range prefixes {
		if _, ok := inner[p]; ok && inner[p] != NSDM {
			usable = append(usable, p)
		}
	}
	prefix := rapid.SampledFrom(usable).Draw(t, "prefix")
	if prefix != "" {
		prefix += ":"
	}
	fmt.Fprintf(b, "<%sx%s", prefix, decls.String())
	if p := rapid.SampledFrom(usable).Draw(t, "attribute"); p != "" {
		fmt.Fprintf(b, ` %s:at="v"`, p)
	}
	b.WriteString(">text")
	if depth > 0 {
		for range rapid.IntRange(0, 2).Draw(t, "children") {
			drawTree(t, b, inner, depth-1)
		}
	}
	fmt.Fprintf(b, "</%sx>", prefix)
}
