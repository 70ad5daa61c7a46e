package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRFCIndex: what RFC.md says is implemented names a room that exists and a
// test in it that exists; what it says is not names none.
func TestRFCIndex(t *testing.T) {
	text, err := os.ReadFile("RFC.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 8 || strings.TrimSpace(cells[1]) == "RFC" || strings.HasPrefix(strings.TrimSpace(cells[1]), "---") {
			continue
		}
		rows++
		rfc, state := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[3])
		room, test := strings.Trim(strings.TrimSpace(cells[4]), "`"), strings.TrimSpace(cells[5])
		if what := rfc + cells[2]; seen[what] {
			t.Errorf("RFC %s has two rows of%s", rfc, cells[2])
		} else {
			seen[what] = true
		}
		switch state {
		case "no":
			if room != "" || test != "" {
				t.Errorf("RFC %s is said not to be there, and names %s %s", rfc, room, test)
			}
		case "yes", "partly":
			if !testExists(t, room, test) {
				t.Errorf("RFC %s: no test %s in %s", rfc, test, room)
			}
		default:
			t.Errorf("RFC %s: state %q, want yes, partly or no", rfc, state)
		}
	}
	if rows < 20 {
		t.Errorf("%d rows were read", rows)
	}
}

func testExists(t *testing.T, room, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", room, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if test != "" && strings.Contains(string(b), "func "+test+"(") {
			return true
		}
	}
	return false
}
