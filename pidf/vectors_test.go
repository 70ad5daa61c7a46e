package pidf

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The examples of the RFCs say the same after Parse and Write as before, in
// the same order, and stay valid.
func TestRFCExamples(t *testing.T) {
	files, _ := filepath.Glob("testdata/rfc/*.xml")
	if len(files) < 12 {
		t.Fatalf("only %d examples", len(files))
	}
	valid := map[string][]byte{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".xml")
		t.Run(name, func(t *testing.T) {
			data := readFile(t, file)
			switch name {
			case "rfc4479-1": // without an entity
				refused(t, data, "no entity")
				data = bytes.Replace(data, []byte("<presence "), []byte(`<presence entity="pres:someone@example.com" `), 1)
			case "rfc4482-1": // <c:display-name> ended by </c:card>
				refused(t, data, `an end tag "c:card"`)
				data = bytes.Replace(data, []byte("Alice Lewis</c:card>"), []byte("Alice Lewis</c:display-name>"), 1)
			}
			d := mustParse(t, data)
			written := Write(d, Standard)
			want, err := saidBy(data)
			if err != nil {
				t.Fatal(err)
			}
			got, err := saidBy(written)
			if err != nil {
				t.Fatalf("%v\n%s", err, written)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("said before (-) and after (+):\n%s", diff)
			}
			if name != "rfc4480-1" { // whose sphere holds text, which its schema does not allow
				valid[name] = written
			}
			for _, dialect := range []Dialect{Standard, Draft} {
				if again := mustParse(t, Write(d, dialect)); !again.Equal(d) {
					t.Errorf("%v: read again it is another document:\n%s", dialect, Write(d, dialect))
				}
			}
		})
	}
	validate(t, valid)
}

func refused(t *testing.T, data []byte, what string) {
	t.Helper()
	_, err := Parse(data, Limits{})
	refusal, ok := errors.AsType[*ParseError](err)
	if !ok || !strings.Contains(refusal.What, what) {
		t.Errorf("got %v, want a refusal of %s", err, what)
	}
}
