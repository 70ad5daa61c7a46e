package trace

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"presfed/agents/plain"
)

// canvas is one line of text that is written to at columns.
type canvas []rune

func (c *canvas) put(x int, s string) {
	for len(*c) < x+utf8.RuneCountInString(s) {
		*c = append(*c, ' ')
	}
	for _, r := range s {
		if plain.Acts(r) { // a label may hold what a peer wrote
			r = '?'
		}
		(*c)[x] = r
		x++
	}
}

// paint colours the columns from..to of a line.
type paint struct {
	from, to int
	color    string // an ANSI sequence; empty: none
}

const (
	ansiReset   = "\x1b[0m"
	ansiRed     = "\x1b[31m"
	ansiGreen   = "\x1b[32m"
	ansiYellow  = "\x1b[33m"
	ansiMagenta = "\x1b[35m"
	ansiCyan    = "\x1b[36m"
)

// color is a row's: requests cyan, MSRP magenta, responses by their class.
func (l *Ladder) color(row Row) string {
	switch {
	case !l.opts.Color:
		return ""
	case row.Missing != "" || row.Status >= 400:
		return ansiRed
	case row.Protocol == MSRP:
		return ansiMagenta
	case row.Status == 0:
		return ansiCyan
	case row.Status >= 200 && row.Status < 300:
		return ansiGreen
	default:
		return ansiYellow
	}
}

// write puts out one line, behind the column of times where there is one.
func (l *Ladder) write(b *strings.Builder, c canvas, when string, p paint) {
	if l.opts.Times {
		fmt.Fprintf(b, "%*s ", timeWidth, when)
	}
	if p.color == "" {
		b.WriteString(strings.TrimRight(string(c), " "))
	} else {
		from, to := min(p.from, len(c)), min(p.to, len(c))
		b.WriteString(string(c[:from]))
		b.WriteString(p.color + string(c[from:to]) + ansiReset)
		b.WriteString(strings.TrimRight(string(c[to:]), " "))
	}
	b.WriteByte('\n')
}

// timeWidth is room for "+1234.567".
const timeWidth = 9

func offset(d time.Duration) string { return fmt.Sprintf("%+.3f", d.Seconds()) }

// cut shortens s to width columns.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	if width < 1 {
		return ""
	}
	return string([]rune(s)[:width-1]) + "~"
}
