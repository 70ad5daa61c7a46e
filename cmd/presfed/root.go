package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

const rootLong = `presfed federates presence and instant messaging inside one domain, over SIP,
SIMPLE, MSRP and mutual TLS.

Results go to standard output, talk to standard error; with --json both results
and errors are JSON objects on standard output, one a line. Every flag can come
from the environment, PRESFED_NO_COLOR for --no-color; what runs for long takes
them from a file as well (--config), behind flags and environment. Exit codes: 0 done, 1 our
own verdict is no, 2 wrong usage or input, 3 the peer refused, 4 no answer in
time, 5 authentication or TLS failed, 130 interrupted.`

// newRoot puts the commands together.
func newRoot(con *console) *cobra.Command {
	root := &cobra.Command{
		Use:           "presfed",
		Short:         "Presence and IM federation inside one domain",
		Long:          rootLong,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args)
		},
		// Nothing below may have a PersistentPreRun of its own: it would take this
		// one's place.
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := readEnvironment(cmd, con.lookup); err != nil {
				return err
			}
			if err := readConfig(cmd, con.config); err != nil {
				return err
			}
			if err := checkNumbers(cmd.Flags()); err != nil {
				return err
			}
			if err := checkWords(cmd.Flags()); err != nil {
				return err
			}
			// cobra would check these later, with an error of no type.
			if err := errors.Join(cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()); err != nil {
				return usage(hintHelp(cmd), "%s%s", place(cmd), err)
			}
			return nil
		},
	}
	root.SetIn(con.in)
	root.SetOut(con.out)
	root.SetErr(con.talk)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(hintHelp(cmd), "%s%s", place(cmd), strings.TrimSpace(err.Error()))
	})
	root.PersistentFlags().BoolVar(&con.json, "json", con.json, "print JSON, one object a line")
	root.PersistentFlags().BoolVar(&con.noColor, "no-color", false, "no colour, also with NO_COLOR set")
	root.PersistentFlags().Lookup("json").DefValue = "false"

	root.SetHelpCommand(newHelpCmd())
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(
		newAgentCmd(con, runAgent),
		newBedCmd(con),
		newCalendarCmd(con, runCalendar),
		newCertsCmd(con),
		newCompletionCmd(con, runCompletion),
		newComposeCmd(con, runCompose),
		newDemoCmd(con, runFlows),
		newDirectoryCmd(con),
		newFlowCmd(con),
		newManCmd(con, runMan),
		newOptionsCmd(con, runOptions),
		newPublishCmd(con, runPublish),
		newRegisterCmd(con, runRegister),
		newDirectoryRouteCmd(con, runDirectoryRoute),
		newSendIMCmd(con, runSendIM),
		newServerCmd(con, "", runServer),
		newServerCmd(con, "server-a", runServer),
		newServerCmd(con, "server-b", runServer),
		newSubscribeCmd(con, runSubscribe),
		newTraceCmd(con, runTrace),
		newVersionCmd(con, runVersion),
	)
	return root
}

func newHelpCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND...]",
		Short: "Help about a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usage(hintHelp(cmd.Root()), "unknown command %q", strings.Join(args, " "))
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}
