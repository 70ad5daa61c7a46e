package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"presfed/agents/plain"
)

// console is where a command reads and writes: results to out, talk to talk.
type console struct {
	in      io.Reader
	out     io.Writer
	talk    io.Writer
	lookup  func(string) (string, bool) // the environment
	json    bool
	noColor bool
	config  string // a file of flags; empty: none
}

func newConsole(in io.Reader, out, talk io.Writer, lookup func(string) (string, bool)) *console {
	return &console{in: in, out: out, talk: talk, lookup: lookup}
}

// readGlobals finds --json before the flags are parsed, so that an error in
// them has its form too.
func (c *console) readGlobals(args []string) {
	if v, ok := c.lookup(envName("json")); ok {
		c.json, _ = strconv.ParseBool(v)
	}
	for _, arg := range args {
		switch value, given := strings.CutPrefix(arg, "--json="); {
		case arg == "--":
			return
		case arg == "--json":
			c.json = true
		case given:
			c.json, _ = strconv.ParseBool(value)
		}
	}
}

// result prints v as one JSON object on a line, or calls text.
func (c *console) result(v any, text func(io.Writer) error) error {
	if !c.json {
		return text(c.out)
	}
	enc := json.NewEncoder(plain.JSON(c.out))
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// color says whether what goes to out may be coloured.
func (c *console) color() bool {
	if v, ok := c.lookup("NO_COLOR"); c.noColor || ok && v != "" {
		return false
	}
	f, ok := c.out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (c *console) reportError(f *failure) {
	if c.json {
		_ = c.result(struct {
			Type    string `json:"type"`
			Code    int    `json:"code"`
			Message string `json:"message"`
			Hint    string `json:"hint,omitempty"`
		}{"error", f.code, f.Error(), f.hint}, nil)
		return
	}
	fmt.Fprintf(c.talk, "presfed: %s\n", plain.Lines(f.Error()))
	if f.hint != "" {
		fmt.Fprintf(c.talk, "  %s\n", strings.ReplaceAll(plain.Lines(f.hint), "\n", "\n  "))
	}
}
