package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"presfed/db"
)

type directoryServerOptions struct {
	directoryOptions
	server  db.Server // what is empty was not given
	removed []string  // aliases that go
}

func newDirectoryServerAddCmd(con *console, run func(context.Context, directoryServerOptions) error) *cobra.Command {
	opts := directoryServerOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "add NAME URI",
		Short: "Add a server",
		Long: `Adds a server. URI is where it is reached: sip:host, with :port and
;transport=udp, tcp or tls (the default) where needed.

  presfed directory server add server-b 'sip:127.0.0.12' --identity serverb.example.com`,
		Args: takes("NAME", "URI"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.server.Name, opts.server.URI = args[0], args[1]
			return run(cmd.Context(), opts)
		},
	}
	opts.serverFlags(cmd)
	return cmd
}

func newDirectoryServerSetCmd(con *console, run func(context.Context, directoryServerOptions) error) *cobra.Command {
	opts := directoryServerOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Change a server; what is not named stays",
		Args:  takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.server.Name = args[0]
			return run(cmd.Context(), opts)
		},
	}
	opts.serverFlags(cmd)
	cmd.Flags().StringVar(&opts.server.URI, "uri", "", "`URI` it is reached at")
	cmd.Flags().StringSliceVar(&opts.removed, "remove-alias", nil, "`host` that does not count as its own any more")
	return cmd
}

func (o *directoryServerOptions) serverFlags(cmd *cobra.Command) {
	o.flags(cmd.Flags())
	cmd.Flags().StringVar(&o.server.Identity, "identity", "", "`host` name that its certificate says (default: the URI's)")
	cmd.Flags().StringSliceVar(&o.server.Aliases, "alias", nil, "further `host` or host:port that counts as its own; several times")
}

func newDirectoryServerRemoveCmd(con *console, run func(context.Context, directoryServerOptions) error) *cobra.Command {
	opts := directoryServerOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a server that serves nobody",
		Args:  takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.server.Name = args[0]
			return run(cmd.Context(), opts)
		},
	}
	opts.flags(cmd.Flags())
	return cmd
}

func runDirectoryServerAdd(ctx context.Context, opts directoryServerOptions) error {
	return opts.change(ctx, func(t *db.Tx) (shown, error) {
		if err := t.AddServer(opts.server); err != nil {
			return nil, err
		}
		return func(v db.View) error { return opts.printServer(ctx, v, opts.server.Name) }, nil
	})
}

func runDirectoryServerSet(ctx context.Context, opts directoryServerOptions) error {
	return opts.change(ctx, func(t *db.Tx) (shown, error) {
		s, err := t.Server(ctx, opts.server.Name)
		if err != nil {
			return nil, err
		}
		if opts.server.URI != "" {
			s.URI, s.Transport = opts.server.URI, ""
		}
		if opts.server.Identity != "" {
			s.Identity = opts.server.Identity
		}
		for _, a := range opts.removed {
			i := slices.Index(s.Aliases, a)
			if i < 0 {
				return nil, &db.NotFoundError{What: "alias of server " + s.Name, Name: a}
			}
			s.Aliases = slices.Delete(s.Aliases, i, i+1)
		}
		s.Aliases = append(s.Aliases, opts.server.Aliases...)
		if err := t.SetServer(s); err != nil {
			return nil, err
		}
		return func(v db.View) error { return opts.printServer(ctx, v, s.Name) }, nil
	})
}

func runDirectoryServerRemove(ctx context.Context, opts directoryServerOptions) error {
	if err := opts.change(ctx, func(t *db.Tx) (shown, error) { return nil, t.RemoveServer(opts.server.Name) }); err != nil {
		return err
	}
	return opts.directoryOptions.removed("server", opts.server.Name)
}

type serverResult struct {
	Type      string   `json:"type"`
	Name      string   `json:"name"`
	URI       string   `json:"uri"`
	Transport string   `json:"transport"`
	Identity  string   `json:"identity"`
	Aliases   []string `json:"aliases,omitempty"`
}

func newServerResult(s db.Server) serverResult {
	return serverResult{"server", s.Name, s.URI, s.Transport, s.Identity, s.Aliases}
}

func (o directoryOptions) printServer(ctx context.Context, v db.View, name string) error {
	s, err := v.Server(ctx, name)
	if err != nil {
		return err
	}
	return o.con.result(newServerResult(s), func(w io.Writer) error {
		var b strings.Builder
		textLine(&b, "server", s.Name)
		textLine(&b, "URI", s.URI)
		textLine(&b, "identity", s.Identity)
		textLine(&b, "aliases", strings.Join(s.Aliases, ", "))
		_, err := io.WriteString(w, b.String())
		return err
	})
}
