package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"presfed/agents/client"
)

// TestSendFile: exit codes, and what is printed where there is no terminal.
func TestSendFile(t *testing.T) {
	dir, folder := t.TempDir(), t.TempDir()
	write := func(name string, size int) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, bytes.Repeat([]byte("0123456789abcdef"), size/16), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	small, large := write("notes.txt", 16_000), write("film.mp4", 64<<20)
	for name, c := range map[string]struct {
		args []string
		bob  func(*client.Config)
		meet string // what happens at bob's "session" event: gone, or interrupt
		code int
		says string
	}{
		"taken":               {args: []string{"--file", small}, says: `"type":"sent"`},
		"by TLS":              {args: []string{"--file", small, "--msrp-tls"}, says: `"type":"sent"`},
		"not taken":           {args: []string{"--file", small}, bob: func(c *client.Config) { c.AcceptFiles = "" }, code: exitRefused, says: "files are not taken here"},
		"too large":           {args: []string{"--file", large}, bob: func(c *client.Config) { c.MaxFile = 1 << 20 }, code: exitRefused, says: "1048576 are taken"},
		"lost":                {args: []string{"--file", large}, meet: "gone", code: exitTimeout},
		"interrupted":         {args: []string{"--file", large}, meet: "interrupt", code: exitInterrupted, says: "interrupted"},
		"no such file":        {args: []string{"--file", small + "x"}, code: exitUsage, says: "no such file"},
		"a folder":            {args: []string{"--file", dir}, code: exitUsage, says: "not a file with an end"},
		"a text as well":      {args: []string{"hello", "--file", small}, code: exitUsage, says: "a text as well"},
		"one of several ways": {args: []string{"--page", "--file", small}, code: exitUsage, says: "page"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			running, stop := context.WithCancel(context.Background())
			cfg := client.Config{Name: "bob-pc", User: "bob@example.com", Answer: client.AnswerAuto, AcceptFiles: folder, OnEvent: func(e client.Event) {
				switch {
				case e.Type != "session":
				case c.meet == "gone":
					stop()
				case c.meet == "interrupt":
					interrupt()
				}
			}}
			if c.bob != nil {
				c.bob(&cfg)
			}
			bob, err := client.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() { defer close(done); bob.Run(running) }()
			var out, talk strings.Builder
			con := newConsole(strings.NewReader(""), &out, &talk, func(string) (string, bool) { return "", false })
			code := execute(ctx, append([]string{"send-im", "bob", "--json", "--user", "alice@example.com", "--server", "tcp:" + bob.Addr("TCP").String()}, c.args...), con)
			stop()
			<-done
			if code != c.code || !strings.Contains(out.String(), c.says) || talk.Len() > 0 {
				t.Errorf("exit code %d, want %d\n%s%s", code, c.code, out.String(), talk.String())
			}
			last := struct{ Sent, Size int64 }{}
			for line := range strings.Lines(out.String()) {
				if strings.Contains(line, `"type":"progress"`) {
					if err := json.Unmarshal([]byte(line), &last); err != nil {
						t.Error(err)
					}
				}
			}
			if code == exitDone && (last.Sent != 16_000 || last.Size != 16_000) {
				t.Errorf("progress to %+v\n%s", last, out.String())
			}
			for _, left := range globbed(t, folder, ".*", "film*") {
				t.Errorf("%s is left", left)
			}
		})
	}
	if got := globbed(t, folder, "*"); len(got) != 2 {
		t.Errorf("%q", got)
	}
}

func globbed(t *testing.T, folder string, patterns ...string) (all []string) {
	t.Helper()
	for _, p := range patterns {
		found, err := filepath.Glob(filepath.Join(folder, p))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

func TestTheBar(t *testing.T) {
	var b strings.Builder
	drawBar(&b, 3<<20, 6<<20, 0)
	drawBar(&b, 0, 0, 0)
	if got := b.String(); !strings.HasPrefix(got, "\r[###############               ]  50% of 6291 kB\x1b[K\r[  ") {
		t.Errorf("%q", got)
	}
}

func TestSizes(t *testing.T) {
	for s, want := range map[string]int64{"1": 1, "10kB": 10_000, "2KiB": 2048, "1GiB": 1 << 30, "3 MB": 3_000_000, "": 0, "0": 0, "-1": 0, "1TB": 0, "x": 0, "9999999999GiB": 0, "1.5GB": 0} {
		if got, err := parseSize(s); got != want || (err != nil) != (want == 0) {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
}
