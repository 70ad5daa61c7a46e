package programs_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"presfed/agents/programs"
)

// spy is a test that is skipped or failed.
type spy struct {
	testing.TB
	said string
}

func (s *spy) Helper()                     {}
func (s *spy) Skipf(f string, args ...any) { s.said += "skipped: " + fmt.Sprintf(f, args...) }
func (s *spy) Fatalf(f string, args ...any) {
	s.said += "failed: " + fmt.Sprintf(f, args...)
}

func TestNeed(t *testing.T) {
	for require, want := range map[string]string{"": "skipped: NOT TESTED: that it is so, for no-such-program is not installed (Debian: none)", "1": "failed: cannot test that it is so"} {
		t.Setenv("PRESFED_REQUIRE_TOOLS", require)
		s := &spy{}
		if programs.Need(s, "no-such-program", "none", "that it is so"); !strings.HasPrefix(s.said, want) {
			t.Errorf("with %q: %q", require, s.said)
		}
		s = &spy{}
		if path := programs.Need(s, "go", "golang-go", "anything"); path == "" || s.said != "" {
			t.Errorf("with %q: %q, %q", require, path, s.said)
		}
	}
}

func TestOurs(t *testing.T) {
	defer programs.Remove()
	binary := programs.Ours(t)
	if again := programs.Ours(t); again != binary {
		t.Errorf("built twice: %s, %s", binary, again)
	}
	if out, err := exec.Command(binary, "version").CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "presfed ") {
		t.Errorf("%v: %s", err, out)
	}
}
