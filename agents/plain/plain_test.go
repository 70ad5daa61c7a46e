package plain

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestText(t *testing.T) {
	for s, want := range map[string]string{
		"Grüße, \tBob 你好 👩‍👧":  "Grüße, \tBob 你好 👩‍👧",
		"\x1b[31mred\x07\r\n":  "?[31mred???",
		"\u009b31m\u0085":      "?31m?",
		"\x9b31m":              "?31m", // C1 as a byte is no UTF-8
		"evil\u202egnp.exe":    "evil?gnp.exe",
		"a\u2066b\u2069\u200f": "a?b??",
		"a\u2028b\x7f":         "a?b?",
	} {
		if got := Text(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
	if got := Lines("a\r\nb\rc\n\x1b"); got != "a\nb?c\n?" {
		t.Errorf("lines %q", got)
	}
}

func TestJSONMeansTheSame(t *testing.T) {
	in := map[string]string{"x": "\u009b31m \u202e \x7f \x1b \u2028 \n 你好 \\u202e"}
	var b bytes.Buffer
	if err := json.NewEncoder(JSON(&b)).Encode(in); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(strings.TrimSuffix(b.String(), "\n"), Acts) {
		t.Errorf("it acts: %q", b.String())
	}
	var out map[string]string
	if err := json.Unmarshal(b.Bytes(), &out); err != nil || out["x"] != in["x"] {
		t.Errorf("%q, %v", out, err)
	}
}
