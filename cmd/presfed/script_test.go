package main

import (
	"fmt"
	"os"
	"testing"

	"presfed/agents/programs"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	testscript.Main(leakless{m}, map[string]func(){"presfed": main})
}

// leakless runs tests, and then looks for goroutines that they have left.
type leakless struct{ *testing.M }

func (m leakless) Run() int {
	defer programs.Remove()
	code := m.M.Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestScript runs the real main in processes of its own.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Cmds:                map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits, "role": role, "waitfor": waitfor, "hang": hang, "listens": listens, "tidies": tidies, "web": web},
	})
}
