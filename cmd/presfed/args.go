package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// takes checks positional arguments against their names as in the usage line:
// "NAME", "[NAME]" for one that may be left out, and a last "NAME..." or
// "[NAME...]" for any number.
func takes(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for i, name := range names {
			if i >= len(args) && !strings.HasPrefix(name, "[") {
				return usage(hintHelp(cmd), "%s%s is missing", place(cmd), strings.TrimSuffix(name, "..."))
			}
			if strings.HasSuffix(strings.TrimSuffix(name, "]"), "...") {
				return nil
			}
		}
		if len(args) > len(names) {
			return usage(hintHelp(cmd), "%sunexpected argument %q", place(cmd), args[len(names)])
		}
		return nil
	}
}

// group is a command that only holds others.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, RunE: unknownCommand}
	cmd.AddCommand(children...)
	return cmd
}

// unknownCommand is where a group's command line ends that names none of its
// commands.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage(hintHelp(cmd), "%sa command is missing: %s", place(cmd), strings.Join(childNames(cmd), ", "))
	}
	hint := hintHelp(cmd)
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, ", ") + "?"
	}
	return usage(hint, "%sunknown command %q", place(cmd), args[0])
}

func childNames(cmd *cobra.Command) []string {
	var names []string
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() {
			names = append(names, child.Name())
		}
	}
	return names
}

func hintHelp(cmd *cobra.Command) string { return "see " + cmd.CommandPath() + " --help" }

// place is how an error begins: the command it is about, "certs issue: ".
func place(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return ""
	}
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ") + ": "
}
