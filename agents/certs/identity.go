package certs

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// IdentityError says that a certificate does not prove the name that was
// meant.
type IdentityError struct {
	Want string   // the name that was dialled; empty: none was given
	Have []string // the SIP identities in the certificate
}

// Error names both sides.
func (e *IdentityError) Error() string {
	switch {
	case e.Want == "":
		return "no name was given that the peer's certificate could prove"
	case len(e.Have) == 0:
		return fmt.Sprintf("certificate holds no SIP identity, want %s", e.Want)
	default:
		return fmt.Sprintf("certificate is for %s, want %s", strings.Join(e.Have, ", "), e.Want)
	}
}

// Identities are the SIP domain identities in a certificate whose chain has
// been verified, in lower case, each once (RFC 5922 section 7.1). The common
// name is never one: the section allows it only for certificates without any
// alternative name.
func Identities(cert *x509.Certificate) []string {
	var names []string
	for _, uri := range cert.URIs {
		if !strings.EqualFold(uri.Scheme, "sip") {
			continue
		}
		if host, ok := hostOf(uri.Opaque); ok {
			names = append(names, host)
		}
	}
	// RFC 5922 section 7.1: DNS names count only where no sip URI was found.
	if len(names) == 0 {
		for _, dns := range cert.DNSNames {
			names = append(names, canonical(dns))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Match compares one wanted name with the identities of a certificate. A nil
// error means that it is proved.
func Match(cert *x509.Certificate, name string) error {
	have := Identities(cert)
	if name == "" || !slices.ContainsFunc(have, func(id string) bool { return Same(id, name) }) {
		return &IdentityError{Want: name, Have: have}
	}
	return nil
}

// Same compares two SIP domain identities: as whole DNS names, case aside,
// without suffixes or wildcards (RFC 5922 section 7.2). A "*" is a label like
// any other. Names must come in ASCII form (RFC 5890 A-labels).
func Same(a, b string) bool { return canonical(a) == canonical(b) }

// hostOf takes the host out of what follows "sip:". A user part is an
// individual, not a domain (RFC 5922 section 7.1).
func hostOf(rest string) (string, bool) {
	if strings.Contains(rest, "@") {
		return "", false
	}
	rest, _, _ = strings.Cut(rest, "?")
	rest, _, _ = strings.Cut(rest, ";")
	if strings.HasPrefix(rest, "[") {
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return "", false
		}
		rest = rest[:end+1]
	} else {
		rest, _, _ = strings.Cut(rest, ":")
	}
	host := canonical(rest)
	return host, host != ""
}

// canonical is lower case, without a final dot; an IP literal is in its
// shortest form, without brackets.
func canonical(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if ip, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return ip.Unmap().String()
	}
	return strings.TrimSuffix(name, ".")
}
