package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"presfed/agents/flow"
)

// The README shows 4.1.1's ladder as the program prints it: the golden one, in an
// order of time that can be.
func TestReadmeShowsTheLadder(t *testing.T) {
	readme := ladderIn(t, filepath.Join("..", "..", "README.md"), "    ")
	golden := ladderIn(t, filepath.Join("testdata", "golden", "4.1.1.txt"), "")
	f, _ := flow.Show("4.1.1")
	seen := map[string]bool{}
	for _, a := range readme.arrows {
		at := drawn(f, a.f)
		if at < 0 {
			t.Fatalf("the README draws %q, which 4.1.1 does not", a.f)
		}
		for _, before := range f.Messages[at].After {
			if !seen[before] {
				t.Errorf("the README draws %s before %s", a.f, before)
			}
		}
		seen[a.f] = true
	}
	slices.SortFunc(readme.arrows, func(a, b arrow) int { return drawn(f, a.f) - drawn(f, b.f) })
	if d := firstDifference(golden.text(), readme.text()); d != "" {
		t.Errorf("the README's ladder is not what the program prints: %s", d)
	}
}

// arrow is two lines of a ladder, and the F-number that they begin with.
type arrow struct{ f, lines string }

type ladder struct {
	head   string
	arrows []arrow
	tail   string // what held
}

func (l ladder) text() string {
	s := l.head
	for _, a := range l.arrows {
		s += a.lines
	}
	return s + l.tail
}

// ladderIn reads the first ladder of a file, whose lines begin with indent.
func ladderIn(t *testing.T, file, indent string) ladder {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	at := slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, indent+"  "+flow.AlicePC) })
	if at < 0 {
		t.Fatalf("no ladder in %s", file)
	}
	next := func() string {
		if at == len(lines) {
			t.Fatalf("the ladder in %s has no end", file)
		}
		at++
		return strings.TrimPrefix(lines[at-1], indent) + "\n"
	}
	l := ladder{head: next() + next()}
	for {
		line := next()
		if strings.Contains(line, " checks held") {
			l.tail = line
			return l
		}
		words := strings.Fields(strings.ReplaceAll(line, "|", " "))
		if len(words) == 0 {
			t.Fatalf("%s: %q is no arrow", file, line)
		}
		l.arrows = append(l.arrows, arrow{words[0], line + next()})
	}
}
