package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIdentities(t *testing.T) {
	tests := []struct {
		name string
		cn   string
		dns  []string
		uris []string
		want []string
	}{
		{name: "DNS names where no sip URI is", dns: []string{"B.example.com", "a.example.com"}, want: []string{"a.example.com", "b.example.com"}},
		{name: "a sip URI puts DNS names aside", dns: []string{"other.example.com"}, uris: []string{"sip:a.example.com"}, want: []string{"a.example.com"}},
		{name: "another scheme does not", dns: []string{"a.example.com"}, uris: []string{"sips:b.example.com", "https://c.example.com/"}, want: []string{"a.example.com"}},
		{name: "nor does a user", dns: []string{"a.example.com"}, uris: []string{"sip:alice@b.example.com"}, want: []string{"a.example.com"}},
		{name: "port, parameters and headers are not the host", uris: []string{"SIP:A.example.com:5061;transport=tls?x=y"}, want: []string{"a.example.com"}},
		{name: "an IPv6 literal", uris: []string{"sip:[2001:DB8::0:1]:5061"}, want: []string{"2001:db8::1"}},
		{name: "each once", uris: []string{"sip:a.example.com", "sip:A.example.com."}, want: []string{"a.example.com"}},
		{name: "the common name is none", cn: "a.example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cert := &x509.Certificate{Subject: pkix.Name{CommonName: tt.cn}, DNSNames: tt.dns}
			for _, s := range tt.uris {
				u, err := url.Parse(s)
				if err != nil {
					t.Fatal(err)
				}
				cert.URIs = append(cert.URIs, u)
			}
			if diff := cmp.Diff(tt.want, Identities(cert)); diff != "" {
				t.Errorf("identities (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMatchNeedsTheWholeName(t *testing.T) {
	tests := []struct {
		have, want string
		ok         bool
	}{
		{"example.com", "EXAMPLE.com.", true},
		{"example.com", "foo.example.com", false},
		{"foo.example.com", "example.com", false},
		{"*.example.com", "foo.example.com", false},
		{"*.example.com", "*.example.com", true},
		{".example.com", "foo.example.com", false},
		{"example.com", "", false},
	}
	for _, tt := range tests {
		err := Match(&x509.Certificate{DNSNames: []string{tt.have}}, tt.want)
		if (err == nil) != tt.ok {
			t.Errorf("%q proves %q: %v, want %v", tt.have, tt.want, err, tt.ok)
		}
	}
}
