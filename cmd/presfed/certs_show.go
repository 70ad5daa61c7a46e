package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"presfed/agents/certs"
)

type certsShowOptions struct {
	con   *console
	files []string
}

func newCertsShowCmd(con *console, run func(context.Context, certsShowOptions) error) *cobra.Command {
	return &cobra.Command{
		Use:   "show FILE...",
		Short: "Show what certificates say, and which SIP identities they prove",
		Args:  takes("FILE..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return run(cmd.Context(), certsShowOptions{con: con, files: args})
		},
	}
}

func runCertsShow(_ context.Context, opts certsShowOptions) error {
	for i, file := range opts.files {
		cert, err := certs.ReadCertificate(file)
		if err != nil {
			return fail(exitUsage, err, "")
		}
		r := newCertificateResult(cert, file, "")
		if err := opts.con.result(r, func(w io.Writer) error {
			if i > 0 {
				if _, err := io.WriteString(w, "\n"); err != nil {
					return err
				}
			}
			return r.text(w)
		}); err != nil {
			return err
		}
	}
	return nil
}
