package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"presfed/agents/bed"
	"presfed/agents/flow"
	"presfed/agents/plain"
	"presfed/agents/trace"
)

func newFlowCmd(con *console) *cobra.Command {
	return group("flow", "The draft's call flows: what they ask for, and whether it happens",
		newFlowListCmd(con), newFlowShowCmd(con), newFlowRunCmd(con, runFlows))
}

func newFlowListCmd(con *console) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the call flows", Args: takes(),
		RunE: func(*cobra.Command, []string) error {
			for _, f := range flow.List() {
				if err := con.result(f.Brief(), func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "%-7s %-24s %s\n", f.ID, f.Slug, f.Title)
					return err
				}); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func newFlowShowCmd(con *console) *cobra.Command {
	return &cobra.Command{
		Use: "show FLOW", Short: "Show a flow's messages and checks", Args: takes("FLOW"),
		Example: "  presfed flow show 4.1.1",
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := flowNamed(args[0])
			if err != nil {
				return err
			}
			d := f.Describe()
			return con.result(d, func(w io.Writer) error {
				fmt.Fprintf(w, "%s  %s\nneeds: %s\n\n", d.ID, d.Title, d.Needs)
				for _, m := range d.Messages {
					line := fmt.Sprintf("%-4s %-11s -> %-11s %-13s after %-8s %s", m.F, m.From, m.To, m.What, strings.Join(m.After, ","), m.Note)
					fmt.Fprintln(w, strings.TrimRight(line, " "))
				}
				fmt.Fprintln(w)
				for _, c := range d.Checks {
					fmt.Fprintf(w, "%-4s %s (%s)\n", c.F, c.Check, c.Source)
				}
				return nil
			})
		},
	}
}

func flowNamed(name string) (flow.Flow, error) {
	f, ok := flow.Show(name)
	if !ok {
		return f, usage("see presfed flow list", "there is no flow %q", name)
	}
	return f, nil
}

type flowOptions struct {
	con          *console
	flows        []string
	keep         string
	pcap         string
	subnet       string
	ports        bool
	synchronised bool
	timeout      time.Duration
}

func (o *flowOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.pcap, "pcap", "", "write a capture that Wireshark opens to `file`")
	f.StringVar(&o.subnet, "subnet", "", "`net` for the participants' addresses (default: a free /24 of 127.0.0.0/8)")
	f.BoolVar(&o.ports, "ports", false, "everybody on 127.0.0.1, told apart by port")
	f.BoolVar(&o.synchronised, "synchronised", false, "the servers keep copies of the directory instead of asking it")
	f.DurationVar(&o.timeout, "timeout", 10*time.Second, "how long a flow may take, and its set-up again")
}

func newFlowRunCmd(con *console, run func(context.Context, flowOptions) error) *cobra.Command {
	opts := flowOptions{con: con}
	cmd := &cobra.Command{
		Use:   "run [FLOW...]",
		Short: "Run flows on a bed of their own, and judge them",
		Long: `Builds a bed for each model that the flows are drawn in (two servers with mutual
TLS between them, a directory, the devices, each a process of its own), runs the
flows on real sockets, and compares what crossed them with the draft. Exit code 0: every flow held; 1: one did not.`,
		Example: "  presfed flow run 4.1.1 4.1.2 --json",
		Args:    takes("[FLOW...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.flows = args
			return run(cmd.Context(), opts)
		},
	}
	opts.flags(cmd)
	return cmd
}

func runFlows(ctx context.Context, opts flowOptions) (err error) {
	flows := flow.List()
	if len(opts.flows) > 0 {
		flows = nil
		for _, name := range opts.flows {
			f, err := flowNamed(name)
			if err != nil {
				return err
			}
			flows = append(flows, f)
		}
	}
	options, err := opts.bed()
	if err != nil {
		return err
	}
	var capture *os.File
	if opts.pcap != "" { // before anything runs: it may not be possible
		if capture, err = os.Create(opts.pcap); err != nil {
			return err
		}
		defer capture.Close() // again: an early end
	}
	stages := stages{options: options, keep: opts.keep, timeout: opts.timeout}
	defer func() { err = errors.Join(err, stages.down(ctx)) }()
	verdicts, err := runOn(ctx, &stages, flows, opts)
	if err != nil {
		return err
	}
	if capture != nil {
		if err := errors.Join(trace.WritePcapng(capture, trace.Pair(stages.records())), capture.Close()); err != nil {
			return err
		}
	}
	if !opts.con.json {
		printVerdicts(opts.con.out, verdicts)
	}
	for _, v := range verdicts {
		if !v.OK {
			return fail(exitVerdict, fmt.Errorf("flow %s did not run as the draft draws it", v.Flow), "presfed flow run "+v.Flow+" --json shows every message and check")
		}
	}
	return nil
}

// bed is what the flags say of it.
func (o *flowOptions) bed() (options bed.Options, err error) {
	options = bed.Options{Ports: o.ports, Synchronised: o.synchronised}
	options.KeyLog, _ = o.con.lookup("SSLKEYLOGFILE")
	if options.KeyLog == "" && o.keep != "" {
		options.KeyLog = filepath.Join(o.keep, "keys.log")
	}
	if o.subnet != "" {
		options.Subnet, err = parseSubnet(o.subnet)
	}
	return options, err
}

// runOn runs flows one after another and prints each as it ends.
func runOn(ctx context.Context, stages *stages, flows []flow.Flow, opts flowOptions) ([]flow.Verdict, error) {
	var verdicts []flow.Verdict
	for _, f := range flows {
		runner, err := stages.runner(ctx, f.Bed())
		if err != nil {
			return verdicts, fail(exitUsage, err, "")
		}
		result, err := runner.Run(ctx, f)
		var setup *flow.SetupError
		if errors.As(err, &setup) || ctx.Err() != nil {
			return verdicts, err
		}
		if err != nil {
			fmt.Fprintf(opts.con.talk, "presfed: %s: %s\n", f.ID, plain.Lines(err.Error()))
		}
		verdicts = append(verdicts, result.Verdict)
		if err := opts.report(result); err != nil {
			return verdicts, err
		}
		if opts.con.json {
			err = result.Write(opts.con.out)
		} else {
			err = drawFlow(opts.con, f, result)
		}
		if err == nil && !result.Verdict.OK {
			err = stages.retire(ctx, f.Bed())
		}
		if err != nil {
			return verdicts, err
		}
	}
	return verdicts, nil
}

// report adds a result to the report that --keep leaves behind.
func (o *flowOptions) report(result flow.Result) error {
	if o.keep == "" {
		return nil
	}
	file, err := os.OpenFile(filepath.Join(o.keep, "report.ndjson"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(result.Write(file), file.Close())
}

// drawFlow is the flow's ladder with what did not hold below it.
func drawFlow(con *console, f flow.Flow, result flow.Result) error {
	fmt.Fprintf(con.out, "%s  %s\n\n", f.ID, f.Title)
	var rows []trace.Row
	for _, m := range result.Messages {
		if m.F == "" && m.Undrawn != "" {
			continue
		}
		label := m.Method
		if m.Status != 0 {
			label = fmt.Sprintf("%d %s", m.Status, m.Method)
		}
		row := trace.Row{From: m.From, To: m.To, Label: strings.TrimSpace(m.F + " " + label), Protocol: m.Protocol, Status: m.Status}
		if m.F == "" {
			row.Note = "unexpected"
		}
		rows = append(rows, row)
	}
	ladder := trace.NewLadder(con.out, trace.LadderOptions{Participants: f.Columns(), Color: con.color()})
	if err := ladder.Draw(rows...); err != nil {
		return err
	}
	held := 0
	for _, c := range result.Checks {
		if c.OK {
			held++
			continue
		}
		fmt.Fprintf(con.out, "  failed: %s %s (%s), got %s\n", c.F, c.Check, c.Source, printable(c.Got))
	}
	v := result.Verdict
	for _, list := range []struct {
		what string
		of   []string
	}{{"missing", v.Missing}, {"unexpected", v.Unexpected}, {"out of order", v.OutOfOrder}} {
		if len(list.of) > 0 {
			fmt.Fprintf(con.out, "  %s: %s\n", list.what, printable(strings.Join(list.of, ", ")))
		}
	}
	_, err := fmt.Fprintf(con.out, "  %d of %d checks held\n\n", held, len(result.Checks))
	return err
}

func printVerdicts(w io.Writer, verdicts []flow.Verdict) {
	for _, v := range verdicts {
		word := "held"
		if !v.OK {
			word = "FAILED"
		}
		fmt.Fprintf(w, "%-7s %s\n", v.Flow, word)
	}
}
