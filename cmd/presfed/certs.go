package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"presfed/agents/certs"
)

func newCertsCmd(con *console) *cobra.Command {
	return group("certs", "The certificate authority and the certificates of a bed",
		newCertsInitCmd(con, runCertsInit),
		newCertsIssueCmd(con, runCertsIssue),
		newCertsShowCmd(con, runCertsShow),
		newCertsVerifyCmd(con, runCertsVerify),
	)
}

// certsDirFlag is the folder that holds a bed's certificates.
func certsDirFlag(flags *pflag.FlagSet, dir *string) {
	flags.StringVar(dir, "certs", "bed/certs", "`folder` of the authority and the certificates")
}

// certificateResult is a certificate as --json prints it.
type certificateResult struct {
	Type       string    `json:"type"`
	Name       string    `json:"name,omitempty"`
	Cert       string    `json:"cert"`
	Key        string    `json:"key,omitempty"`
	Authority  bool      `json:"authority,omitempty"`
	Identities []string  `json:"identities,omitempty"`
	Issuer     string    `json:"issuer"`
	NotBefore  time.Time `json:"not_before"`
	NotAfter   time.Time `json:"not_after"`
	SHA256     string    `json:"sha256"`
}

func newCertificateResult(cert *x509.Certificate, certFile, keyFile string) certificateResult {
	sum := sha256.Sum256(cert.Raw)
	r := certificateResult{
		Type: "certificate", Name: cert.Subject.CommonName, Cert: certFile, Key: keyFile,
		Authority: cert.IsCA, Issuer: cert.Issuer.CommonName,
		NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(), SHA256: hex.EncodeToString(sum[:]),
	}
	if !cert.IsCA {
		r.Identities = certs.Identities(cert)
	}
	return r
}

func (r certificateResult) text(w io.Writer) error {
	var b strings.Builder
	line := func(what, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-12s%s\n", what, value)
		}
	}
	line("name", r.Name)
	line("certificate", r.Cert)
	line("key", r.Key)
	if r.Authority {
		line("role", "authority")
	}
	line("proves", strings.Join(r.Identities, ", "))
	line("issued by", r.Issuer)
	line("from", r.NotBefore.Format(time.RFC3339))
	line("until", r.NotAfter.Format(time.RFC3339))
	line("SHA-256", r.SHA256)
	_, err := io.WriteString(w, b.String())
	return err
}
