package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"presfed/agents/client"
)

type registerOptions struct {
	con     *console
	device  deviceOptions
	expires time.Duration
}

func newRegisterCmd(con *console, run func(context.Context, registerOptions) error) *cobra.Command {
	opts := registerOptions{con: con}
	cmd := &cobra.Command{
		Use:   "register",
		Short: "Register a device at a SIP server, ours or not",
		Long: `Sends a REGISTER, answers challenges, and prints what the registrar granted.
With --expires 0s the binding is removed.`,
		Example: "  presfed register --user alice@example.com --server tcp:127.0.0.1:5060",
		Args:    takes(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	opts.device.messageFlags(cmd)
	cmd.Flags().DurationVar(&opts.expires, "expires", time.Hour, "how long the binding is to last")
	return cmd
}

func runRegister(ctx context.Context, opts registerOptions) error {
	return withDevice(ctx, opts.con, opts.device, printEvents(opts.con), func(ctx context.Context, c *client.Client) error {
		_, err := c.Register(ctx, opts.expires)
		return err
	})
}
