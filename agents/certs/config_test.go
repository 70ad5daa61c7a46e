package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, opts Options) *Credentials {
	t.Helper()
	c, err := Load(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// handshake runs both sides over a real connection and says what each saw.
func handshake(t *testing.T, server, client *tls.Config) (accepted, dialled tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			serverErr = err
			return
		}
		defer conn.Close()
		s := tls.Server(conn, server)
		// The byte shows that the server has accepted: under TLS 1.3 the client's
		// handshake ends before its certificate is looked at.
		if serverErr = s.Handshake(); serverErr == nil {
			accepted = s.ConnectionState()
			_, serverErr = s.Write([]byte{1})
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Client(conn, client)
	if clientErr = c.Handshake(); clientErr == nil {
		dialled = c.ConnectionState()
		_, clientErr = c.Read(make([]byte, 1))
	}
	_ = conn.Close()
	<-done
	return accepted, dialled, serverErr, clientErr
}

func TestMutual(t *testing.T) {
	a := newBed(t)
	server := load(t, Options{Files: issue(t, a, "server-a", "a.example.com")})
	client := load(t, Options{Files: issue(t, a, "server-b", "b.example.com", "127.0.0.1")})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		dial := client.Config().Clone()
		dial.ServerName, dial.MaxVersion = "A.example.com", version
		accepted, dialled, serverErr, clientErr := handshake(t, server.Config(), dial)
		if serverErr != nil || clientErr != nil {
			t.Fatalf("server: %v, client: %v", serverErr, clientErr)
		}
		if got, want := Identities(accepted.PeerCertificates[0]), []string{"127.0.0.1", "b.example.com"}; !slices.Equal(got, want) {
			t.Errorf("the server saw %q, want %q", got, want)
		}
		if dialled.Version != version {
			t.Errorf("version %x, want %x", dialled.Version, version)
		}
	}
}

func TestDialProvesTheName(t *testing.T) {
	a := newBed(t)
	server := load(t, Options{Files: issue(t, a, "server-a", "a.example.com", "127.0.0.1")})
	client := load(t, Options{Files: Files{Authority: FilesIn(a.dir, "x").Authority}})
	for name, ok := range map[string]bool{
		"a.example.com": true, "127.0.0.1": true, "b.example.com": false, "127.0.0.2": false, "example.com": false,
	} {
		_, _, _, err := handshake(t, server.Config(), client.Dial(name))
		if (err == nil) != ok {
			t.Errorf("dialled for %s: %v, want ok %v", name, err, ok)
		}
		var wrong *IdentityError
		if !ok && (!errors.As(err, &wrong) || wrong.Want != name) {
			t.Errorf("dialled for %s: %v, want an IdentityError", name, err)
		}
	}
	// A configuration without a name must fail closed.
	if _, _, _, err := handshake(t, server.Config(), client.Config()); err == nil {
		t.Error("a peer was accepted although no name was asked for")
	}
}

func TestForeignAuthority(t *testing.T) {
	a, b := newBed(t), newBed(t)
	server := load(t, Options{Files: issue(t, a, "server-a", "a.example.com")})
	stranger := issue(t, b, "server-a", "a.example.com")

	_, _, _, err := handshake(t, load(t, Options{Files: stranger}).Config(),
		load(t, Options{Files: Files{Authority: FilesIn(a.dir, "x").Authority}}).Dial("a.example.com"))
	var unknown *tls.CertificateVerificationError
	if !errors.As(err, &unknown) {
		t.Errorf("a stranger as server: %v", err)
	}

	stranger.Authority = FilesIn(a.dir, "x").Authority
	_, _, err, _ = handshake(t, server.Config(), load(t, Options{Files: stranger}).Dial("a.example.com"))
	if err == nil {
		t.Error("a stranger's certificate was accepted from a client")
	}
}

func TestWithoutCertificate(t *testing.T) {
	a := newBed(t)
	files := issue(t, a, "server-a", "a.example.com")
	client := load(t, Options{Files: Files{Authority: files.Authority}})
	accepted, _, serverErr, _ := handshake(t, load(t, Options{Files: files}).Config(), client.Dial("a.example.com"))
	if serverErr != nil || len(accepted.PeerCertificates) != 0 {
		t.Errorf("a device without certificate: %v, %d certificates", serverErr, len(accepted.PeerCertificates))
	}
	_, _, serverErr, clientErr := handshake(t, load(t, Options{Files: files, RequirePeer: true}).Config(), client.Dial("a.example.com"))
	if serverErr == nil || clientErr == nil {
		t.Errorf("the server wants a certificate: server %v, client %v", serverErr, clientErr)
	}
}

func TestExpired(t *testing.T) {
	a := newBed(t)
	files := issue(t, a, "server-a", "a.example.com")
	later := func() time.Time { return time.Now().Add(Lifetime + time.Hour) }
	client := load(t, Options{Files: Files{Authority: files.Authority}, Time: later})
	_, _, _, err := handshake(t, load(t, Options{Files: files}).Config(), client.Dial("a.example.com"))
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		t.Errorf("an old certificate: %v", err)
	}
}

func TestOldVersionsAreRefused(t *testing.T) {
	a := newBed(t)
	files := issue(t, a, "server-a", "a.example.com")
	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if _, _, serverErr, _ := handshake(t, load(t, Options{Files: files}).Config(), old); serverErr == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

// Who comes again is looked at again: a session that is resumed would go on with the
// certificates, and the trust, of the day when it began.
func TestNothingIsResumed(t *testing.T) {
	a := newBed(t)
	server := load(t, Options{Files: issue(t, a, "server-a", "a.example.com")}).Config()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := &tls.Config{
			InsecureSkipVerify: true, ServerName: "a.example.com", ClientSessionCache: tls.NewLRUClientSessionCache(1),
			MinVersion: version, MaxVersion: version,
		}
		for range 2 {
			accepted, dialled, serverErr, clientErr := handshake(t, server, client)
			if serverErr != nil || clientErr != nil {
				t.Fatalf("server: %v, client: %v", serverErr, clientErr)
			}
			if accepted.DidResume || dialled.DidResume {
				t.Errorf("%s: resumed", tls.VersionName(version))
			}
		}
	}
}

func TestKeyLog(t *testing.T) {
	a := newBed(t)
	files := issue(t, a, "server-a", "a.example.com")
	log := filepath.Join(t.TempDir(), "keys")
	server := load(t, Options{Files: files})
	client := load(t, Options{Files: Files{Authority: files.Authority}, KeyLog: log})
	for range 2 {
		if _, _, _, err := handshake(t, server.Config(), client.Dial("a.example.com")); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(data, []byte("CLIENT_TRAFFIC_SECRET_0 ")); n != 2 {
		t.Errorf("%d sessions in the key log, want 2:\n%s", n, data)
	}
	if info, err := os.Stat(log); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the key log: %v, %v", info.Mode(), err)
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	a := newBed(t)
	files := issue(t, a, "server-a", "a.example.com")
	other := issue(t, a, "server-b", "b.example.com")
	garbage := filepath.Join(a.dir, "garbage.pem")
	if err := os.WriteFile(garbage, pem.EncodeToMemory(&pem.Block{Type: "X"}), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, f := range map[string]Files{
		"missing.pem":   {Authority: filepath.Join(a.dir, "missing.pem")},
		"no PEM block":  {Authority: garbage},
		"needs its key": {Cert: files.Cert},
		"server-a.pem":  {Cert: files.Cert, Key: other.Key},
	} {
		if _, err := Load(Options{Files: f}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", f, err, want)
		}
	}
}
