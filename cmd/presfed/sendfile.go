package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"presfed/agents/client"
)

// sendFile is send-im --file.
func sendFile(ctx context.Context, opts sendIMOptions) error {
	if opts.text != "" {
		return usage("send the text by itself, or without --file", "--file, and a text as well")
	}
	opts.device.unlimited = true // once it is answered: MSRP has limits of its own
	return withDevice(ctx, opts.con, opts.device, printEvents(opts.con), func(ctx context.Context, c *client.Client) error {
		shown := newProgress(opts.con)
		defer shown.end()
		return c.SendFile(ctx, opts.target, opts.file, client.FileOptions{ContentType: opts.contentType, Timeout: opts.device.timeout, Progress: shown.at})
	})
}

// progress shows how far a file has come: a bar on a terminal, with --json an
// object now and then, else nothing.
type progress struct {
	con      *console
	terminal bool
	begun    time.Time
	next     time.Time // when it is shown again
	drawn    bool
}

func newProgress(con *console) *progress {
	f, ok := con.talk.(*os.File)
	return &progress{con: con, terminal: ok && !con.json && term.IsTerminal(int(f.Fd()))}
}

// at is called as often as it pleases the sender.
func (p *progress) at(sent, size int64) {
	now := time.Now()
	if p.begun.IsZero() {
		p.begun = now
	}
	if now.Before(p.next) && sent < size {
		return
	}
	switch {
	case p.con.json:
		p.next = now.Add(time.Second)
		_ = p.con.result(struct {
			Type string `json:"type"`
			Sent int64  `json:"sent"`
			Size int64  `json:"size"`
		}{"progress", sent, size}, nil)
	case p.terminal:
		p.next, p.drawn = now.Add(100*time.Millisecond), true
		drawBar(p.con.talk, sent, size, now.Sub(p.begun))
	}
}

func (p *progress) end() {
	if p.drawn {
		fmt.Fprint(p.con.talk, "\r\x1b[K")
	}
}

const barWidth = 30

// drawBar draws over the line that it drew before.
func drawBar(w io.Writer, sent, size int64, since time.Duration) {
	full := int(barWidth * sent / max(size, 1))
	rate := ""
	if s := since.Seconds(); s > 0.5 {
		rate = fmt.Sprintf(", %s/s", humanSize(int64(float64(sent)/s)))
	}
	fmt.Fprintf(w, "\r[%s%s] %3d%% of %s%s\x1b[K", strings.Repeat("#", full), strings.Repeat(" ", barWidth-full), 100*sent/max(size, 1), humanSize(size), rate)
}

// humanSize is a number of bytes as people write it.
func humanSize(n int64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if n < 10_000 || unit == "GB" {
			return fmt.Sprintf("%d %s", n, unit)
		}
		n /= 1000
	}
	return ""
}
