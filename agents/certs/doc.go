// Package certs is who a participant is on TLS: the certificate authority of a
// bed, the certificates it issues, and what a peer's certificate proves
// (RFC 5922).
package certs
