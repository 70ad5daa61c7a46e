package certs

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func newBed(t *testing.T) *Authority {
	t.Helper()
	a, err := NewAuthority(t.TempDir(), "test bed", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func issue(t *testing.T, a *Authority, name string, hosts ...string) Files {
	t.Helper()
	_, files, err := a.Issue(Request{Name: name, Hosts: hosts}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestIssueSaysWhatWasAsked(t *testing.T) {
	a := newBed(t)
	cert, _, err := a.Issue(Request{Name: "server-a", Hosts: []string{"ServerA.example.com", "127.0.0.11", "::1"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var uris []string
	for _, u := range cert.URIs {
		uris = append(uris, u.String())
	}
	if want := []string{"sip:servera.example.com", "sip:127.0.0.11", "sip:[::1]"}; !slices.Equal(uris, want) {
		t.Errorf("URIs %q, want %q", uris, want)
	}
	if want := []string{"servera.example.com"}; !slices.Equal(cert.DNSNames, want) {
		t.Errorf("DNS names %q, want %q", cert.DNSNames, want)
	}
	if len(cert.IPAddresses) != 2 || cert.IPAddresses[0].String() != "127.0.0.11" || cert.IPAddresses[1].String() != "::1" {
		t.Errorf("addresses %v", cert.IPAddresses)
	}
	if len(cert.UnknownExtKeyUsage) != 1 || !cert.UnknownExtKeyUsage[0].Equal(oidSIPDomain) {
		t.Errorf("extended key usages %v, want the SIP domain's", cert.UnknownExtKeyUsage)
	}
}

func TestIssueRefuses(t *testing.T) {
	a := newBed(t)
	tests := []struct{ name, host, want string }{
		{"server-a", "*.example.com", "want a host name or an IP literal"},
		{"server-a", "bob@example.com", "want a host name or an IP literal"},
		{"server-a", "a..example.com", "want a host name or an IP literal"},
		{"server-a", "-a.example.com", "want a host name or an IP literal"},
		{"server-a", "fe80::1%lo", "no zone"},
		{"ca", "a.example.com", "plain file name"},
		{"../x", "a.example.com", "plain file name"},
		{"", "a.example.com", "plain file name"},
	}
	for _, tt := range tests {
		_, _, err := a.Issue(Request{Name: tt.name, Hosts: []string{tt.host}}, time.Now())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("issue %q for %q: %v, want %q", tt.name, tt.host, err, tt.want)
		}
	}
	if _, _, err := a.Issue(Request{Name: "server-a"}, time.Now()); err == nil {
		t.Error("a certificate for nobody was issued")
	}
}

func TestFilesAreWholeAndPrivate(t *testing.T) {
	a := newBed(t)
	files := issue(t, a, "server-a", "a.example.com")
	for path, want := range map[string]fs.FileMode{
		files.Key: 0o600, files.Cert: 0o644, files.Authority: 0o644, filepath.Join(a.dir, "ca.key"): 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(path), got, want)
		}
	}
	left, err := filepath.Glob(filepath.Join(a.dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestExistingFilesStay(t *testing.T) {
	a := newBed(t)
	files := issue(t, a, "server-a", "a.example.com")
	before, err := os.ReadFile(files.Cert)
	if err != nil {
		t.Fatal(err)
	}
	req := Request{Name: "server-a", Hosts: []string{"b.example.com"}}
	if _, _, err := a.Issue(req, time.Now()); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("issued again: %v, want fs.ErrExist", err)
	}
	if after, err := os.ReadFile(files.Cert); err != nil || string(after) != string(before) {
		t.Errorf("the certificate changed (%v)", err)
	}
	req.Replace = true
	if _, _, err := a.Issue(req, time.Now()); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Options{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"b.example.com"}; !slices.Equal(c.Names(), want) {
		t.Errorf("names %q, want %q", c.Names(), want)
	}
	if _, err := NewAuthority(a.dir, "again", time.Now()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second authority: %v, want fs.ErrExist", err)
	}
}

func TestOpenAuthority(t *testing.T) {
	a := newBed(t)
	b, err := OpenAuthority(a.dir)
	if err != nil {
		t.Fatal(err)
	}
	if !b.Certificate().Equal(a.Certificate()) {
		t.Error("another certificate came back")
	}
	if _, err := OpenAuthority(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v, want fs.ErrNotExist", err)
	}
	other := newBed(t)
	if err := os.Rename(filepath.Join(other.dir, "ca.key"), filepath.Join(a.dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(a.dir); err == nil || !strings.Contains(err.Error(), "not the key of") {
		t.Errorf("a foreign key: %v", err)
	}
}

// A clock that is set back by an hour does not make a certificate one of the future.
func TestACertificateIsGoodAnHourEarlier(t *testing.T) {
	a := newBed(t)
	now := time.Now()
	cert, _, err := a.Issue(Request{Name: "server-a", Hosts: []string{"servera.example.com"}}, now)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now.Add(-time.Hour), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		t.Error(err)
	}
}
