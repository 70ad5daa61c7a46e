package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"presfed/db"
)

type directoryCheckOptions struct{ directoryOptions }

func newDirectoryCheckCmd(con *console, run func(context.Context, directoryCheckOptions) error) *cobra.Command {
	opts := directoryCheckOptions{directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look for what cannot work, each with the command that mends it",
		Long: `Prints a finding for everything in the directory that cannot work: a user whom
no server serves, a root that does not serve its user, two servers with one
address or one identity, and the like. Exit code 1: there is at least one error;
warnings alone are 0.`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	opts.flags(cmd.Flags())
	return cmd
}

type findingResult struct {
	Type    string   `json:"type"`
	Level   db.Level `json:"level"`
	Rule    string   `json:"rule"`
	Subject string   `json:"subject"`
	What    string   `json:"what"`
	Change  string   `json:"change"`
}

type checkVerdict struct {
	Type     string `json:"type"`
	OK       bool   `json:"ok"`
	Errors   int    `json:"errors"`
	Warnings int    `json:"warnings"`
}

func runDirectoryCheck(ctx context.Context, opts directoryCheckOptions) error {
	return opts.read(ctx, func(v db.View) error {
		found, err := v.Check(ctx)
		if err != nil {
			return err
		}
		verdict := checkVerdict{Type: "verdict", OK: true}
		for _, f := range found {
			if f.Level == db.Wrong {
				verdict.Errors++
				verdict.OK = false
			} else {
				verdict.Warnings++
			}
			r := findingResult{"finding", f.Level, f.Rule, f.Subject, f.What, f.Change}
			if err := opts.con.result(r, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s: %s\n  %s\n", f.Level, f.What, f.Change)
				return err
			}); err != nil {
				return err
			}
		}
		if err := opts.con.result(verdict, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s, %s\n", count(verdict.Errors, "error"), count(verdict.Warnings, "warning"))
			return err
		}); err != nil {
			return err
		}
		if !verdict.OK {
			return fail(exitVerdict, fmt.Errorf("%s: %s", opts.path, count(verdict.Errors, "error")), "")
		}
		return nil
	})
}

// count is "1 error", "2 errors".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
