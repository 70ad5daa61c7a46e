package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"presfed/db"
)

type directoryInitOptions struct {
	directoryOptions
	domain db.Domain
}

func newDirectoryInitCmd(con *console, run func(context.Context, directoryInitOptions) error) *cobra.Command {
	opts := directoryInitOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "init DOMAIN",
		Short: "Make a new, empty directory for a domain",
		Long: `Makes the file, readable by its owner alone: it will hold password hashes.

  presfed directory init example.com --default allow`,
		Args: takes("DOMAIN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.domain.Name = args[0]
			return run(cmd.Context(), opts)
		},
	}
	f := cmd.Flags()
	opts.flags(f)
	f.StringVar(&opts.domain.Realm, "realm", "", "`realm` that passwords are bound to (default: the domain)")
	policyModeFlag(f, &opts.domain.PolicyMode)
	f.StringVar((*string)(&opts.domain.Default), "default", string(db.Confirm), "`handling` of watchers whom no rule names: allow, block, polite-block, confirm")
	return cmd
}

func policyModeFlag(f *pflag.FlagSet, mode *db.PolicyMode) {
	f.StringVar((*string)(mode), "policy-mode", string(db.RootPolicy), "`where` a unioned user's policy is applied: root, distributed, provisioned, decision-point")
}

func runDirectoryInit(ctx context.Context, opts directoryInitOptions) error {
	if err := os.MkdirAll(filepath.Dir(opts.path), 0o700); err != nil {
		return err
	}
	d, err := db.Open(ctx, opts.path, db.Options{Create: true, Domain: opts.domain})
	if errors.Is(err, db.ErrExists) {
		return fail(exitUsage, err, "remove it first, or name another with --directory")
	}
	if err != nil {
		return directoryFailure(err)
	}
	return directoryFailure(errors.Join(
		d.Snapshot(ctx, func(v db.View) error { return opts.printDomain(ctx, v) }), d.Close()))
}

// domainResult is the domain and the size of its directory.
type domainResult struct {
	Type       string        `json:"type"`
	Directory  string        `json:"directory"`
	Name       string        `json:"name"`
	Realm      string        `json:"realm"`
	PolicyMode db.PolicyMode `json:"policy_mode"`
	Default    db.Handling   `json:"default"`
	Servers    int           `json:"servers"`
	Users      int           `json:"users"`
	Revision   int64         `json:"revision"`
}

func (o directoryOptions) printDomain(ctx context.Context, v db.View) error {
	d, err := v.Domain(ctx)
	if err != nil {
		return err
	}
	servers, err := v.Servers(ctx)
	if err != nil {
		return err
	}
	users, err := v.Users(ctx)
	if err != nil {
		return err
	}
	rev, err := v.Revision(ctx)
	if err != nil {
		return err
	}
	r := domainResult{"domain", o.path, d.Name, d.Realm, d.PolicyMode, d.Default, len(servers), len(users), rev.Number}
	return o.con.result(r, func(w io.Writer) error {
		var b strings.Builder
		textLine(&b, "domain", r.Name)
		textLine(&b, "directory", r.Directory)
		textLine(&b, "realm", r.Realm)
		textLine(&b, "policy", fmt.Sprintf("%s, by default %s", r.PolicyMode, r.Default))
		textLine(&b, "servers", fmt.Sprint(r.Servers))
		textLine(&b, "users", fmt.Sprint(r.Users))
		textLine(&b, "revision", fmt.Sprint(r.Revision))
		_, err := io.WriteString(w, b.String())
		return err
	})
}
