package pidf

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"presfed/agents/programs"
)

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustParse(t testing.TB, data []byte) Document {
	t.Helper()
	d, err := Parse(data, Limits{})
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return d
}

// validate holds documents against the schemas with xmllint.
func validate(t *testing.T, docs map[string][]byte) {
	t.Helper()
	if out := xmllint(t, docs, "--schema", filepath.Join("testdata", "xsd", "all.xsd")); out != "" {
		t.Error(out)
	}
}

// xmllint says what is wrong with documents; nothing if they are right.
// Without xmllint it skips what is left of the test and says so;
// PRESFED_REQUIRE_TOOLS=1 makes that a failure.
func xmllint(t *testing.T, docs map[string][]byte, args ...string) string {
	t.Helper()
	lint := programs.Need(t, "xmllint", "libxml2-utils", "our documents against the schemas")
	args = append([]string{"--nonet", "--noout"}, args...)
	dir := t.TempDir()
	for name, data := range docs {
		path := filepath.Join(dir, strings.ReplaceAll(name, "/", "_")+".xml")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	out, err := exec.Command(lint, args...).CombinedOutput()
	if err == nil {
		return ""
	}
	return fmt.Sprintf("xmllint: %v\n%s", err, out)
}

// saidBy lists everything a document says, in its order, by a reader that
// shares nothing with the package: a line for each element with its expanded
// name, path, attributes and text. Spellings that mean the same are made one:
// the text without the white space around it, priorities as numbers.
func saidBy(data []byte) ([]string, error) {
	dec := xml.NewDecoder(strings.NewReader(string(data)))
	type open struct {
		line int
		text string
	}
	var lines []string
	var stack []open
	path := ""
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			path += "/{" + tok.Name.Space + "}" + tok.Name.Local
			var attrs []string
			for _, a := range tok.Attr {
				if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" {
					continue
				}
				value := a.Value
				if a.Name.Local == "priority" {
					q, _ := strconv.ParseFloat(value, 64)
					value = fmt.Sprint(q)
				}
				attrs = append(attrs, fmt.Sprintf("{%s}%s=%q", a.Name.Space, a.Name.Local, value))
			}
			slices.Sort(attrs)
			lines = append(lines, path+" "+strings.Join(attrs, " "))
			stack = append(stack, open{line: len(lines) - 1})
		case xml.CharData:
			if len(stack) > 0 {
				stack[len(stack)-1].text += string(tok)
			}
		case xml.EndElement:
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			lines[top.line] += " " + strconv.Quote(strings.TrimSpace(top.text))
			path = path[:strings.LastIndex(path, "/{")]
		}
	}
}
