package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// AuthorityName is the base name of the authority's two files.
const AuthorityName = "ca"

// How long certificates are good for unless a request says otherwise, and how
// far back they start, for clocks that lag.
const (
	AuthorityLifetime = 10 * 365 * 24 * time.Hour
	Lifetime          = 825 * 24 * time.Hour
	backdate          = 2 * time.Hour // one that was an hour ahead when it issued is set right
)

// Files are the paths of PEM files.
type Files struct {
	Authority string // trusted certificates; empty: the system's
	Cert      string // empty with Key: no certificate of one's own
	Key       string
}

// FilesIn are the files of a participant in a bed's folder.
func FilesIn(dir, name string) Files {
	return Files{
		Authority: filepath.Join(dir, AuthorityName+".pem"),
		Cert:      filepath.Join(dir, name+".pem"),
		Key:       filepath.Join(dir, name+".key"),
	}
}

// Authority issues the certificates of one bed.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority in dir, which is created with mode 0700 if it
// is not there: ca.pem and ca.key. now is the time its certificate is made at;
// an authority that is already there is fs.ErrExist.
func NewAuthority(dir, commonName string, now time.Time) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(AuthorityLifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	encoded, err := encode(der, key)
	if err != nil {
		return nil, err
	}
	if err := encoded.write(FilesIn(dir, AuthorityName), false); err != nil {
		return nil, err
	}
	return &Authority{dir: dir, cert: cert, key: key}, nil
}

// OpenAuthority reads the authority in dir; fs.ErrNotExist if there is none.
func OpenAuthority(dir string) (*Authority, error) {
	files := FilesIn(dir, AuthorityName)
	cert, err := readCertificate(files.Cert)
	if err != nil {
		return nil, err
	}
	der, err := readPEM(files.Key, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", files.Key, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: want an ECDSA key, have %T", files.Key, parsed)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("%s: not the key of %s", files.Key, files.Cert)
	}
	if !cert.IsCA {
		return nil, fmt.Errorf("%s: not an authority's certificate", files.Cert)
	}
	return &Authority{dir: dir, cert: cert, key: key}, nil
}

// EnsureAuthority opens the authority in dir, or makes it.
func EnsureAuthority(dir, commonName string, now time.Time) (*Authority, error) {
	a, err := OpenAuthority(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return NewAuthority(dir, commonName, now)
	}
	return a, err
}

// Certificate is the authority's own.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

func readCertificate(path string) (*x509.Certificate, error) {
	der, err := readPEM(path, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return cert, nil
}

// newSerial is 127 random bits (RFC 5280 section 4.1.2.2: positive, at most 20
// octets).
func newSerial() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
}
