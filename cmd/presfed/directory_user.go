package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"presfed/db"
	"presfed/routing"
)

type directoryUserOptions struct {
	directoryOptions
	user         string
	display      string
	setDisplay   bool
	passwordFile string
	newPassword  bool
}

func newDirectoryUserAddCmd(con *console, run func(context.Context, directoryUserOptions) error) *cobra.Command {
	opts := directoryUserOptions{directoryOptions: directoryOptions{con: con}, newPassword: true}
	cmd := &cobra.Command{
		Use:   "add USER",
		Short: "Add a user",
		Long: `Adds a user, who is served nowhere until assigned. The password comes from
--password-file, from PRESFED_PASSWORD, or from a prompt; without any the user
exists, and cannot log in.`,
		Example: "  presfed directory user add alice --display Alice --password-file alice.password",
		Args:    takes("USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.user, opts.setDisplay = args[0], true
			return run(cmd.Context(), opts)
		},
	}
	opts.userFlags(cmd)
	return cmd
}

func newDirectoryUserSetCmd(con *console, run func(context.Context, directoryUserOptions) error) *cobra.Command {
	opts := directoryUserOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "set USER",
		Short: "Change a user's display name or password",
		Args:  takes("USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.user, opts.setDisplay = args[0], cmd.Flags().Changed("display")
			opts.newPassword = opts.newPassword || opts.passwordFile != ""
			if !opts.newPassword && !opts.setDisplay {
				return usage(hintHelp(cmd), "%snothing to change: want --display, --password-file or --new-password", place(cmd))
			}
			return run(cmd.Context(), opts)
		},
	}
	opts.userFlags(cmd)
	cmd.Flags().BoolVar(&opts.newPassword, "new-password", false, "take a new password from PRESFED_PASSWORD or a prompt")
	return cmd
}

func (o *directoryUserOptions) userFlags(cmd *cobra.Command) {
	o.flags(cmd.Flags())
	cmd.Flags().StringVar(&o.display, "display", "", "display `name`")
	cmd.Flags().StringVar(&o.passwordFile, "password-file", "", "`file` with the password on its first line (or PRESFED_PASSWORD, or a prompt)")
}

func newDirectoryUserRemoveCmd(con *console, run func(context.Context, directoryUserOptions) error) *cobra.Command {
	opts := directoryUserOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "remove USER",
		Short: "Remove a user, with placement, rules and buddy list",
		Args:  takes("USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.user = args[0]
			return run(cmd.Context(), opts)
		},
	}
	opts.flags(cmd.Flags())
	return cmd
}

func (o directoryUserOptions) password() (string, error) {
	return (&deviceOptions{user: o.user, passwordFile: o.passwordFile}).password(o.con)
}

func runDirectoryUserAdd(ctx context.Context, opts directoryUserOptions) error {
	password, err := opts.password()
	if err != nil {
		return err
	}
	return opts.change(ctx, func(t *db.Tx) (shown, error) {
		aor, err := directoryUser(ctx, t.View, opts.user)
		if err == nil {
			err = t.AddUser(db.User{AOR: aor, Display: opts.display})
		}
		if err == nil && password != "" {
			err = t.SetPassword(aor, password)
		}
		if err != nil {
			return nil, err
		}
		return func(v db.View) error { return opts.printUser(ctx, v, aor) }, nil
	})
}

func runDirectoryUserSet(ctx context.Context, opts directoryUserOptions) error {
	password := ""
	if opts.newPassword {
		var err error
		if password, err = opts.password(); err != nil {
			return err
		}
		if password == "" {
			return usage("--password-file FILE, or PRESFED_PASSWORD, or a terminal to ask at", "no password given for %s", opts.user)
		}
	}
	return opts.change(ctx, func(t *db.Tx) (shown, error) {
		aor, err := directoryUser(ctx, t.View, opts.user)
		if err != nil {
			return nil, err
		}
		u, err := t.User(ctx, aor)
		if err == nil && opts.setDisplay {
			u.Display = opts.display
			err = t.SetUser(u)
		}
		if err == nil && password != "" {
			err = t.SetPassword(aor, password)
		}
		if err != nil {
			return nil, err
		}
		return func(v db.View) error { return opts.printUser(ctx, v, aor) }, nil
	})
}

func runDirectoryUserRemove(ctx context.Context, opts directoryUserOptions) error {
	aor := ""
	err := opts.change(ctx, func(t *db.Tx) (_ shown, err error) {
		if aor, err = directoryUser(ctx, t.View, opts.user); err != nil {
			return nil, err
		}
		return nil, t.RemoveUser(aor)
	})
	if err != nil {
		return err
	}
	return opts.removed("user", aor)
}

// userResult is a user with all that hangs on her, hashes excepted.
type userResult struct {
	Type       string         `json:"type"`
	User       string         `json:"user"`
	Display    string         `json:"display,omitempty"`
	Realm      string         `json:"realm"`
	Algorithms []db.Algorithm `json:"algorithms,omitempty"`
	Model      routing.Model  `json:"model,omitempty"`
	Servers    []string       `json:"servers,omitempty"`
	Root       string         `json:"root,omitempty"`
	Policy     []ruleResult   `json:"policy,omitempty"`
	Buddies    []string       `json:"buddies,omitempty"`
}

func newUserResult(u db.User, p routing.Place, rules []db.Rule, buddies []string) userResult {
	r := userResult{Type: "user", User: u.AOR, Display: u.Display, Realm: u.Realm, Model: p.Model, Servers: p.Servers, Root: p.Root, Buddies: buddies}
	for _, a := range db.Algorithms() {
		if u.HA1[a] != "" {
			r.Algorithms = append(r.Algorithms, a)
		}
	}
	for _, rule := range rules {
		r.Policy = append(r.Policy, newRuleResult(rule))
	}
	return r
}

func (o directoryOptions) printUser(ctx context.Context, v db.View, aor string) error {
	u, err := v.User(ctx, aor)
	if err != nil {
		return err
	}
	p, err := v.Place(ctx, aor)
	if err != nil {
		return err
	}
	rules, err := v.Policy(ctx, aor)
	if err != nil {
		return err
	}
	buddies, err := v.Buddies(ctx, aor)
	if err != nil {
		return err
	}
	return o.con.result(newUserResult(u, p, rules, buddies), func(w io.Writer) error {
		var b strings.Builder
		textLine(&b, "user", u.AOR)
		textLine(&b, "display", u.Display)
		textLine(&b, "password", map[bool]string{true: "in realm " + u.Realm, false: "none"}[len(u.HA1) > 0])
		textLine(&b, "served", p.String())
		for _, r := range rules {
			textLine(&b, "policy", fmt.Sprintf("%s: %s", watcherWord(r), r.Handling))
		}
		textLine(&b, "buddies", strings.Join(buddies, ", "))
		_, err := io.WriteString(w, b.String())
		return err
	})
}
