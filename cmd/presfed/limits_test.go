package main

import (
	"cmp"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// TestLimitsDocument: each flag that docs/LIMITS.md names is there with the default
// that it says, and each flag of limits stands in it.
func TestLimitsDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/LIMITS.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := newServerCmd(&console{out: io.Discard, talk: io.Discard}, "", nil).Flags()
	device := newAgentCmd(&console{out: io.Discard, talk: io.Discard}, nil).Flags()
	named := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !strings.Contains(cells[3], "`--") {
			continue
		}
		name := strings.Trim(strings.TrimSpace(cells[3]), "`-")
		named[name] = true
		f := cmp.Or(flags.Lookup(name), device.Lookup(name))
		if f == nil {
			t.Errorf("no flag --%s", name)
			continue
		}
		said, is := strings.TrimSpace(cells[2]), f.DefValue
		a, err1 := time.ParseDuration(said)
		b, err2 := time.ParseDuration(is)
		if said != is && (err1 != nil || err2 != nil || a != b) {
			t.Errorf("--%s is %s, LIMITS.md says %s", name, is, said)
		}
	}
	limits := pflag.NewFlagSet("limits", pflag.ContinueOnError)
	new(limitOptions).flags(limits)
	limits.VisitAll(func(f *pflag.Flag) {
		if !named[f.Name] {
			t.Errorf("--%s stands in no table of LIMITS.md", f.Name)
		}
	})
}
