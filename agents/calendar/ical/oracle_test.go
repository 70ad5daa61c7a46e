package ical

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"presfed/agents/programs"
)

// python is the one that Debian's packages are for, whatever stands before it in
// PATH.
const python = "/usr/bin/python3"

// TestIndependentExpander compares, occurrence by occurrence, with
// recurring_ical_events: the calendars of testdata, and those of the folder that
// PRESFED_CALENDARS names, which this project did not write.
func TestIndependentExpander(t *testing.T) {
	needExpander(t)
	files, err := filepath.Glob("testdata/compared/*.ics")
	if err != nil || len(files) == 0 {
		t.Fatal("no calendars of our own", err)
	}
	if dir := os.Getenv("PRESFED_CALENDARS"); dir == "" {
		t.Log("NOT TESTED: calendars that this project did not write (PRESFED_CALENDARS names their folder)")
	} else {
		others, err := filepath.Glob(filepath.Join(dir, "*.ics"))
		if err != nil || len(others) == 0 {
			t.Fatal("no calendars in", dir, err)
		}
		files = append(files, others...)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			total := 0
			for i, want := range theirs(t, file, questions) {
				compare(t, file, questions[i], want)
				total += len(want)
			}
			t.Logf("%d occurrences are the same", total)
			if total == 0 && strings.HasPrefix(file, "testdata") {
				t.Error("no span has an occurrence in it")
			}
		})
	}
}

func needExpander(t *testing.T) {
	t.Helper()
	if out, err := exec.Command(python, "-c", "import recurring_ical_events").CombinedOutput(); err != nil {
		programs.Skip(t, "occurrences against an independent expander", "python3-recurring-ical-events is not installed: "+string(out))
	}
}

// question is a span, its times as a clock in zone shows them.
type question struct{ zone, from, until string }

// questions are years, and days on which Berlin's and New York's clocks change.
var questions = func() (all []question) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York"} {
		for _, span := range [][2]string{
			{"20100101T000000", "20260101T000000"}, {"20250101T000000", "20280101T000000"},
			{"20190101T000000", "20190401T000000"}, {"20190331T010000", "20190331T040000"},
			{"20191025T220000", "20191028T120000"}, {"20190307T013000", "20190310T103000"},
			{"20260328T120000", "20260330T120000"}, {"20261024T000000", "20261102T000000"},
		} {
			all = append(all, question{zone, span[0], span[1]})
		}
	}
	return all
}()

// theirs are the expander's answers.
func theirs(t *testing.T, file string, questions []question) [][]string {
	t.Helper()
	arguments := []string{"testdata/expand.py", file}
	for _, q := range questions {
		arguments = append(arguments, q.zone, q.from, q.until)
	}
	out, err := exec.Command(python, arguments...).Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", file, err, err.(*exec.ExitError).Stderr)
	}
	answers := make([][]string, len(questions))
	for line := range strings.Lines(string(out)) {
		number, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		i, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("%s: %q", file, line)
		}
		answers[i] = append(answers[i], rest)
	}
	return answers
}

func compare(t *testing.T, file string, q question, want []string) {
	t.Helper()
	loc, err := time.LoadLocation(q.zone)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cal, err := Read(data, Options{Zone: loc})
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		at, err := time.ParseInLocation(localForm, text, loc)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	busy, warnings, err := cal.Busy(t.Context(), at(q.from), at(q.until))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range append(cal.Warnings, warnings...) {
		t.Error(w)
	}
	var got []string
	for _, o := range busy {
		got = append(got, fmt.Sprintf("%d\t%d\t%v\t%s", o.Start.Unix(), o.End.Unix(), o.AllDay, o.Summary))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%v: %d occurrences, %d expected\n%s", q, len(got), len(want), differences(got, want))
	}
}

func differences(got, want []string) string {
	var b bytes.Buffer
	show := func(mark, line string) {
		var from, to int64
		fmt.Sscan(line, &from, &to)
		fmt.Fprintf(&b, "%s %s %s %s\n", mark, time.Unix(from, 0).UTC().Format(utcForm), time.Unix(to, 0).UTC().Format(utcForm), line)
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			show("only we:  ", g)
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			show("only they:", w)
		}
	}
	return b.String()
}
