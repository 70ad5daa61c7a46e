package programs

import (
	"os"
	"os/exec"
	"testing"
)

// Need is the path of a program of others, which Debian has in a package; what is the
// claim that is tested with it. Without it the rest of the test is Skipped.
func Need(t testing.TB, name, debian, what string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Skip(t, what, name+" is not installed (Debian: "+debian+")")
	}
	return path
}

// Skip skips the rest of a test aloud, or fails it where PRESFED_REQUIRE_TOOLS=1 says
// that everything is here to test with.
func Skip(t testing.TB, what, why string) {
	t.Helper()
	if os.Getenv("PRESFED_REQUIRE_TOOLS") == "1" {
		t.Fatalf("cannot test %s, as PRESFED_REQUIRE_TOOLS=1 asks: %s", what, why)
	}
	t.Skipf("NOT TESTED: %s, for %s", what, why)
}
