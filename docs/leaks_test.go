package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLeaks: in every package the tests end by looking for goroutines that they
// have left.
func TestLeaks(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{.Dir}}", "presfed/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		packages++
		if !looksForLeaks(t, dir) {
			t.Errorf("%s: no TestMain with goleak.VerifyTestMain", path)
		}
	}
	if packages < 20 {
		t.Errorf("%d packages were looked at", packages)
	}
}

func looksForLeaks(t *testing.T, dir string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if strings.Contains(text, "func TestMain(m *testing.M)") && (strings.Contains(text, "goleak.VerifyTestMain(m") || strings.Contains(text, "goleak.Find(")) {
			return true
		}
	}
	return false
}
