package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// oidSIPDomain is id-kp-sipDomain (RFC 5924 section 4).
var oidSIPDomain = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 20}

// Request is what a certificate is to say.
type Request struct {
	Name     string        // base name of the files: the participant
	Hosts    []string      // host names and IP literals that it proves; at least one
	Lifetime time.Duration // 0: Lifetime
	Replace  bool          // an existing certificate gives way; else it is fs.ErrExist
}

// Issue makes a key and a certificate for both roles of TLS and writes them
// beside the authority's. Each host is a subjectAltName twice: as "sip:host"
// (RFC 5922 section 7.1), and as a DNS name or IP address for programs that
// look there.
func (a *Authority) Issue(req Request, now time.Time) (*x509.Certificate, Files, error) {
	template, err := a.template(req, now)
	if err != nil {
		return nil, Files{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, Files{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, Files{}, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, Files{}, err
	}
	encoded, err := encode(der, key)
	if err != nil {
		return nil, Files{}, err
	}
	files := FilesIn(a.dir, req.Name)
	return cert, files, encoded.write(files, req.Replace)
}

func (a *Authority) template(req Request, now time.Time) (*x509.Certificate, error) {
	if req.Name == "" || req.Name == AuthorityName || strings.HasPrefix(req.Name, ".") || req.Name != filepath.Base(req.Name) {
		return nil, fmt.Errorf("certificate name %q: want a plain file name other than %q", req.Name, AuthorityName)
	}
	if len(req.Hosts) == 0 {
		return nil, fmt.Errorf("certificate %s: want at least one host name", req.Name)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	lifetime := req.Lifetime
	if lifetime <= 0 {
		lifetime = Lifetime
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: req.Name},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		UnknownExtKeyUsage:    []asn1.ObjectIdentifier{oidSIPDomain},
		BasicConstraintsValid: true,
	}
	// A chain ends with its shortest part.
	if template.NotAfter.After(a.cert.NotAfter) {
		template.NotAfter = a.cert.NotAfter
	}
	for _, host := range req.Hosts {
		if err := addHost(template, host); err != nil {
			return nil, fmt.Errorf("certificate %s: %w", req.Name, err)
		}
	}
	return template, nil
}

func addHost(template *x509.Certificate, host string) error {
	name := canonical(host)
	if ip, err := netip.ParseAddr(name); err == nil {
		if ip.Zone() != "" {
			return fmt.Errorf("host %q: an address in a certificate has no zone", host)
		}
		template.IPAddresses = append(template.IPAddresses, net.IP(ip.AsSlice()))
		if ip.Is6() {
			name = "[" + name + "]"
		}
	} else {
		if !isHostName(name) {
			return fmt.Errorf("host %q: want a host name or an IP literal", host)
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	template.URIs = append(template.URIs, &url.URL{Scheme: "sip", Opaque: name})
	return nil
}

// isHostName follows RFC 1123 section 2.1. A wildcard is none: RFC 5922 section
// 7.2 would match it with nothing.
func isHostName(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
				return false
			}
		}
	}
	return true
}
