package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

type completionOptions struct {
	con   *console
	shell string
	write map[string]func(io.Writer) error // by shell
}

const completionShells = "bash, zsh, fish or powershell"

func newCompletionCmd(con *console, run func(context.Context, completionOptions) error) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a completion script for " + completionShells,
		Long: `Prints a script that completes presfed's commands and flags, for
` + completionShells + `. For this bash only:

  source <(presfed completion bash)`,
		Args:      takes("SHELL"),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			return run(cmd.Context(), completionOptions{con: con, shell: strings.ToLower(args[0]), write: map[string]func(io.Writer) error{
				"bash":       func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
				"zsh":        root.GenZshCompletion,
				"fish":       func(w io.Writer) error { return root.GenFishCompletion(w, true) },
				"powershell": root.GenPowerShellCompletionWithDesc,
			}})
		},
	}
}

func runCompletion(_ context.Context, opts completionOptions) error {
	write, ok := opts.write[opts.shell]
	if !ok {
		return usage("", "completion: unknown shell %q, want %s", opts.shell, completionShells)
	}
	var script bytes.Buffer
	if err := write(&script); err != nil {
		return fmt.Errorf("completion for %s: %w", opts.shell, err)
	}
	return opts.con.result(struct {
		Type   string `json:"type"`
		Shell  string `json:"shell"`
		Script string `json:"script"`
	}{"completion", opts.shell, script.String()}, func(w io.Writer) error {
		_, err := script.WriteTo(w)
		return err
	})
}
