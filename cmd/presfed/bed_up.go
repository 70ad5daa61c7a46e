package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"presfed/agents/bed"
)

type bedUpOptions struct {
	con          *console
	file         string
	dir          string
	subnet       string
	ports        bool
	synchronised bool
	detach       bool
	timeout      time.Duration
}

func newBedUpCmd(con *console, run func(context.Context, bedUpOptions) error) *cobra.Command {
	opts := bedUpOptions{con: con, file: bedFile}
	cmd := &cobra.Command{
		Use:   "up [FILE]",
		Short: "Start the servers and devices of a topology",
		Long: `Builds what FILE (default: bed.yaml, see presfed bed init) describes, in a
folder: authority and certificates, directory, and each server and device as a
process of its own, with a control socket and a log in its run folder. Devices
register. When all are ready it prints who listens where, as comments, and the
environment for a shell, so that its output can be evaluated:

  eval "$(presfed bed up --detach)"
  presfed directory list users
  presfed trace bed/run --follow
  presfed bed down

Without --detach it stays until it is interrupted or presfed bed down ends it. A
bed that goes up again in its folder keeps its directory and what its servers
have acknowledged.`,
		Args: takes("[FILE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.file = args[0]
			}
			return run(cmd.Context(), opts)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opts.dir, "dir", bedFolder, "the bed's `folder`")
	f.StringVar(&opts.subnet, "subnet", "", "`net` for the participants' addresses (default: the topology's)")
	f.BoolVar(&opts.ports, "ports", false, "everybody on 127.0.0.1, told apart by port")
	f.BoolVar(&opts.synchronised, "synchronised", false, "the servers keep copies of the directory instead of asking it")
	f.BoolVar(&opts.detach, "detach", false, "return when all is ready, and leave it running")
	f.DurationVar(&opts.timeout, "timeout", 20*time.Second, "how long everybody may take to get ready")
	return cmd
}

func runBedUp(ctx context.Context, opts bedUpOptions) (err error) {
	options := bed.Options{Dir: opts.dir, Ports: opts.ports, Synchronised: opts.synchronised}
	options.KeyLog, _ = opts.con.lookup("SSLKEYLOGFILE")
	options.Topology, err = bed.ReadTopology(opts.file)
	if errors.Is(err, fs.ErrNotExist) {
		return fail(exitUsage, err, "presfed bed init writes one to begin with")
	}
	if err != nil {
		return fail(exitUsage, err, "presfed bed init FILE writes an example")
	}
	if opts.subnet != "" {
		if options.Subnet, err = parseSubnet(opts.subnet); err != nil {
			return err
		}
	}
	limited, cancel := context.WithTimeout(ctx, opts.timeout)
	defer cancel()
	b, err := bed.Start(limited, bed.ProcessOptions{Options: options, Detach: opts.detach, Register: true})
	if errors.Is(err, bed.ErrUp) {
		return fail(exitUsage, err, "presfed bed down ends it; --dir names another folder")
	}
	if err != nil {
		return fail(exitUsage, err, "")
	}
	if err := printBed(opts.con, b); err != nil || opts.detach {
		return err
	}
	select {
	case <-ctx.Done():
	case <-b.Ended():
	}
	down, stop := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer stop()
	return b.Down(down)
}

// printBed says who listens where, and what a shell needs to go on.
func printBed(con *console, b *bed.Processes) error {
	type line struct {
		Type    string   `json:"type"`
		Name    string   `json:"name"`
		PID     int      `json:"pid"`
		Control string   `json:"control"`
		Listen  []string `json:"listen"`
	}
	for _, r := range b.Roles() {
		l := line{Type: "role", Name: r.Name, PID: r.PID, Control: r.Control}
		for _, at := range r.Listen {
			l.Listen = append(l.Listen, strings.ToLower(at.Transport)+":"+at.Addr.String())
		}
		if err := con.result(l, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "# %-12s process %-7d %s\n", l.Name, l.PID, strings.Join(l.Listen, " "))
			return err
		}); err != nil {
			return err
		}
	}
	environment := b.Environment()
	return con.result(struct {
		Type string            `json:"type"`
		Set  map[string]string `json:"set"`
	}{"environment", environment}, func(w io.Writer) error {
		for _, name := range []string{"PRESFED_DIRECTORY", "PRESFED_AUTHORITY", "PRESFED_CERTS"} {
			if _, err := fmt.Fprintf(w, "export %s=%s\n", name, shellQuote(environment[name])); err != nil {
				return err
			}
		}
		return nil
	})
}

// shellQuote is a word that a shell takes as it stands.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
