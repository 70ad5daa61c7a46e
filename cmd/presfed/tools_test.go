package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// needTool skips a test whose program is missing; PRESFED_REQUIRE_TOOLS=1 makes
// that a failure.
func needTool(t *testing.T, name, what string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("PRESFED_REQUIRE_TOOLS") == "1" {
		t.Fatalf("%s is not installed, and PRESFED_REQUIRE_TOOLS=1 asks for it", name)
	}
	t.Skipf("NOT TESTED: %s, for %s is not installed", what, name)
}

// buildProgram is the program, built for this test.
func buildProgram(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "presfed")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}
