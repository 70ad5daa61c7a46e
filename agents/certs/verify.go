package certs

import (
	"crypto/x509"
	"time"
)

// ReadCertificate reads the first certificate in a PEM file.
func ReadCertificate(path string) (*x509.Certificate, error) { return readCertificate(path) }

// Verify says whether a peer that trusts the authority would accept cert as
// name at a time: *tls.CertificateVerificationError for a chain that does not
// hold, *IdentityError for another name.
func (c *Credentials) Verify(cert *x509.Certificate, name string, at time.Time) error {
	return c.verifyAt([]*x509.Certificate{cert}, name, at)
}
