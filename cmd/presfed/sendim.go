package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"presfed/agents/client"
)

type sendIMOptions struct {
	con         *console
	device      deviceOptions
	target      string
	text        string
	contentType string
	page        bool
	chat        bool
}

func newSendIMCmd(con *console, run func(context.Context, sendIMOptions) error) *cobra.Command {
	opts := sendIMOptions{con: con}
	cmd := &cobra.Command{
		Use:   "send-im USER [TEXT...]",
		Short: "Send an instant message through a SIP server, ours or not",
		Long: `Sends TEXT, or standard input where there is none, in an MSRP session (RFC
4975): INVITE, SEND in chunks, and BYE when all of it has arrived. Devices that
can, show it by an early session (RFC 3959) before one of them is answered, if it is
text of at most 64 KiB; when nobody answers within --timeout, the exit code is 4 all the same. With --page it
goes as one MESSAGE request (RFC 3428), at most 64 KiB. What is long needs a
longer --timeout.

With -i the session stays: each line of standard input is a message, what comes
is printed, and /bye, the end of the input or an interrupt ends it.`,
		Example: "  presfed send-im bob 'Are you there?' --user alice@example.com --server tcp:127.0.0.1:5060",
		Args:    takes("USER", "[TEXT...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.target, opts.text = args[0], strings.Join(args[1:], " ")
			return run(cmd.Context(), opts)
		},
	}
	opts.device.messageFlags(cmd)
	opts.device.sessionFlags(cmd)
	cmd.Flags().BoolVar(&opts.page, "page", false, "one MESSAGE request instead of a session")
	cmd.Flags().BoolVarP(&opts.chat, "interactive", "i", false, "chat: a message a line, until /bye")
	cmd.MarkFlagsMutuallyExclusive("page", "interactive")
	cmd.Flags().StringVar(&opts.contentType, "content-type", "text/plain", "content `type` of the message or of standard input")
	cmd.MarkFlagsMutuallyExclusive("content-type", "interactive") // lines are text
	return cmd
}

// maxPage bounds a MESSAGE, in bytes.
const maxPage = 64 << 10

func runSendIM(ctx context.Context, opts sendIMOptions) error {
	if opts.page {
		body := []byte(opts.text)
		if len(body) == 0 {
			var err error
			if body, err = io.ReadAll(io.LimitReader(opts.con.in, maxPage+1)); err != nil {
				return err
			}
		}
		if len(body) > maxPage {
			return usage("without --page it goes by a session, however long it is", "--page: longer than %d bytes", maxPage)
		}
		return withDevice(ctx, opts.con, opts.device, printEvents(opts.con), func(ctx context.Context, c *client.Client) error {
			return c.Page(ctx, opts.target, opts.contentType, body)
		})
	}
	first, body, err := opts.first()
	if err != nil {
		return err
	}
	outer := ctx
	return withDevice(ctx, opts.con, opts.device, printEvents(opts.con), func(ctx context.Context, c *client.Client) error {
		session, err := c.IM(ctx, opts.target, first)
		if err != nil {
			return err
		}
		if err := session.Answered(ctx); err != nil {
			return errors.Join(err, session.Close(context.WithoutCancel(ctx)))
		}
		if opts.chat { // it lasts longer than any answer may take
			return chat(outer, opts, session)
		}
		if first == "" { // chunk by chunk, however much comes
			if err := session.SendBody(ctx, opts.contentType, body); err != nil {
				return errors.Join(err, session.Close(context.WithoutCancel(ctx)))
			}
		}
		return session.Close(ctx)
	})
}

// maxFirst bounds what is read before the call so that it can be shown early, in
// bytes.
const maxFirst = 64 << 10

// first is what a session begins with, "" for nothing, and where else what is to
// be sent comes from. Text of standard input is a first message as well if it is
// not long.
func (opts sendIMOptions) first() (text string, rest io.Reader, err error) {
	switch {
	case opts.contentType != "text/plain" && opts.text != "": // not what a session begins with
		return "", strings.NewReader(opts.text), nil
	case opts.contentType != "text/plain" || opts.text != "" || opts.chat || opts.device.dryRun:
		return opts.text, opts.con.in, nil
	}
	read, err := io.ReadAll(io.LimitReader(opts.con.in, maxFirst+1))
	if err != nil {
		return "", nil, err
	}
	if len(read) > maxFirst || !utf8.Valid(read) {
		return "", io.MultiReader(bytes.NewReader(read), opts.con.in), nil
	}
	return string(read), strings.NewReader(""), nil
}
