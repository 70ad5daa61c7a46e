package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"presfed/agents/client"
)

type sendIMOptions struct {
	con         *console
	device      deviceOptions
	target      string
	text        string
	contentType string
}

func newSendIMCmd(con *console, run func(context.Context, sendIMOptions) error) *cobra.Command {
	opts := sendIMOptions{con: con}
	cmd := &cobra.Command{
		Use:   "send-im USER [TEXT...]",
		Short: "Send an instant message through a SIP server, ours or not",
		Long: `Sends TEXT, or standard input where there is none, as one MESSAGE request
(RFC 3428) and waits for its final response.`,
		Example: "  presfed send-im bob 'Are you there?' --user alice@example.com --server tcp:127.0.0.1:5060",
		Args:    takes("USER", "[TEXT...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.target, opts.text = args[0], strings.Join(args[1:], " ")
			return run(cmd.Context(), opts)
		},
	}
	opts.device.flags(cmd)
	cmd.Flags().StringVar(&opts.contentType, "content-type", "text/plain", "content `type` of the message")
	return cmd
}

func runSendIM(ctx context.Context, opts sendIMOptions) error {
	body := []byte(opts.text)
	if len(body) == 0 {
		var err error
		if body, err = io.ReadAll(io.LimitReader(opts.con.in, 64<<10)); err != nil {
			return err
		}
	}
	return withDevice(ctx, opts.con, opts.device, printEvents(opts.con), func(ctx context.Context, c *client.Client) error {
		return c.Page(ctx, opts.target, opts.contentType, body)
	})
}
