package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"presfed/pidf"
)

// print writes the document, and below it what was asked for beside it.
func (c composed) print(w io.Writer) error {
	var b strings.Builder
	b.WriteString(c.Document)
	for _, e := range c.Elements {
		e.print(&b)
	}
	for i, f := range c.Findings {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s:%d: in %s: %s\n  expected %s\n", f.where(), f.Line, f.Element, f.What, f.Expected)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (f fileFinding) where() string {
	if f.File == "" {
		return "the result"
	}
	return fileName(f.File)
}

// print is one element: what became of it, whose it is, and below it the rules.
func (e explained) print(b *strings.Builder) {
	became := "kept"
	if !e.Kept {
		became = "dropped"
	}
	fmt.Fprintf(b, "\n%s %s", became, e.Element)
	if e.ID != "" {
		fmt.Fprintf(b, " %s", printable(e.ID))
	}
	if e.Was != "" {
		fmt.Fprintf(b, " (published as %s)", printable(e.Was))
	}
	fmt.Fprintf(b, ", of %s", strings.Join(named(e.Files), " and "))
	if e.Publication != "" && !slices.Contains(e.Files, e.Publication) {
		fmt.Fprintf(b, ", publication %s", printable(e.Publication))
	}
	if e.Kind == pidf.KindCalendar {
		b.WriteString(", a calendar")
	}
	if !e.Received.IsZero() {
		fmt.Fprintf(b, ", at %s", e.Received.Format("2006-01-02T15:04:05.999Z07:00"))
	}
	b.WriteString("\n")
	for _, s := range e.Steps {
		fmt.Fprintf(b, "  %s: %s", s.Rule, s.Because)
		if s.By != "" {
			fmt.Fprintf(b, " [%s]", strings.TrimSpace(printable(s.ByID)+" of "+printable(fileName(s.By))))
		}
		b.WriteString("\n")
	}
}

func named(files []string) []string {
	var names []string
	for _, f := range files {
		names = append(names, printable(fileName(f)))
	}
	return names
}
