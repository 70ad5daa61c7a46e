package main

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"presfed/agents/certs"
)

type certsInitOptions struct {
	con  *console
	dir  string
	name string
	now  time.Time
}

func newCertsInitCmd(con *console, run func(context.Context, certsInitOptions) error) *cobra.Command {
	opts := certsInitOptions{con: con}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a certificate authority",
		Long: `Makes the certificate authority of a bed: ca.pem, which everybody trusts, and
ca.key, which only its owner may read. One that is there already stays.`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.now = time.Now()
			return run(cmd.Context(), opts)
		},
	}
	certsDirFlag(cmd.Flags(), &opts.dir)
	cmd.Flags().StringVar(&opts.name, "authority-name", "presfed bed", "`name` of the authority")
	return cmd
}

func runCertsInit(_ context.Context, opts certsInitOptions) error {
	authority, err := certs.NewAuthority(opts.dir, opts.name, opts.now)
	if errors.Is(err, fs.ErrExist) {
		return fail(exitUsage, err, "an authority is there already; take another folder with --certs, or remove ca.pem and ca.key")
	}
	if err != nil {
		return err
	}
	files := certs.FilesIn(opts.dir, certs.AuthorityName)
	r := newCertificateResult(authority.Certificate(), files.Cert, files.Key)
	return opts.con.result(r, r.text)
}
