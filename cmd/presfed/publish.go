package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"presfed/agents/client"
)

type publishOptions struct {
	con         *console
	device      deviceOptions
	file        string
	event       string
	contentType string
	etag        string
	expires     time.Duration
}

func newPublishCmd(con *console, run func(context.Context, publishOptions) error) *cobra.Command {
	opts := publishOptions{con: con}
	cmd := &cobra.Command{
		Use:   "publish [FILE]",
		Short: "Publish presence at a SIP server, ours or not",
		Long: `Sends a PUBLISH with the document in FILE (- for standard input) and prints the
entity-tag to go on with. With --if-match and no FILE the publication is
refreshed, with --if-match and --expires 0s it is removed. Without --if-match each
call makes a publication of its own, beside those that have not expired.`,
		Example: "  presfed publish bob.xml --user bob@example.com --server tcp:127.0.0.1:5060",
		Args:    takes("[FILE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.file = args[0]
			}
			if opts.file == "" && opts.etag == "" {
				return usage("name a file, or - for standard input", "%sFILE is missing", place(cmd))
			}
			return run(cmd.Context(), opts)
		},
	}
	opts.device.messageFlags(cmd)
	cmd.Flags().StringVar(&opts.event, "event", "presence", "event `package`")
	cmd.Flags().StringVar(&opts.contentType, "content-type", "application/pidf+xml", "content `type` of FILE")
	cmd.Flags().StringVar(&opts.etag, "if-match", "", "entity-`tag` of the publication to go on with")
	cmd.Flags().DurationVar(&opts.expires, "expires", time.Hour, "how long the publication is to last")
	return cmd
}

func runPublish(ctx context.Context, opts publishOptions) error {
	var body []byte
	var err error
	switch opts.file {
	case "":
	case "-":
		body, err = io.ReadAll(io.LimitReader(opts.con.in, 1<<20))
	default:
		body, err = os.ReadFile(opts.file)
	}
	if err != nil {
		return err
	}
	return withDevice(ctx, opts.con, opts.device, printEvents(opts.con), func(ctx context.Context, c *client.Client) error {
		_, _, err := c.Publish(ctx, client.Publication{
			Event: opts.event, ETag: opts.etag, ContentType: opts.contentType, Body: body, Expires: opts.expires,
		})
		return err
	})
}
