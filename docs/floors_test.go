package docs_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestFloors holds the code to the floor table that ARCHITECTURE.md prints: a
// package imports only rooms on lower floors, and on its own floor only where
// the table names the room.
func TestFloors(t *testing.T) {
	floor, beside := readFloors(t)
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "presfed/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := map[string]bool{}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		room := strings.TrimPrefix(p.ImportPath, "presfed/")
		seen[room] = true
		own, ok := floor[room]
		if !ok {
			t.Errorf("%s stands on no floor of ARCHITECTURE.md", room)
			continue
		}
		for _, imp := range p.Imports {
			other, inside := strings.CutPrefix(imp, "presfed/")
			if !inside {
				continue
			}
			if f := floor[other]; f > own || f == own && !strings.Contains(" "+beside[room]+" ", " "+other+" ") {
				t.Errorf("%s (floor %d) imports %s (floor %d)", room, own, other, f)
			}
		}
	}
	for room := range beside {
		if !seen[room] {
			t.Errorf("ARCHITECTURE.md has a floor for %s, the code has no such room", room)
		}
	}
}

// readFloors reads the rows "| 3 | `room` | beside | what |" of the floors and
// "| 3 | `room/` | what |" of the rooms to come, which have no beside.
func readFloors(t *testing.T) (floor map[string]int, beside map[string]string) {
	t.Helper()
	f, err := os.Open("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	floor, beside = map[string]int{}, map[string]string{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		cells := strings.Split(sc.Text(), "|")
		if len(cells) < 5 {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(cells[1]))
		if err != nil {
			continue
		}
		room := strings.TrimSuffix(strings.Trim(strings.TrimSpace(cells[2]), "`"), "/")
		floor[room] = n
		if len(cells) == 6 {
			beside[room] = strings.ReplaceAll(strings.TrimSpace(cells[3]), "`", "")
		}
	}
	if len(floor) == 0 {
		t.Fatal("no floor table in ARCHITECTURE.md")
	}
	return floor, beside
}
