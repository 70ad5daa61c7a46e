package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// verify checks the chain of a peer that is, on TLS, a server or a client.
func (m material) verify(chain []*x509.Certificate, role x509.ExtKeyUsage, at time.Time) error {
	fail := func(err error) error {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	verified, err := chain[0].Verify(x509.VerifyOptions{
		Roots:         m.roots,
		Intermediates: between,
		CurrentTime:   at,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, // crypto/x509 does not know that of SIP
	})
	if err != nil {
		return fail(err)
	}
	// RFC 5280 section 4.2.1.3, RFC 8446 section 4.4.2.2: it has to sign.
	if use := chain[0].KeyUsage; use != 0 && use&x509.KeyUsageDigitalSignature == 0 {
		return fail(errors.New("its key usage allows no digital signature"))
	}
	for _, v := range verified {
		if !slices.ContainsFunc(v[:len(v)-1], func(cert *x509.Certificate) bool { return !allows(cert, role) }) {
			return nil
		}
	}
	own := "serverAuth"
	if role == x509.ExtKeyUsageClientAuth {
		own = "clientAuth"
	}
	return fail(fmt.Errorf("its extended key usage has neither %s nor sipDomain", own))
}

// allows is RFC 5280 section 4.2.1.12 with RFC 5924 section 4: without the extension
// everything is allowed, and with sipDomain SIP in either role. Public authorities
// give no sipDomain, so that TLS's own usages count as well.
func allows(cert *x509.Certificate, role x509.ExtKeyUsage) bool {
	return len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) == 0 ||
		slices.Contains(cert.ExtKeyUsage, role) || slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny) ||
		slices.ContainsFunc(cert.UnknownExtKeyUsage, oidSIPDomain.Equal)
}
