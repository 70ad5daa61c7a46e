package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"presfed/agents/programs"
)

// What compose prints of the flows' documents is valid by the RFCs' schemas,
// sources and marked ids included.
func TestComposeIsValid(t *testing.T) {
	programs.Need(t, "xmllint", "libxml2-utils", "what compose prints against the schemas")
	files, err := filepath.Glob(filepath.Join("..", "..", "pidf", "testdata", "golden", "4.2.*.draft.xml"))
	if err != nil || len(files) < 8 {
		t.Fatalf("%v %v", files, err)
	}
	for _, flags := range []string{"", "--sources", "--model=peer", "--model=peer --own"} {
		var out strings.Builder
		con := newConsole(nil, &out, io.Discard, func(string) (string, bool) { return "", false })
		if code := execute(context.Background(), append(append([]string{"compose"}, strings.Fields(flags)...), files...), con); code != exitDone {
			t.Fatalf("exit code %d", code)
		}
		result := filepath.Join(t.TempDir(), "result.xml")
		if err := os.WriteFile(result, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		schema := filepath.Join("..", "..", "pidf", "testdata", "xsd", "all.xsd")
		if said, err := exec.Command("xmllint", "--nonet", "--noout", "--schema", schema, result).CombinedOutput(); err != nil {
			t.Errorf("compose %s: %v\n%s\n%s", flags, err, said, out.String())
		}
	}
}
