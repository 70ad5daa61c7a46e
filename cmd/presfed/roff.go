package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newManPage writes a command's page in the man macros. It carries no date:
// the same program gives the same page.
func newManPage(cmd *cobra.Command) manPage {
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	cmd.InitDefaultHelpFlag()
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"presfed %s\" \"presfed\"\n", roffQuote(strings.ToUpper(name)), version)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roffText(name), roffText(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.nf\n%s\n.fi\n", roffText(cmd.UseLine()))
	long := cmd.Long
	if long == "" {
		long = cmd.Short + "."
	}
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s", roffParagraphs(long))
	if cmd.HasAvailableSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, child := range cmd.Commands() {
			if child.IsAvailableCommand() {
				fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roffText(child.Name()), roffText(child.Short))
			}
		}
	}
	roffFlags(&b, "OPTIONS", cmd.NonInheritedFlags())
	roffFlags(&b, "OPTIONS OF EVERY COMMAND", cmd.InheritedFlags())
	if cmd.HasParent() {
		parent := strings.ReplaceAll(cmd.Parent().CommandPath(), " ", "-")
		fmt.Fprintf(&b, ".SH SEE ALSO\n.BR %s (1)\n", roffText(parent))
	}
	return manPage{name: name, roff: b.String()}
}

func roffFlags(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden {
			return
		}
		value, text := pflag.UnquoteUsage(flag)
		spelled := "--" + flag.Name
		if flag.Shorthand != "" {
			spelled = "-" + flag.Shorthand + ", " + spelled
		}
		if value != "" {
			spelled += " " + value
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s", roffText(spelled), roffText(text))
		if d := flag.DefValue; d != "" && d != "false" && d != "[]" && d != "0" && d != "0s" {
			fmt.Fprintf(b, " (default %s)", roffText(d))
		}
		if flag.Name != "help" {
			fmt.Fprintf(b, "\n.br\nEnvironment: %s", flagEnv(flag))
		}
		b.WriteString("\n")
	})
}

// roffParagraphs keeps indented lines as they are and fills the others.
func roffParagraphs(text string) string {
	var b strings.Builder
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if strings.HasPrefix(paragraph, "  ") {
			fmt.Fprintf(&b, ".PP\n.nf\n%s\n.fi\n", roffText(paragraph))
			continue
		}
		fmt.Fprintf(&b, ".PP\n%s\n", roffText(paragraph))
	}
	return b.String()
}

// roffText escapes what roff would read: backslashes, hyphens, and a dot or
// quote that begins a line.
func roffText(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func roffQuote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
