package trace

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLadder(t *testing.T) {
	rows := Rows(Pair(im().records))
	for name, opts := range map[string]LadderOptions{
		"im.ladder":        {},
		"im-times.ladder":  {Times: true},
		"im-narrow.ladder": {Width: 72},
		"im-bob.ladder":    {Participants: []string{"bob-pc", "server-b", "server-a", "alice-pc", "nobody"}},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := NewLadder(&b, opts).Draw(rows...); err != nil {
				t.Fatal(err)
			}
			golden(t, name, NewRenamer().Rename(b.String()))
			for line := range strings.Lines(b.String()) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); opts.Width > 0 && n > opts.Width && !strings.Contains(line, "(not ") {
					t.Errorf("%d columns, want at most %d: %s", n, opts.Width, line)
				}
			}
		})
	}
}

func TestLadderGrows(t *testing.T) {
	var b strings.Builder
	l := NewLadder(&b, LadderOptions{Gap: 20})
	for _, row := range []Row{
		{From: "alice-pc", To: "server-a", Label: "PUBLISH"},
		{From: "server-a", To: "alice-pc", Label: "200 OK (PUBLISH)", Status: 200},
		{From: "server-a", To: "127.0.0.1:40000", Label: "NOTIFY with a very long explanation"},
		{From: "server-a", To: "server-a", Label: "OPTIONS"},
		{From: "127.0.0.1:40000", To: "127.0.0.1:40000", Label: "loop\x1b[31m\n"},
	} {
		if err := l.Draw(row); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "grows.ladder", b.String())
}

func TestColorsAddNothingElse(t *testing.T) {
	rows := Rows(Pair(im().records))
	var plain, colored strings.Builder
	if err := NewLadder(&plain, LadderOptions{}).Draw(rows...); err != nil {
		t.Fatal(err)
	}
	if err := NewLadder(&colored, LadderOptions{Color: true}).Draw(rows...); err != nil {
		t.Fatal(err)
	}
	stripped := colored.String()
	for _, seq := range []string{ansiReset, ansiRed, ansiGreen, ansiYellow, ansiMagenta, ansiCyan} {
		stripped = strings.ReplaceAll(stripped, seq, "")
	}
	if stripped != plain.String() {
		t.Errorf("without colours:\n%s\nwant:\n%s", stripped, plain.String())
	}
	for want, color := range map[string]string{" SUBSCRIBE": ansiCyan, " 200 OK (INVITE)": ansiGreen, " 403 Forbidden (SUBSCRIBE)": ansiRed, " MSRP SEND": ansiMagenta} {
		if !strings.Contains(colored.String(), color+want) {
			t.Errorf("%q has not its colour", want)
		}
	}
}

func TestColumns(t *testing.T) {
	rows := []Row{{From: "bob-pc", To: "server-b"}, {From: "sipp", To: "server-x"}, {From: "server-a", To: "alice-pc"}, {From: "calendar", To: "server-a"}}
	got := strings.Join(columnsOf(nil, nil, rows), " ")
	if want := "calendar alice-pc server-a server-x server-b bob-pc sipp"; got != want {
		t.Errorf("columns %s, want %s", got, want)
	}
}
