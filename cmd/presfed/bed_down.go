package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"presfed/agents/bed"
)

type bedDownOptions struct {
	con     *console
	dir     string
	timeout time.Duration
}

func newBedDownCmd(con *console, run func(context.Context, bedDownOptions) error) *cobra.Command {
	opts := bedDownOptions{con: con}
	cmd := &cobra.Command{
		Use:   "down",
		Short: "End a bed that is up, devices first",
		Args:  takes(),
		RunE:  func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	cmd.Flags().StringVar(&opts.dir, "dir", bedFolder, "the bed's `folder`")
	cmd.Flags().DurationVar(&opts.timeout, "timeout", 15*time.Second, "what has not ended by then is killed")
	return cmd
}

func runBedDown(ctx context.Context, opts bedDownOptions) error {
	limited, cancel := context.WithTimeout(ctx, opts.timeout)
	defer cancel()
	roles, err := bed.Down(limited, opts.dir)
	if errors.Is(err, bed.ErrNotUp) {
		return fail(exitUsage, err, "presfed bed up starts one; --dir names its folder")
	}
	for _, r := range roles {
		if perr := opts.con.result(struct {
			Type string `json:"type"`
			Name string `json:"name"`
			PID  int    `json:"pid"`
		}{"ended", r.Name, r.PID}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "ended %s (process %d)\n", r.Name, r.PID)
			return err
		}); perr != nil {
			return perr
		}
	}
	if err != nil {
		return fail(exitVerdict, err, "what was killed may have left users registered until they expire")
	}
	return nil
}
