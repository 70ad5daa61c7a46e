package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func encodeLines[T any](t *testing.T, lines []T) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestReadRecords(t *testing.T) {
	c, err := Read(strings.NewReader(encodeLines(t, im().records) + "\n" + `{"type":"verdict","ok":true}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(imTold, tell(c.Messages())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLinesReadBack: what --json prints is itself a capture of the same
// messages.
func TestLinesReadBack(t *testing.T) {
	var lines []Line
	messages := Pair(im().records)
	for i := range messages {
		lines = append(lines, messages[i].Line())
	}
	c, err := Read(strings.NewReader(encodeLines(t, lines)))
	if err != nil {
		t.Fatal(err)
	}
	again := c.Messages()
	if diff := cmp.Diff(tell(messages), tell(again)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var twice []Line
	for i := range again {
		twice = append(twice, again[i].Line())
	}
	if diff := cmp.Diff(encodeLines(t, lines), encodeLines(t, twice)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLineIsTheContract(t *testing.T) {
	messages := Pair(im().records)
	var got []string
	for _, i := range []int{3, 11} {
		got = append(got, NewRenamer().Rename(encodeLines(t, []Line{messages[i].Line()})))
	}
	golden(t, "lines.json", strings.Join(got, ""))
}

func TestParticipantLinesNameAddresses(t *testing.T) {
	b := newBed()
	b.sip("server-a", "server-b", request("OPTIONS", "sip:x", 1, "x"), "in")
	c, err := Read(strings.NewReader(`{"type":"participant","name":"server-b","addresses":["127.0.0.12:5061"]}` + "\n" + encodeLines(t, b.records)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"server-a > server-b: OPTIONS, not received"}, tell(c.Messages())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadSaysWhichLineIsWrong(t *testing.T) {
	good := strings.SplitN(encodeLines(t, im().records), "\n", 2)[0]
	for bad, want := range map[string]string{
		"garbage":             "want a JSON object",
		`[1]`:                 "want a JSON object",
		`{"seq":"x"}`:         "record:",
		`{"protocol":"http"}`: `protocol "http", want sip or msrp`,
		`{"protocol":"sip"}`:  `direction "", want in or out`,
		`{"type":"message"}`:  `protocol "", want sip or msrp`,
		`{"type":"record"}`:   `protocol ""`,
		`{"type":"participant","addresses":["x"]}`: "participant:",
		`{"protocol":"sip","direction":"in"}`:      "no participant",
	} {
		_, err := Read(strings.NewReader(good + "\n\n" + bad + "\n" + good))
		var line *LineError
		if !errors.As(err, &line) || line.Line != 3 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want line 3 and %q", bad, err, want)
		}
	}
}
