package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, child := range cmd.Commands() {
		walk(child, visit)
	}
}

func TestManPagesShowWhatIsThere(t *testing.T) {
	root := newRoot(newConsole(nil, nil, nil, func(string) (string, bool) { return "", false }))
	pages := map[string]string{}
	for _, page := range manPages(root) {
		pages[page.name] = page.roff
	}
	walk(root, func(cmd *cobra.Command) {
		if !cmd.IsAvailableCommand() && cmd != root {
			return
		}
		page := pages[strings.ReplaceAll(cmd.CommandPath(), " ", "-")]
		cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			if !strings.Contains(page, roffText("--"+flag.Name)) {
				t.Errorf("%s: the page does not show --%s", cmd.CommandPath(), flag.Name)
			}
		})
		for _, child := range cmd.Commands() {
			if child.IsAvailableCommand() && !strings.Contains(page, ".B "+roffText(child.Name())) {
				t.Errorf("%s: the page does not show %s", cmd.CommandPath(), child.Name())
			}
		}
	})
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Log("not tested: that mandoc accepts the pages; it is not installed")
		return
	}
	for name, roff := range pages {
		lint := exec.Command(mandoc, "-T", "lint", "-W", "error")
		lint.Stdin = strings.NewReader(roff)
		if out, err := lint.CombinedOutput(); err != nil {
			t.Errorf("%s: %s", name, out)
		}
	}
}

func TestRoffText(t *testing.T) {
	if got, want := roffText(".dot\n'quote\na-b\\c"), `\&.dot`+"\n"+`\&'quote`+"\n"+`a\-b\ec`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestCommandsAreAlike holds every command to the rules that cobra does not
// enforce.
func TestCommandsAreAlike(t *testing.T) {
	root := newRoot(newConsole(nil, nil, nil, func(string) (string, bool) { return "", false }))
	env := map[string]string{}
	walk(root, func(cmd *cobra.Command) {
		if cmd != root && (cmd.PersistentPreRun != nil || cmd.PersistentPreRunE != nil) {
			t.Errorf("%s has a PersistentPreRun: the environment would not be read", cmd.CommandPath())
		}
		if cmd.RunE == nil {
			t.Errorf("%s has no RunE: a wrong command below it would exit with 0", cmd.CommandPath())
		}
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: short help %q: want a line without full stop", cmd.CommandPath(), cmd.Short)
		}
		cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			if was, ok := env[flagEnv(flag)]; ok && was != flag.Value.Type() {
				t.Errorf("%s --%s is %s, and %s elsewhere: one variable cannot be both", cmd.CommandPath(), flag.Name, flag.Value.Type(), was)
			}
			env[flagEnv(flag)] = flag.Value.Type()
		})
	})
}
