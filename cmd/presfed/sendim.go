package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"
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
	file        string
	page        bool
	expires     time.Duration
	chat        bool
	envelope    envelopeOptions
	told        chan client.Event // notices; nil: nobody waits for any
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

With --notify it asks to be told when it is delivered or displayed (RFC 5438), and
waits for that: exit code 4 if it does not come within --timeout, 1 if it says that
it came to nothing. A notice may come as a MESSAGE to the user, so the device is
registered meanwhile. This and --subject need an envelope, message/cpim (RFC 3862);
in a session it goes when the call is answered, to a peer that takes such.

With --file a file is offered in a session of its own (RFC 5547), with its name,
size, date and hashes, and sent if a device takes it; --timeout is how long its
answer may take. What comes back when all of it has arrived and is on the disk
there, is exit code 0; a refusal is 3, a connection that is lost 4.

With -i the session stays: each line of standard input is a message, what comes
is printed, and /bye, the end of the input or an interrupt ends it. That the other
end composes a message is printed (RFC 3994); that you do is not told: a line is
seen only when it is complete. An agent has the command composing for that.`,
		Example: "  presfed send-im bob 'Are you there?' --user alice@example.com --server tcp:127.0.0.1:5060",
		Args:    takes("USER", "[TEXT...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.target, opts.text = args[0], strings.Join(args[1:], " ")
			if opts.file != "" && !cmd.Flags().Changed("content-type") {
				opts.contentType = "" // its name says
			}
			return run(cmd.Context(), opts)
		},
	}
	opts.device.messageFlags(cmd)
	opts.device.sessionFlags(cmd)
	cmd.Flags().BoolVar(&opts.page, "page", false, "one MESSAGE request instead of a session")
	cmd.Flags().BoolVarP(&opts.chat, "interactive", "i", false, "chat: a message a line, until /bye")
	cmd.Flags().StringVar(&opts.file, "file", "", "send this `file` (RFC 5547)")
	cmd.MarkFlagsMutuallyExclusive("page", "interactive", "file")
	cmd.Flags().DurationVar(&opts.expires, "expires", 0, "how long a --page is worth showing (default: as long as it takes)")
	opts.envelope.flags(cmd)
	for _, flag := range []string{"cpim", "subject", "notify"} {
		cmd.MarkFlagsMutuallyExclusive("file", flag) // whatever a file is, it goes as it is
	}
	cmd.Flags().StringVar(&opts.contentType, "content-type", "text/plain", "content `type` of the message, of standard input or of the file")
	cmd.MarkFlagsMutuallyExclusive("content-type", "interactive") // lines are text
	return cmd
}

// maxPage bounds a MESSAGE, in bytes.
const maxPage = 64 << 10

func runSendIM(ctx context.Context, opts sendIMOptions) error {
	if opts.file != "" {
		return sendFile(ctx, opts)
	}
	envelope, err := opts.envelope.envelope()
	switch {
	case err != nil:
		return err
	case opts.expires != 0 && (!opts.page || opts.expires < time.Second):
		return usage("as in --page --expires 1m", "--expires is for --page, and at least a second")
	case len(envelope.Notify) > 0 && !opts.device.dryRun:
		opts.told = make(chan client.Event, maxTold)
		opts.device.capabilities = `;+sip.message;methods="MESSAGE"` // and nothing else that is for the user
	}
	if opts.page {
		return sendPage(ctx, opts, envelope)
	}
	var wrapped []byte
	if envelope.Needed() && !opts.chat && !opts.device.dryRun {
		if wrapped, err = opts.whole("an envelope", "without one"); err != nil {
			return err
		}
	}
	first, body, err := opts.first(envelope)
	if err != nil {
		return err
	}
	outer := ctx
	return withDevice(ctx, opts.con, opts.device, opts.events(), opts.listening(func(ctx context.Context, c *client.Client) error {
		session, err := c.IM(ctx, opts.target, first)
		if err != nil {
			return err
		}
		if err := session.Answered(ctx); err != nil {
			return errors.Join(err, session.Close(context.WithoutCancel(ctx)))
		}
		var id string
		switch {
		case opts.chat: // it lasts longer than any answer may take
			return chat(outer, opts, envelope, session)
		case envelope.Needed():
			id, err = session.SendWrapped(ctx, opts.contentType, wrapped, envelope)
		case first == "": // chunk by chunk, however much comes
			err = session.SendBody(ctx, opts.contentType, body)
		}
		if err == nil {
			err = opts.await(ctx, id, envelope)
		}
		return errors.Join(err, session.Close(context.WithoutCancel(ctx)))
	}))
}

// sendPage sends one MESSAGE.
func sendPage(ctx context.Context, opts sendIMOptions, envelope client.Envelope) error {
	body, err := opts.whole("--page", "without --page")
	if err != nil {
		return err
	}
	return withDevice(ctx, opts.con, opts.device, opts.events(), opts.listening(func(ctx context.Context, c *client.Client) error {
		id, err := c.PageWith(ctx, opts.target, opts.contentType, body, client.PageOptions{Envelope: envelope, Expires: opts.expires})
		if err != nil {
			return err
		}
		return opts.await(ctx, id, envelope)
	}))
}

// whole is the text, or all of standard input.
func (opts sendIMOptions) whole(what, without string) ([]byte, error) {
	body := []byte(opts.text)
	if len(body) == 0 {
		var err error
		if body, err = io.ReadAll(io.LimitReader(opts.con.in, maxPage+1)); err != nil {
			return nil, err
		}
	}
	if len(body) > maxPage {
		return nil, usage(without+" it goes by a session, however long it is", "%s: longer than %d bytes", what, maxPage)
	}
	return body, nil
}

// maxFirst bounds what is read before the call so that it can be shown early, in
// bytes.
const maxFirst = 64 << 10

// first is what a session begins with, "" for nothing, and where else what is to
// be sent comes from. Text of standard input is a first message as well if it is
// not long.
func (opts sendIMOptions) first(envelope client.Envelope) (text string, rest io.Reader, err error) {
	switch {
	case envelope.Needed(): // whether the peer takes one is known when it has answered
		return "", nil, nil
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
