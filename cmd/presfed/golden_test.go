package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"presfed/agents/bed"
	"presfed/agents/flow"
	"presfed/agents/programs"
	"presfed/agents/trace"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each flow, run for real on a bed of its own, sends what testdata/golden shows:
// the ladder as flow run prints it, then every drawn message whole.
func TestGolden(t *testing.T) {
	if runtime.GOOS != "linux" {
		programs.Skip(t, "the flows against the golden files", "they want an address for each participant")
	}
	for _, f := range flow.List() {
		t.Run(f.ID, func(t *testing.T) {
			t.Parallel()
			got := goldenOf(t, f)
			file := filepath.Join("testdata", "golden", f.ID+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := firstDifference(string(want), got); d != "" {
				t.Errorf("%s is not what the flow showed (go test -run TestGolden -update writes it anew):\n%s", file, d)
			}
		})
	}
}

// goldenOf runs a flow and writes what it showed, in the order of F-numbers: the
// order of time among independent hops differs from run to run, and the verdict
// has checked that each came after what it had to wait for.
func goldenOf(t *testing.T, f flow.Flow) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b, err := bed.Up(ctx, bed.Options{Model: f.Bed()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Down(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()
	result, err := flow.NewRunner(b, flow.Settings{}).Run(ctx, f)
	if err != nil || !result.Verdict.OK {
		t.Fatalf("%+v, %v", result.Verdict, err)
	}
	result.Messages = slices.DeleteFunc(result.Messages, func(m trace.Line) bool { return m.F == "" })
	slices.SortFunc(result.Messages, func(a, b trace.Line) int { return drawn(f, a.F) - drawn(f, b.F) })
	var out bytes.Buffer
	con := newConsole(nil, &out, &out, func(string) (string, bool) { return "", false })
	if err := drawFlow(con, f, result); err != nil {
		t.Fatal(err)
	}
	subnet := result.Messages[0].Src.Addr().As4()
	names := trace.NewRenamer()
	for _, m := range result.Messages {
		from, to := plainSubnet(m.Src.String(), subnet), plainSubnet(m.Dst.String(), subnet)
		fmt.Fprintln(&out, names.Rename(fmt.Sprintf("\n>> %s %s (%s) > %s (%s) %s %s", m.F, m.From, from, m.To, to, m.Transport, m.Protocol)))
		raw := plainLength(names.Rename(plainSubnet(sortTuples(string(m.Raw)), subnet)), m.Raw)
		raw = strings.ReplaceAll(raw, "\r\n", "\n")
		out.WriteString(strings.TrimRight(raw, "\n") + "\n")
	}
	return out.String()
}

// plainLength says how long the renamed body is, where the sender had said how
// long its own was; another Content-Length stays.
func plainLength(renamed string, raw []byte) string {
	_, was, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	_, is, _ := strings.Cut(renamed, "\r\n\r\n")
	return strings.Replace(renamed, fmt.Sprintf("\r\nContent-Length: %d\r\n", len(was)), fmt.Sprintf("\r\nContent-Length: %d\r\n", len(is)), 1)
}

var tuple = regexp.MustCompile(`(?s)  <tuple .*?</tuple>\r?\n`)

// sortTuples puts the tuples of a document in the order of their ids. A server
// writes them in the order of its publications, whose names are random.
func sortTuples(s string) string {
	tuples := tuple.FindAllString(s, -1)
	slices.Sort(tuples)
	return tuple.ReplaceAllStringFunc(s, func(string) string {
		first := tuples[0]
		tuples = tuples[1:]
		return first
	})
}

// drawn is where a flow draws an F-number.
func drawn(f flow.Flow, number string) int {
	return slices.IndexFunc(f.Messages, func(m flow.Message) bool { return m.F == number })
}

// plainSubnet moves a bed from the /24 that it drew at random to 127.0.0.0.
func plainSubnet(s string, in [4]byte) string {
	return strings.ReplaceAll(s, fmt.Sprintf("%d.%d.%d.", in[0], in[1], in[2]), "127.0.0.")
}

// firstDifference shows where two texts part, with the lines around; "" where
// they are equal.
func firstDifference(want, got string) string {
	if want == got {
		return ""
	}
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	at := 0
	for at < min(len(w), len(g)) && w[at] == g[at] {
		at++
	}
	around := func(lines []string) string {
		return strings.Join(lines[max(0, min(at-5, len(lines))):min(at+6, len(lines))], "\n")
	}
	return fmt.Sprintf("line %d\nwant:\n%s\ngot:\n%s", at+1, around(w), around(g))
}
