package msrp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	_ "crypto/sha1" // fingerprints of old peers
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// hashes by their names in a=fingerprint (RFC 8122 section 5), the strongest
// first. MD5 and MD2 are not to be used.
var hashes = []struct {
	name string
	hash crypto.Hash
}{{"sha-512", crypto.SHA512}, {"sha-384", crypto.SHA384}, {"sha-256", crypto.SHA256}, {"sha-224", crypto.SHA224}, {"sha-1", crypto.SHA1}}

// fingerprint is a certificate's as a=fingerprint says it.
func fingerprint(certificate []byte) string {
	sum := crypto.SHA256.New()
	sum.Write(certificate)
	return "sha-256 " + strings.ReplaceAll(fmt.Sprintf("% X", sum.Sum(nil)), " ", ":")
}

// anyFingerprint: the certificate is one that is named. Of several hashes the
// strongest that is known decides (RFC 8122 section 5).
func anyFingerprint(named []string, certificate []byte) bool {
	for _, h := range hashes {
		known := false
		for _, f := range named {
			name, value, _ := strings.Cut(strings.TrimSpace(f), " ")
			if !strings.EqualFold(name, h.name) {
				continue
			}
			known = true
			want, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(value), ":", ""))
			sum := h.hash.New()
			sum.Write(certificate)
			if err == nil && bytes.Equal(want, sum.Sum(nil)) {
				return true
			}
		}
		if known {
			return false
		}
	}
	return false
}

// selfSigned makes a certificate for this run, which descriptions vouch for.
func selfSigned(host string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("msrp: certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
