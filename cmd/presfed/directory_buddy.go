package main

import (
	"context"

	"github.com/spf13/cobra"

	"presfed/db"
)

type directoryBuddyOptions struct {
	directoryOptions
	owner   string
	buddies []string
	at      int
}

// newDirectoryBuddyCmd is what the three commands have in common.
func newDirectoryBuddyCmd(con *console, use, buddies, short string, run func(context.Context, directoryBuddyOptions) error) (*cobra.Command, *directoryBuddyOptions) {
	opts := &directoryBuddyOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   use + " USER " + buddies,
		Short: short,
		Args:  takes("USER", buddies),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.owner, opts.buddies = args[0], args[1:]
			return run(cmd.Context(), *opts)
		},
	}
	opts.flags(cmd.Flags())
	return cmd, opts
}

func newDirectoryBuddyAddCmd(con *console, run func(context.Context, directoryBuddyOptions) error) *cobra.Command {
	cmd, opts := newDirectoryBuddyCmd(con, "add", "BUDDY...", "Add buddies, at the end of the list", run)
	cmd.Flags().IntVar(&opts.at, "at", 0, "`position` of the first new one, counted from 1 (default: after the last)")
	return cmd
}

func newDirectoryBuddyRemoveCmd(con *console, run func(context.Context, directoryBuddyOptions) error) *cobra.Command {
	cmd, _ := newDirectoryBuddyCmd(con, "remove", "BUDDY...", "Remove buddies", run)
	return cmd
}

func newDirectoryBuddySetCmd(con *console, run func(context.Context, directoryBuddyOptions) error) *cobra.Command {
	cmd, _ := newDirectoryBuddyCmd(con, "set", "[BUDDY...]", "Make this the whole buddy list", run)
	return cmd
}

func runDirectoryBuddyAdd(ctx context.Context, opts directoryBuddyOptions) error {
	if opts.at < 0 {
		return usage("positions are counted from 1", "--at %d: want 1 or more", opts.at)
	}
	return opts.list(ctx, func(t *db.Tx, owner string) error {
		for i, b := range opts.buddies {
			at := opts.at - 1
			if at >= 0 {
				at += i
			}
			if err := t.AddBuddy(owner, b, at); err != nil {
				return err
			}
		}
		return nil
	})
}

func runDirectoryBuddyRemove(ctx context.Context, opts directoryBuddyOptions) error {
	return opts.list(ctx, func(t *db.Tx, owner string) error {
		for _, b := range opts.buddies {
			if err := t.RemoveBuddy(owner, b); err != nil {
				return err
			}
		}
		return nil
	})
}

func runDirectoryBuddySet(ctx context.Context, opts directoryBuddyOptions) error {
	return opts.list(ctx, func(t *db.Tx, owner string) error { return t.SetBuddies(owner, opts.buddies) })
}

func (o directoryBuddyOptions) list(ctx context.Context, change func(t *db.Tx, owner string) error) error {
	return o.change(ctx, func(t *db.Tx) (shown, error) {
		owner, err := directoryUser(ctx, t.View, o.owner)
		if err == nil {
			err = change(t, owner)
		}
		if err != nil {
			return nil, err
		}
		return func(v db.View) error { return o.printUser(ctx, v, owner) }, nil
	})
}
