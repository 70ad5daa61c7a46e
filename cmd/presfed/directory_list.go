package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"presfed/db"
	"presfed/routing"
)

type directoryListOptions struct {
	directoryOptions
	what string
}

func newDirectoryListCmd(con *console, run func(context.Context, directoryListOptions) error) *cobra.Command {
	opts := directoryListOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:       "list [servers|users]",
		Short:     "List the servers and the users",
		ValidArgs: []string{"servers", "users"},
		Args:      takes("[servers|users]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.what = args[0]
			}
			if opts.what != "" && opts.what != "servers" && opts.what != "users" {
				return usage(hintHelp(cmd), "%scannot list %q: want servers or users", place(cmd), opts.what)
			}
			return run(cmd.Context(), opts)
		},
	}
	opts.flags(cmd.Flags())
	return cmd
}

func runDirectoryList(ctx context.Context, opts directoryListOptions) error {
	return opts.read(ctx, func(v db.View) error {
		var lists []func(context.Context, db.View) error
		if opts.what != "users" {
			lists = append(lists, opts.listServers)
		}
		if opts.what != "servers" {
			lists = append(lists, opts.listUsers)
		}
		for _, list := range lists {
			if err := list(ctx, v); err != nil {
				return err
			}
		}
		return nil
	})
}

func (o directoryOptions) listServers(ctx context.Context, v db.View) error {
	servers, err := v.Servers(ctx)
	if err != nil {
		return err
	}
	t := o.con.columns("SERVER", "URI", "IDENTITY")
	for _, s := range servers {
		if err := o.con.result(newServerResult(s), func(io.Writer) error { return t.row(s.Name, s.URI, s.Identity) }); err != nil {
			return err
		}
	}
	return t.end()
}

func (o directoryOptions) listUsers(ctx context.Context, v db.View) error {
	users, err := v.Users(ctx)
	if err != nil {
		return err
	}
	list, err := v.Places(ctx)
	if err != nil {
		return err
	}
	rules, err := v.Policies(ctx)
	if err != nil {
		return err
	}
	lists, err := v.BuddyLists(ctx)
	if err != nil {
		return err
	}
	places := map[string]routing.Place{}
	for _, p := range list {
		places[p.AOR] = p.Place
	}
	policy := map[string][]db.Rule{}
	for _, r := range rules {
		policy[r.Presentity] = append(policy[r.Presentity], r)
	}
	buddies := map[string][]string{}
	for _, l := range lists {
		buddies[l.Owner] = l.Buddies
	}
	t := o.con.columns("USER", "DISPLAY", "SERVED")
	for _, u := range users {
		p := places[u.AOR]
		if err := o.con.result(newUserResult(u, p, policy[u.AOR], buddies[u.AOR]),
			func(io.Writer) error { return t.row(u.AOR, u.Display, p.String()) }); err != nil {
			return err
		}
	}
	return t.end()
}

type directoryShowOptions struct {
	directoryOptions
	name string
}

func newDirectoryShowCmd(con *console, run func(context.Context, directoryShowOptions) error) *cobra.Command {
	opts := directoryShowOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "show [USER|SERVER]",
		Short: "Show a user or a server with all that is known, or the domain",
		Args:  takes("[USER|SERVER]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.name = args[0]
			}
			return run(cmd.Context(), opts)
		},
	}
	opts.flags(cmd.Flags())
	return cmd
}

func runDirectoryShow(ctx context.Context, opts directoryShowOptions) error {
	return opts.read(ctx, func(v db.View) error {
		if opts.name == "" {
			return opts.printDomain(ctx, v)
		}
		if _, err := v.Server(ctx, opts.name); !errors.Is(err, db.ErrNotFound) {
			return errors.Join(err, opts.printServer(ctx, v, opts.name))
		}
		aor, err := directoryUser(ctx, v, opts.name)
		if err != nil {
			return err
		}
		err = opts.printUser(ctx, v, aor)
		if errors.Is(err, db.ErrNotFound) && !strings.Contains(opts.name, "@") {
			return &db.NotFoundError{What: "user or server", Name: opts.name}
		}
		return err
	})
}

// columns is a table for people; with --json nothing of it is printed.
type columns struct {
	w     *tabwriter.Writer
	heads []string
}

func (c *console) columns(heads ...string) *columns {
	return &columns{w: tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0), heads: heads}
}

func (c *columns) row(cells ...string) error {
	if c.heads != nil {
		cells, c.heads = append([]string{strings.Join(c.heads, "\t") + "\n" + cells[0]}, cells[1:]...), nil
	}
	_, err := io.WriteString(c.w, strings.Join(cells, "\t")+"\n")
	return err
}

func (c *columns) end() error { return c.w.Flush() }
