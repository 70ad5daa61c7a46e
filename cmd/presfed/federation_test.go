package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"presfed/agents/programs"
)

// TestFederationScript runs the set-up in plain shell with a binary of its own.
func TestFederationScript(t *testing.T) {
	bash := programs.Need(t, "bash", "bash", "scripts/federation")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bash, filepath.Join("..", "..", "scripts", "federation"))
	cmd.Env = append(os.Environ(), "PRESFED="+programs.Ours(t))
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"ready server-a tcp:", "state=active", "<basic>open</basic>", "closed\n", "403", "exit code 5"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
