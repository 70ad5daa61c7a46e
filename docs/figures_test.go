package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFiguresHavePages holds the figures to their pages: each program of
// scripts/figures.d has one in docs/figures with markers for what it prints, each page
// has a program, and docs/FIGURES.md names them all.
func TestFiguresHavePages(t *testing.T) {
	index, err := os.ReadFile("FIGURES.md")
	if err != nil {
		t.Fatal(err)
	}
	programs, err := os.ReadDir("../scripts/figures.d")
	if err != nil || len(programs) == 0 {
		t.Fatalf("no figures: %v", err)
	}
	has := map[string]bool{}
	for _, p := range programs {
		name := p.Name()
		has[name] = true
		if info, err := p.Info(); err != nil || info.Mode()&0o111 == 0 {
			t.Errorf("scripts/figures.d/%s cannot be executed (%v)", name, err)
		}
		page, err := os.ReadFile(filepath.Join("figures", name+".md"))
		if err != nil {
			t.Errorf("the figure has no page: %v", err)
			continue
		}
		made, end := strings.Index(string(page), "\n<!-- made -->\n"), strings.Index(string(page), "\n<!-- end -->\n")
		if made < 0 || end < made {
			t.Errorf("docs/figures/%s.md: want the lines <!-- made --> and <!-- end --> in this order", name)
		}
		if !strings.Contains(string(index), "(figures/"+name+".md)") {
			t.Errorf("FIGURES.md does not name figures/%s.md", name)
		}
	}
	pages, err := filepath.Glob("figures/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if name := strings.TrimSuffix(filepath.Base(p), ".md"); !has[name] {
			t.Errorf("docs/%s has no program in scripts/figures.d", p)
		}
	}
}
