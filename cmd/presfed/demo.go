package main

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func newDemoCmd(con *console, run func(context.Context, flowOptions) error) *cobra.Command {
	opts := flowOptions{con: con}
	cmd := &cobra.Command{
		Use:   "demo [FLOW...]",
		Short: "Run the draft's flows on a throw-away bed and draw each ladder",
		Long: `Builds a throw-away bed for each model (certificate authority, certificates,
SQLite directory, server-a, server-b, the devices), runs the draft's call flows on
real sockets, draws each ladder, and prints what held. Exit code 0: all of them.

With --keep a capture, the TLS key log, a report (what flow run --json prints),
and for each model a folder with the directory, the certificates, the servers'
states and logs stay in a folder.`,
		Args: takes("[FLOW...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.flows = args
			if opts.keep != "" {
				if err := os.MkdirAll(opts.keep, 0o755); err != nil {
					return err
				}
				if opts.pcap == "" {
					opts.pcap = filepath.Join(opts.keep, "demo.pcapng")
				}
			}
			return run(cmd.Context(), opts)
		},
	}
	opts.flags(cmd)
	cmd.Flags().StringVar(&opts.keep, "keep", "", "leave everything behind in this `folder`")
	return cmd
}

func parseSubnet(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, usage("a network such as 127.7.0.0/24", "--subnet %q is none", s)
	}
	return p, nil
}
