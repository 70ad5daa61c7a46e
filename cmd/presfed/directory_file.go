package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"presfed/db"
)

type directoryImportOptions struct {
	directoryOptions
	file    string
	replace bool
}

func newDirectoryImportCmd(con *console, run func(context.Context, directoryImportOptions) error) *cobra.Command {
	opts := directoryImportOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Take in a readable file, all of it or nothing",
		Long: `Takes in a YAML file as export writes it ("-" is standard input). What it names
is added or changed, everything else stays. A user may have a password in place
of an ha1:

  domain: {name: example.com}
  servers:
    - {name: server-a, uri: "sip:127.0.0.11", identity: servera.example.com}
  users:
    - user: alice
      display: Alice
      password: secret
      servers: [server-a]
      model: partitioned        # exclusive, hierarchical (with root:), peer
      policy:
        users: {bob@example.com: allow}
        domains: {example.org: block}
        default: confirm
      buddies: [bob@example.com]`,
		Args: takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.file = args[0]
			return run(cmd.Context(), opts)
		},
	}
	opts.flags(cmd.Flags())
	cmd.Flags().BoolVar(&opts.replace, "replace", false, "remove everything that the file does not name")
	return cmd
}

type importedResult struct {
	Type    string `json:"type"`
	File    string `json:"file"`
	Servers int    `json:"servers"`
	Users   int    `json:"users"`
}

func runDirectoryImport(ctx context.Context, opts directoryImportOptions) error {
	var text []byte
	var err error
	if opts.file == "-" {
		text, err = io.ReadAll(opts.con.in)
	} else {
		text, err = os.ReadFile(opts.file)
	}
	if err != nil {
		return fail(exitUsage, err, "")
	}
	return opts.open(ctx, func(d *db.DB) error {
		n, err := d.Import(ctx, text, db.ImportOptions{Replace: opts.replace})
		if err != nil {
			return fmt.Errorf("%s: %w", opts.file, err)
		}
		return opts.con.result(importedResult{"imported", opts.file, n.Servers, n.Users}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "imported %s and %s from %s\n", count(n.Servers, "server"), count(n.Users, "user"), opts.file)
			return err
		})
	})
}

type directoryExportOptions struct {
	directoryOptions
	file  string
	force bool
}

func newDirectoryExportCmd(con *console, run func(context.Context, directoryExportOptions) error) *cobra.Command {
	opts := directoryExportOptions{directoryOptions: directoryOptions{con: con}}
	cmd := &cobra.Command{
		Use:   "export [FILE]",
		Short: "Write the whole directory as one readable file",
		Long: `Writes YAML that import takes in, to FILE or to standard output. It holds the
password hashes: FILE is made readable by its owner alone.`,
		Args: takes("[FILE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && args[0] != "-" {
				opts.file = args[0]
			}
			return run(cmd.Context(), opts)
		},
	}
	opts.flags(cmd.Flags())
	cmd.Flags().BoolVar(&opts.force, "force", false, "replace a FILE that is there")
	return cmd
}

func runDirectoryExport(ctx context.Context, opts directoryExportOptions) error {
	var text bytes.Buffer
	if err := opts.read(ctx, func(v db.View) error { return v.Export(ctx, &text) }); err != nil {
		return err
	}
	if opts.file == "" {
		_, err := text.WriteTo(opts.con.out)
		return err
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if opts.force {
		if err := os.Remove(opts.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(opts.file, flags, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fail(exitUsage, err, "with --force it gives way")
	}
	if err != nil {
		return err
	}
	_, err = text.WriteTo(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return opts.con.result(struct {
		Type string `json:"type"`
		File string `json:"file"`
	}{"exported", opts.file}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "exported to %s\n", opts.file)
		return err
	})
}
