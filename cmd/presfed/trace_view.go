package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"presfed/agents/plain"
	"presfed/agents/trace"
)

// traceView prints messages as they come: ladder, JSON lines or the messages
// themselves, and beside it a capture.
type traceView struct {
	con      *console
	selector *trace.Selector
	raw      bool
	silent   bool // standard output is the capture's
	ladder   *trace.Ladder
	capture  *trace.Pcapng
	file     io.Closer
}

func newTraceView(opts traceOptions) (*traceView, error) {
	v := &traceView{con: opts.con, selector: trace.NewSelector(opts.filter), raw: opts.raw}
	ladder := trace.LadderOptions{Participants: opts.columns, Times: opts.times, Color: opts.con.color()}
	if opts.follow {
		ladder.Gap = 28 // what is still to come must fit, too
	}
	if f, ok := opts.con.out.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			ladder.Width = width
		}
	}
	v.ladder = trace.NewLadder(opts.con.out, ladder)
	if opts.pcap == "" {
		return v, nil
	}
	out := opts.con.out
	if opts.pcap == trace.Stdin {
		v.silent = true
	} else {
		f, err := os.Create(opts.pcap)
		if err != nil {
			return nil, err
		}
		out, v.file = f, f
	}
	var err error
	if v.capture, err = trace.NewPcapng(out); err != nil {
		return nil, errors.Join(err, v.close())
	}
	return v, nil
}

func (v *traceView) close() error {
	if v.file == nil {
		return nil
	}
	return v.file.Close()
}

func (v *traceView) show(messages []trace.Message, lost uint64) error {
	messages = v.selector.Select(messages)
	if v.capture != nil {
		if err := v.capture.Write(messages); err != nil {
			return err
		}
	}
	if lost > 0 {
		if err := v.sayLost(lost); err != nil {
			return err
		}
	}
	switch {
	case v.silent:
		return nil
	case v.con.json:
		enc := json.NewEncoder(plain.JSON(v.con.out))
		enc.SetEscapeHTML(false)
		for i := range messages {
			if err := enc.Encode(messages[i].Line()); err != nil {
				return err
			}
		}
		return nil
	case v.raw:
		for i := range messages {
			if err := v.message(&messages[i]); err != nil {
				return err
			}
		}
		return nil
	default:
		return v.ladder.Draw(trace.Rows(messages)...)
	}
}

// sayLost says that the trace has holes: in it for scripts, beside it for
// people.
func (v *traceView) sayLost(lost uint64) error {
	if v.con.json && !v.silent {
		return v.con.result(struct {
			Type  string `json:"type"`
			Count uint64 `json:"count"`
		}{"lost", lost}, nil)
	}
	_, err := fmt.Fprintf(v.con.talk, "presfed: %d wire records came faster than they were kept; the trace has holes\n", lost)
	return err
}

// message prints one message with a line above it that says whose it is.
func (v *traceView) message(m *trace.Message) error {
	_, err := fmt.Fprintf(v.con.out, "--- %s  %s %s -> %s %s  %s\n%s\n", m.Time.Format(time.RFC3339Nano), m.From, m.Src, m.To, m.Dst, m.Transport, m.Printable())
	return err
}

// traceError gives an input that is wrong its exit code.
func traceError(err error) error {
	if err == nil {
		return nil
	}
	var line *trace.LineError
	var file *trace.FileError
	var socket *trace.SocketError
	switch {
	case errors.As(err, &line):
		return fail(exitUsage, err, "want JSON lines: wire records, or messages as presfed prints them with --json")
	case errors.As(err, &file):
		return fail(exitUsage, err, "")
	case errors.As(err, &socket) && errors.Is(err, context.DeadlineExceeded):
		return fail(exitTimeout, err, "the role does not answer on its control socket; --wait gives it more time")
	default:
		return err
	}
}
