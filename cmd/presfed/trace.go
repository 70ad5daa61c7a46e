package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"presfed/agents/trace"
)

type traceOptions struct {
	con     *console
	sources []string
	filter  trace.Filter
	columns []string
	times   bool
	raw     bool
	pcap    string
	follow  bool
	wait    time.Duration
}

func newTraceCmd(con *console, run func(context.Context, traceOptions) error) *cobra.Command {
	opts := traceOptions{con: con}
	cmd := &cobra.Command{
		Use:   "trace FILE|SOCKET...",
		Short: "See, filter, draw and export the traffic of a bed",
		Long: `Draws SIP and MSRP messages as a ladder, or prints them as JSON lines.

They come from running roles, by their control sockets or the folder that holds
them; from files of JSON lines: wire records, or messages as presfed prints them
with --json; or from captures, pcapng or pcap, as far as they are not encrypted
("-" is standard input). What both ends recorded is one message; one that only
one of two watched ends recorded is marked.

With --follow the trace goes on as messages pass. With --pcap it becomes a
capture that Wireshark and tshark decode without further options, TLS links
included; "--pcap -" writes it to standard output instead of the ladder:

  presfed trace bed/run --follow --pcap - | wireshark -k -i -`,
		Example: `  presfed trace bed/run --user alice
  presfed flow run 4.1.4 --json | presfed trace - --participant server-a`,
		Args: takes("FILE|SOCKET..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.sources = args
			return run(cmd.Context(), opts)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.filter.User, "user", "", "only what concerns this `user`, the user's MSRP sessions included")
	flags.StringVar(&opts.filter.Participant, "participant", "", "only what this `participant` sends or receives")
	flags.StringVar(&opts.filter.Dialog, "dialog", "", "only this `Call-ID`, with ;tag=TAG behind it one dialog of it")
	flags.StringSliceVar(&opts.columns, "columns", nil, "`participants` of the ladder from left to right")
	flags.BoolVar(&opts.times, "times", false, "show seconds since the first message")
	flags.BoolVar(&opts.raw, "raw", false, "print the messages themselves instead of the ladder")
	flags.StringVar(&opts.pcap, "pcap", "", "write a capture to this `file` (pcapng)")
	flags.BoolVarP(&opts.follow, "follow", "f", false, "go on as messages pass, until the roles end")
	flags.DurationVar(&opts.wait, "wait", 5*time.Second, "how long to wait for a role to be ready")
	// PRESFED_USER is whom the helpers act for; it must not hide anybody here.
	_ = flags.SetAnnotation("user", envAnnotation, []string{"PRESFED_TRACE_USER"})
	return cmd
}

func runTrace(ctx context.Context, opts traceOptions) error {
	sources, err := trace.Find(opts.sources...)
	if err != nil {
		return fail(exitUsage, err, "")
	}
	if opts.follow && len(sources.Files) > 0 {
		return usage("follow control sockets, or leave --follow out", "--follow: %s is no control socket", sources.Files[0])
	}
	view, err := newTraceView(opts)
	if err != nil {
		return err
	}
	if opts.follow {
		err = traceError(trace.Follow(ctx, opts.wait, view.show, sources.Sockets...))
	} else {
		err = readTrace(ctx, opts, sources, view)
	}
	if cerr := view.close(); err == nil {
		err = cerr
	}
	return err
}

func readTrace(ctx context.Context, opts traceOptions, sources trace.Sources, view *traceView) error {
	ctx, cancel := context.WithTimeout(ctx, opts.wait)
	defer cancel()
	capture, err := sources.Open(ctx, opts.con.in)
	if err != nil {
		return traceError(err)
	}
	return view.show(capture.Messages(), capture.Lost)
}
