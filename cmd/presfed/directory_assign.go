package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"presfed/db"
	"presfed/routing"
)

type directoryAssignOptions struct {
	directoryOptions
	user    string
	servers []string
	model   string
	root    string
	nowhere bool
}

func newDirectoryAssignCmd(con *console, run func(context.Context, directoryAssignOptions) error) *cobra.Command {
	opts := directoryAssignOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "assign USER [SERVER...]",
		Short: "Say which servers serve a user, by which model",
		Example: `  presfed directory assign bob server-b
  presfed directory assign alice server-a server-b --model hierarchical --root server-a
  presfed directory assign carol --nowhere`,
		Args: takes("USER", "[SERVER...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.user, opts.servers = args[0], args[1:]
			switch {
			case opts.nowhere && len(opts.servers) > 0:
				return usage(hintHelp(cmd), "%s--nowhere, and yet %s", place(cmd), opts.servers[0])
			case !opts.nowhere && len(opts.servers) == 0 && opts.model != string(routing.Exclusive):
				return usage("or --nowhere", "%sSERVER is missing", place(cmd))
			case opts.model == "" && len(opts.servers) > 1:
				return usage("for several servers at once: hierarchical or peer", "%s--model is missing", place(cmd))
			}
			if opts.model == "" {
				opts.model = string(routing.Partitioned)
			}
			return run(cmd.Context(), opts)
		},
	}
	f := cmd.Flags()
	opts.flags(f)
	f.StringVar(&opts.model, "model", "", "`model`: partitioned, exclusive, hierarchical, peer (default: partitioned, for one server)")
	f.StringVar(&opts.root, "root", "", "`server` that is the root of a hierarchical user")
	f.BoolVar(&opts.nowhere, "nowhere", false, "no server serves the user")
	return cmd
}

func runDirectoryAssign(ctx context.Context, opts directoryAssignOptions) error {
	return opts.place(ctx, opts.user, func(t *db.Tx, aor string) error {
		if opts.nowhere && opts.model != string(routing.Exclusive) {
			return t.Unassign(aor)
		}
		return t.Assign(aor, routing.Place{Model: routing.Model(opts.model), Servers: opts.servers, Root: opts.root})
	})
}

type directoryMoveOptions struct {
	directoryOptions
	user, to, from string
}

func newDirectoryMoveCmd(con *console, run func(context.Context, directoryMoveOptions) error) *cobra.Command {
	opts := directoryMoveOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "move USER SERVER",
		Short: "Move a user to another server",
		Long: `Moves a user to SERVER. Of a user whom several servers serve, --from says which
of them is left. Nothing changes if that server does not serve the user any more.`,
		Args: takes("USER", "SERVER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.user, opts.to = args[0], args[1]
			return run(cmd.Context(), opts)
		},
	}
	opts.flags(cmd.Flags())
	cmd.Flags().StringVar(&opts.from, "from", "", "`server` to leave")
	return cmd
}

func runDirectoryMove(ctx context.Context, opts directoryMoveOptions) error {
	return opts.place(ctx, opts.user, func(t *db.Tx, aor string) error { return t.Move(aor, opts.from, opts.to) })
}

// place changes a user's place, prints her, and warns of what cannot work about
// it: a change may take several steps, so it is made all the same.
func (o directoryOptions) place(ctx context.Context, user string, change func(t *db.Tx, aor string) error) error {
	return o.change(ctx, func(t *db.Tx) (shown, error) {
		aor, err := directoryUser(ctx, t.View, user)
		if err != nil {
			return nil, err
		}
		if err := change(t, aor); err != nil {
			return nil, err
		}
		return func(v db.View) error {
			found, err := v.Check(ctx)
			if err != nil {
				return err
			}
			for _, f := range found {
				if f.Subject == aor && f.Level == db.Wrong {
					fmt.Fprintf(o.con.talk, "presfed: warning: %s\n  %s\n", f.What, f.Change)
				}
			}
			return o.printUser(ctx, v, aor)
		}, nil
	})
}
