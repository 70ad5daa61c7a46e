package main

import (
	"context"

	"github.com/spf13/cobra"

	"presfed/db"
)

type directoryPolicyOptions struct {
	directoryOptions
	presentity string
	watcher    string
	handling   string
}

const watcherHelp = `WATCHER is a user, @DOMAIN for everybody of a domain, or "default" for everybody
else. A rule for the watcher comes before one for the domain, that before the
user's default, that before the domain's default.`

func newDirectoryPolicySetCmd(con *console, run func(context.Context, directoryPolicyOptions) error) *cobra.Command {
	opts := directoryPolicyOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "set USER WATCHER HANDLING",
		Short: "Say what a watcher of a user gets: allow, block, polite-block, confirm",
		Long:  watcherHelp + "\nRunning servers act on it at once, also on those who already watch.",
		Example: `  presfed directory policy set bob alice allow
  presfed directory policy set bob @example.org polite-block
  presfed directory policy set bob default confirm`,
		Args: takes("USER", "WATCHER", "HANDLING"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.presentity, opts.watcher, opts.handling = args[0], args[1], args[2]
			return run(cmd.Context(), opts)
		},
	}
	opts.flags(cmd.Flags())
	return cmd
}

func newDirectoryPolicyRemoveCmd(con *console, run func(context.Context, directoryPolicyOptions) error) *cobra.Command {
	opts := directoryPolicyOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "remove USER WATCHER",
		Short: "Remove a rule",
		Long:  watcherHelp,
		Args:  takes("USER", "WATCHER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.presentity, opts.watcher = args[0], args[1]
			return run(cmd.Context(), opts)
		},
	}
	opts.flags(cmd.Flags())
	return cmd
}

func newDirectoryPolicyDefaultCmd(con *console, run func(context.Context, directoryPolicyOptions) error) *cobra.Command {
	opts := directoryPolicyOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "default HANDLING",
		Short: "Say what watchers get whom no rule of a user names",
		Args:  takes("HANDLING"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.handling = args[0]
			return run(cmd.Context(), opts)
		},
	}
	opts.flags(cmd.Flags())
	return cmd
}

func newDirectoryPolicyModeCmd(con *console, run func(context.Context, directoryPolicyOptions) error) *cobra.Command {
	opts := directoryPolicyOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "mode MODE",
		Short: "Say where a unioned user's policy is applied: root, distributed, provisioned, decision-point",
		Args:  takes("MODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.handling = args[0]
			return run(cmd.Context(), opts)
		},
	}
	opts.flags(cmd.Flags())
	return cmd
}

// rule reads USER and WATCHER.
func (o directoryPolicyOptions) rule(ctx context.Context, v db.View) (db.Rule, error) {
	r := db.Rule{Handling: db.Handling(o.handling)}
	r.Match, r.Watcher = db.ParseWatcher(o.watcher)
	var err error
	r.Presentity, err = directoryUser(ctx, v, o.presentity)
	return r, err
}

func runDirectoryPolicySet(ctx context.Context, opts directoryPolicyOptions) error {
	return opts.change(ctx, func(t *db.Tx) (shown, error) {
		r, err := opts.rule(ctx, t.View)
		if err == nil {
			err = t.SetRule(r)
		}
		if err != nil {
			return nil, err
		}
		return func(v db.View) error { return opts.printUser(ctx, v, r.Presentity) }, nil
	})
}

func runDirectoryPolicyRemove(ctx context.Context, opts directoryPolicyOptions) error {
	return opts.change(ctx, func(t *db.Tx) (shown, error) {
		r, err := opts.rule(ctx, t.View)
		if err == nil {
			err = t.RemoveRule(r)
		}
		if err != nil {
			return nil, err
		}
		return func(v db.View) error { return opts.printUser(ctx, v, r.Presentity) }, nil
	})
}

func runDirectoryPolicyDefault(ctx context.Context, opts directoryPolicyOptions) error {
	return opts.setDomain(ctx, func(d *db.Domain) { d.Default = db.Handling(opts.handling) })
}

func runDirectoryPolicyMode(ctx context.Context, opts directoryPolicyOptions) error {
	return opts.setDomain(ctx, func(d *db.Domain) { d.PolicyMode = db.PolicyMode(opts.handling) })
}

func (o directoryOptions) setDomain(ctx context.Context, change func(*db.Domain)) error {
	return o.change(ctx, func(t *db.Tx) (shown, error) {
		d, err := t.Domain(ctx)
		if err != nil {
			return nil, err
		}
		change(&d)
		if err := t.SetDomain(d); err != nil {
			return nil, err
		}
		return func(v db.View) error { return o.printDomain(ctx, v) }, nil
	})
}

type ruleResult struct {
	Match    db.Match    `json:"match"`
	Watcher  string      `json:"watcher,omitempty"`
	Handling db.Handling `json:"handling"`
}

func newRuleResult(r db.Rule) ruleResult { return ruleResult{r.Match, r.Watcher, r.Handling} }

// watcherWord is WATCHER as the commands take it.
func watcherWord(r db.Rule) string {
	switch r.Match {
	case db.MatchDefault:
		return "default"
	case db.MatchDomain:
		return "@" + r.Watcher
	}
	return r.Watcher
}
