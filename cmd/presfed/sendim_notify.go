package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"presfed/agents/client"
)

// envelopeOptions are for commands that send messages.
type envelopeOptions struct {
	cpim    bool
	subject string
	notify  []string
}

func (o *envelopeOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.cpim, "cpim", false, "send text in an envelope, message/cpim (RFC 3862)")
	f.StringVar(&o.subject, "subject", "", "`subject` of the envelope")
	f.StringSliceVar(&o.notify, "notify", nil, "`what` to be told of a message (RFC 5438): delivery, display, processing")
}

func (o *envelopeOptions) envelope() (v client.Envelope, err error) {
	v = client.Envelope{CPIM: o.cpim, Subject: o.subject}
	v.Notify, err = readNotices("notify", o.notify)
	return v, err
}

func readNotices(flag string, words []string) ([]client.Notice, error) {
	all, err := client.ParseNotices(words)
	if err != nil {
		return nil, usage("as in --"+flag+" delivery,display", "--%s: %v", flag, err)
	}
	return all, nil
}

// joined writes notices as they are read.
func joined(all []client.Notice) string {
	var words []string
	for _, n := range all {
		words = append(words, string(n))
	}
	return strings.Join(words, ",")
}

// maxTold bounds notices that wait to be looked at.
const maxTold = 64

// events prints what happens, and keeps notices for who waits.
func (opts sendIMOptions) events() func(client.Event) {
	show := printEvents(opts.con)
	return func(e client.Event) {
		show(e)
		if e.Type == "notice" {
			select {
			case opts.told <- e:
			default:
			}
		}
	}
}

// listening has f run with a device that is registered if it waits for notices.
func (opts sendIMOptions) listening(f func(context.Context, *client.Client) error) func(context.Context, *client.Client) error {
	if opts.told == nil {
		return f
	}
	return func(ctx context.Context, c *client.Client) error {
		if err := c.KeepRegistered(ctx, max(opts.device.timeout, time.Minute)); err != nil {
			return err
		}
		err := f(ctx, c)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		return errors.Join(err, c.Close(last))
	}
}

// await waits for what the message has asked for.
func (opts sendIMOptions) await(ctx context.Context, id string, v client.Envelope) (verdict error) {
	if opts.told == nil {
		return nil
	}
	wanted := slices.Clone(v.Notify)
	for len(wanted) > 0 {
		select {
		case e := <-opts.told:
			i := slices.Index(wanted, e.Notice)
			if e.MessageID != id || i < 0 {
				continue
			}
			wanted = slices.Delete(wanted, i, i+1)
			if slices.Contains([]string{"failed", "forbidden", "error"}, e.State) {
				verdict = fail(exitVerdict, fmt.Errorf("the notice of %s says %s", e.Notice, e.State), "")
			}
		case <-ctx.Done():
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return context.Cause(ctx)
			}
			return fail(exitTimeout, fmt.Errorf("no notice of %s within %s", joined(wanted), opts.device.timeout),
				"the recipient may not want to tell, or may not write back; --timeout waits longer")
		}
	}
	return verdict
}
