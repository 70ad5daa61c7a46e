package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"presfed/agents/client"
	"presfed/pidf"
)

type subscribeOptions struct {
	con     *console
	device  deviceOptions
	target  string // "": the user's own list
	list    bool
	event   string
	accept  string
	expires time.Duration
	count   int
	until   string
}

func newSubscribeCmd(con *console, run func(context.Context, subscribeOptions) error) *cobra.Command {
	opts := subscribeOptions{con: con}
	cmd := &cobra.Command{
		Use:   "subscribe {USER | --list [URI]}",
		Short: "Watch a user's presence through a SIP server, ours or not",
		Long: `Subscribes, prints every notification, and unsubscribes at the end: after
--count notifications, when one says what --until wants, or after --timeout. With
--expires 0s the state is fetched once.

With --list URI is a list of resources (RFC 4662) instead of a user; without one
it is the speaking user's own buddy list at her server. Each of its users is told
of by events as without a list, as they change, and the list itself by "buddies"
events.

With --event presence.winfo it is the speaking user herself who is told of her
watchers (RFC 3857): a "watcher" event for each that is new or has changed, and a
"watchers" event for the notification.

--until takes state=active, state=terminated, basic=open or basic=closed; if the
time is up before, the exit code is 1.`,
		Example: "  presfed subscribe bob --user alice@example.com --server tcp:127.0.0.1:5060 --until basic=closed --timeout 30s\n" +
			"  presfed subscribe --list --user alice@example.com --server tcp:127.0.0.1:5060",
		Args: func(cmd *cobra.Command, args []string) error {
			if opts.list {
				return takes("[URI]")(cmd, args)
			}
			return takes("USER")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.target = args[0]
			}
			if opts.until != "" && !slices.Contains([]string{"state=active", "state=pending", "state=terminated", "basic=open", "basic=closed"}, opts.until) {
				return usage("state=active, state=pending, state=terminated, basic=open, basic=closed", "--until %q says nothing to wait for", opts.until)
			}
			return run(cmd.Context(), opts)
		},
	}
	opts.device.messageFlags(cmd)
	cmd.Flags().BoolVar(&opts.list, "list", false, "watch a list of resources; no URI: the user's own buddy list")
	cmd.Flags().StringVar(&opts.event, "event", "presence", "event `package`")
	cmd.Flags().StringVar(&opts.accept, "accept", "", "content `types` accepted (default: those of presence, of a list or of watcher information)")
	cmd.Flags().DurationVar(&opts.expires, "expires", time.Hour, "how long the subscription is to last")
	cmd.Flags().IntVar(&opts.count, "count", 0, "stop after this many notifications (0: no limit)")
	cmd.Flags().StringVar(&opts.until, "until", "", "stop when a notification says `NAME=VALUE`")
	return cmd
}

func runSubscribe(ctx context.Context, opts subscribeOptions) error {
	events := make(chan client.Event, 4096) // a list may tell of many at once
	print := printEvents(opts.con)
	told := 0
	onEvent := func(e client.Event) {
		if e.Type == "buddies" {
			print(e)
			select {
			case events <- e:
			default:
			}
		}
		if e.Type == "watcher" {
			print(e)
		}
		if e.Type == "presence" || e.Type == "watchers" {
			if told++; opts.count > 0 && told > opts.count {
				return // such as the NOTIFY that ends the subscription
			}
			select {
			case events <- e:
			default: // nobody reads this fast; the newest is printed all the same
			}
			print(e)
		}
	}
	interrupted := ctx
	return withDevice(ctx, opts.con, opts.device, onEvent, func(ctx context.Context, c *client.Client) error {
		if opts.target == "" {
			opts.target = c.BuddyList()
		}
		sub, err := c.Subscribe(ctx, opts.target, client.SubscribeOptions{Event: opts.event, Accept: opts.accept, Expires: opts.expires, List: opts.list})
		if err != nil {
			return err
		}
		err = watch(ctx, opts, sub, events)
		if sub.State() != "terminated" && opts.expires > 0 {
			// The subscription ends properly even when we were interrupted.
			last, cancel := context.WithTimeout(context.WithoutCancel(interrupted), 2*time.Second)
			defer cancel()
			uerr := sub.Unsubscribe(last)
			if err == nil {
				err = uerr
			}
			if uerr == nil {
				select { // the NOTIFY that closes it
				case <-sub.Done():
				case <-last.Done():
				}
			}
		}
		return err
	})
}

// watch reads notifications until enough was seen.
func watch(ctx context.Context, opts subscribeOptions, sub *client.Subscription, events <-chan client.Event) error {
	for seen := 0; ; {
		select {
		case e := <-events:
			if e.Type == "presence" || e.Type == "watchers" {
				seen++
			}
			over := e.State == "terminated" && e.List == "" // one of a list is not all of it
			switch {
			case opts.until != "" && says(e, opts.until):
				return nil
			case opts.until == "" && opts.count > 0 && seen >= opts.count:
				return nil
			case over && opts.until == "":
				return nil
			case over:
				return fail(exitVerdict, fmt.Errorf("the subscription ended (%s) before %s", e.Reason, opts.until), "")
			}
		case <-ctx.Done():
			switch {
			case context.Cause(ctx) != context.DeadlineExceeded:
				return context.Cause(ctx)
			case opts.until != "":
				return fail(exitVerdict, fmt.Errorf("no notification said %s in time", opts.until), "")
			case opts.count > seen:
				return fail(exitVerdict, fmt.Errorf("%d of %d notifications came in time", seen, opts.count), "")
			}
			return nil
		}
	}
}

// says: the notification says what --until waits for. She is open if one of her
// tuples is.
func says(e client.Event, until string) bool {
	name, value, _ := strings.Cut(until, "=")
	if name == "state" {
		return e.State == value
	}
	doc, err := pidf.Parse([]byte(e.Body), pidf.DefaultLimits())
	if err != nil || e.Body == "" {
		return false
	}
	open := slices.ContainsFunc(doc.Tuples, func(t pidf.Tuple) bool { return t.Basic == pidf.Open })
	return open == (value == "open")
}
