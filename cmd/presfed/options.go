package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"presfed/agents/client"
)

type optionsOptions struct {
	con    *console
	device deviceOptions
	target string
}

func newOptionsCmd(con *console, run func(context.Context, optionsOptions) error) *cobra.Command {
	opts := optionsOptions{con: con}
	cmd := &cobra.Command{
		Use:     "options [USER]",
		Short:   "Ask a SIP server, or a user's device, what it can do",
		Example: "  presfed options --user alice@example.com --server 127.0.0.1:5060",
		Args:    takes("[USER]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.target = args[0]
			}
			return run(cmd.Context(), opts)
		},
	}
	opts.device.messageFlags(cmd)
	return cmd
}

func runOptions(ctx context.Context, opts optionsOptions) error {
	return withDevice(ctx, opts.con, opts.device, nil, func(ctx context.Context, c *client.Client) error {
		a, err := c.Options(ctx, opts.target)
		if err != nil {
			return err
		}
		return opts.con.result(struct {
			Type        string   `json:"type"`
			Server      string   `json:"server,omitempty"`
			Allow       []string `json:"allow,omitempty"`
			Accept      []string `json:"accept,omitempty"`
			Supported   []string `json:"supported,omitempty"`
			AllowEvents []string `json:"allow_events,omitempty"`
		}{"options", a.Server, a.Allow, a.Accept, a.Supported, a.AllowEvents}, func(w io.Writer) error {
			for _, row := range []struct {
				name   string
				values []string
			}{{"Allow", a.Allow}, {"Accept", a.Accept}, {"Supported", a.Supported}, {"Allow-Events", a.AllowEvents}} {
				if len(row.values) == 0 {
					continue
				}
				if _, err := fmt.Fprintf(w, "%-13s %s\n", row.name, printable(strings.Join(row.values, ", "))); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
