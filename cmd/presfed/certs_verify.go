package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"presfed/agents/certs"
)

type certsVerifyOptions struct {
	con       *console
	authority string
	file      string
	host      string
	now       time.Time
}

func newCertsVerifyCmd(con *console, run func(context.Context, certsVerifyOptions) error) *cobra.Command {
	opts := certsVerifyOptions{con: con}
	cmd := &cobra.Command{
		Use:   "verify FILE HOST",
		Short: "Would a peer take this certificate for that host?",
		Long: `Checks the certificate in FILE as a peer does that dials HOST and trusts the
authority: its chain, its time, and that it proves HOST (RFC 5922 section 7.2:
whole names, no wildcards, never the common name). Exit code 1 if it does not.`,
		Args: takes("FILE", "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.file, opts.host, opts.now = args[0], args[1], time.Now()
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.authority, "authority", "bed/certs/ca.pem", "`file` of the trusted authority")
	return cmd
}

func runCertsVerify(_ context.Context, opts certsVerifyOptions) error {
	trust, err := certs.Load(certs.Options{Files: certs.Files{Authority: opts.authority}})
	if err != nil {
		return fail(exitUsage, err, "name the authority with --authority")
	}
	cert, err := certs.ReadCertificate(opts.file)
	if err != nil {
		return fail(exitUsage, err, "")
	}
	if err := trust.Verify(cert, opts.host, opts.now); err != nil {
		return fail(exitVerdict, fmt.Errorf("%s: %w", opts.file, err), "")
	}
	return opts.con.result(struct {
		Type string `json:"type"`
		Cert string `json:"cert"`
		Host string `json:"host"`
		OK   bool   `json:"ok"`
	}{"verified", opts.file, opts.host, true}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s proves %s\n", opts.file, opts.host)
		return err
	})
}
