package main

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"presfed/agents/certs"
)

type certsIssueOptions struct {
	con     *console
	dir     string
	days    int
	request certs.Request
	now     time.Time
}

func newCertsIssueCmd(con *console, run func(context.Context, certsIssueOptions) error) *cobra.Command {
	opts := certsIssueOptions{con: con}
	cmd := &cobra.Command{
		Use:   "issue NAME HOST...",
		Short: "Issue a certificate for a participant",
		Long: `Issues a certificate that proves each HOST, a host name or an IP literal, to
those who trust the authority: as "sip:HOST" (RFC 5922), and as a DNS name or an
IP address. It writes NAME.pem and NAME.key.

  presfed certs issue server-a servera.example.com`,
		Args: takes("NAME", "HOST..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.request.Name, opts.request.Hosts, opts.now = args[0], args[1:], time.Now()
			if opts.days < 1 {
				return usage(hintHelp(cmd), "--days %d: want 1 or more", opts.days)
			}
			return run(cmd.Context(), opts)
		},
	}
	certsDirFlag(cmd.Flags(), &opts.dir)
	cmd.Flags().IntVar(&opts.days, "days", int(certs.Lifetime/(24*time.Hour)), "`days` that the certificate is good for")
	cmd.Flags().BoolVar(&opts.request.Replace, "replace", false, "replace a certificate of that name")
	return cmd
}

func runCertsIssue(_ context.Context, opts certsIssueOptions) error {
	authority, err := certs.OpenAuthority(opts.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fail(exitUsage, err, "make the authority first: presfed certs init --certs "+opts.dir)
	}
	if err != nil {
		return fail(exitUsage, err, "")
	}
	// 100 years are as good as for ever, and do not overflow a duration.
	opts.request.Lifetime = time.Duration(min(opts.days, 36500)) * 24 * time.Hour
	cert, files, err := authority.Issue(opts.request, opts.now)
	if errors.Is(err, fs.ErrExist) {
		return fail(exitUsage, err, "with --replace it gives way")
	}
	if err != nil {
		return fail(exitUsage, err, "")
	}
	r := newCertificateResult(cert, files.Cert, files.Key)
	return opts.con.result(r, r.text)
}
