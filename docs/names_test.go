package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWhatDocumentsName: files, tests and environment variables that documents name are
// there. A file is named by its path or the end of it: `sip/stream.go`, `stream.go`.
func TestWhatDocumentsName(t *testing.T) {
	var code strings.Builder // all but documents
	var files []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && d.Name() == ".git" {
				return fs.SkipDir
			}
			return err
		}
		files = append(files, "/"+filepath.ToSlash(path))
		if strings.HasSuffix(path, ".go") || strings.HasPrefix(filepath.ToSlash(path), "../scripts/") {
			text, err := os.ReadFile(path)
			code.Write(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]func(string) bool{
		"`[a-z][a-z0-9_/]*\\.go`": func(name string) bool {
			for _, f := range files {
				if strings.HasSuffix(f, "/"+strings.Trim(name, "`")) {
					return true
				}
			}
			return false
		},
		`\b(?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9]*\b`: func(name string) bool { return strings.Contains(code.String(), "func "+name+"(") },
		`\b(?:PRESFED|FIGURES|FUZZ)_[A-Z][A-Z_]*\b`: func(name string) bool {
			flag := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, "PRESFED_"), "_", "-"))
			return strings.Contains(code.String(), name) || strings.Contains(code.String(), `"`+flag+`", `)
		},
		`scripts/[a-z][a-z0-9./-]*[a-z]`: func(name string) bool { _, err := os.Stat(filepath.Join("..", name)); return err == nil },
	}
	documents := []string{"../README.md", "../CONTRIBUTING.md"}
	more, err := filepath.Glob("*.md")
	if err != nil || len(more) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	pages, _ := filepath.Glob("figures/*.md")
	for _, doc := range append(append(documents, more...), pages...) {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, ", as it was called") {
				continue
			}
			for pattern, there := range named {
				for _, name := range regexp.MustCompile(pattern).FindAllString(line, -1) {
					if !there(name) {
						t.Errorf("%s names %s, which is not there", doc, name)
					}
				}
			}
		}
	}
}
