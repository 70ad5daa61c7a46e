package msrp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// vouched is a certificate of 127.0.0.1 that is its own authority.
func vouched(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, RootCAs: roots}
}

// secret are two secure sessions that have not been started.
func secret(t *testing.T, a, b *Endpoint, ca, cb SessionConfig) (*Session, *Session) {
	ca.Secure, cb.Secure = true, true
	return newSession(t, a, ca), newSession(t, b, cb)
}

func TestOverTLS(t *testing.T) {
	cfg := vouched(t)
	for name, c := range map[string]struct {
		tls    *tls.Config
		change func(*Description) // of both
		good   bool
	}{
		"self-signed, by fingerprint":           {nil, func(*Description) {}, true},
		"an authority's, by fingerprint":        {cfg, func(*Description) {}, true},
		"an authority's, without a fingerprint": {cfg, func(d *Description) { d.Fingerprints = nil }, true},
		"self-signed, without a fingerprint":    {nil, func(d *Description) { d.Fingerprints = nil }, false},
		"another fingerprint":                   {cfg, func(d *Description) { d.Fingerprints = []string{fingerprint([]byte("x"))} }, false},
		"a weak match behind a strong mismatch": {nil, func(d *Description) { d.Fingerprints = append(d.Fingerprints, "sha-512 00:01") }, false},
		"an unknown hash beside":                {nil, func(d *Description) { d.Fingerprints = append(d.Fingerprints, "blake3 00:01") }, true},
		"two certificates, one of them its own": {nil, func(d *Description) { d.Fingerprints = append([]string{fingerprint([]byte("x"))}, d.Fingerprints...) }, true},
		"in lower case":                         {nil, func(d *Description) { d.Fingerprints[0] = strings.ToLower(d.Fingerprints[0]) }, true},
		"an unknown hash alone":                 {nil, func(d *Description) { d.Fingerprints = []string{"md5 00:01"} }, false},
		"a path of msrp for a session by TLS":   {nil, func(d *Description) { d.Path = Path{d.Path[0]}; d.Path[0].Secure = false }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecords()
			a, b := startEndpoint(t, Config{TLS: c.tls, Tap: r.tap}), startEndpoint(t, Config{TLS: c.tls})
			inbox := newInbox()
			sa, sb := secret(t, a, b, SessionConfig{}, inbox.config())
			da, db := reread(t, sa.Describe(SetupActpass)), reread(t, sb.Describe(SetupPassive))
			if !db.Secure || !strings.HasPrefix(db.Path.String(), "msrps://") || len(db.Fingerprints) != 1 {
				t.Errorf("described as %+v", db)
			}
			c.change(db)
			if err := sb.Start(testContext(t), *da, Passive); err != nil {
				t.Fatal(err)
			}
			err := sa.Start(testContext(t), *db, Active)
			if (err == nil) != c.good {
				t.Fatalf("Start: %v", err)
			}
			if !c.good {
				return
			}
			if _, err := sa.Send(testContext(t), "text/plain", strings.NewReader("secret"), SendOptions{}); err != nil {
				t.Fatal(err)
			}
			if m := await(t, inbox.messages); string(m.Body) != "secret" {
				t.Errorf("got %q", m.Body)
			}
			for _, x := range r.all() {
				if x.Transport != "TLS" {
					t.Errorf("recorded as %s", x.Transport)
				}
			}
		})
	}
}

// Who connects is held against the fingerprint as well, also where it connects
// before its description is known.
func TestWhoConnectsByTLS(t *testing.T) {
	for name, c := range map[string]struct {
		early   bool
		named   func(*Description)
		refused bool
	}{
		"the peer":                   {false, func(*Description) {}, false},
		"the peer, early":            {true, func(*Description) {}, false},
		"another certificate":        {false, func(d *Description) { d.Fingerprints = []string{fingerprint([]byte("x"))} }, true},
		"another certificate, early": {true, func(d *Description) { d.Fingerprints = []string{fingerprint([]byte("x"))} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := startEndpoint(t, Config{}), startEndpoint(t, Config{})
			sa, sb := secret(t, a, b, SessionConfig{}, newInbox().config())
			da := sa.Describe(SetupActive)
			c.named(&da)
			if !c.early {
				if err := sb.Start(testContext(t), da, Passive); err != nil {
					t.Fatal(err)
				}
			}
			started := make(chan error, 1)
			go func() { started <- sa.Start(t.Context(), sb.Describe(SetupPassive), Active) }()
			if c.early {
				select {
				case err := <-started:
					t.Fatalf("bound before anybody knows to whom: %v", err)
				case <-time.After(20 * time.Millisecond):
				}
				_ = sb.Start(testContext(t), da, Passive)
			}
			var status *StatusError
			err := await(t, started)
			if c.refused != errors.As(err, &status) || c.refused && status.Code != 403 || !c.refused && err != nil {
				t.Errorf("Start: %v", err)
			}
			if c.refused {
				await(t, sb.Done())
				if !errors.Is(sb.Err(), ErrFingerprint) {
					t.Errorf("the session ends with %v", sb.Err())
				}
			}
		})
	}
}

// A session by TLS is not to be had without, whoever knows its URI; one port
// serves both kinds.
func TestNoSecretsInTheClear(t *testing.T) {
	e := startEndpoint(t, Config{})
	s, other := newSession(t, e, SessionConfig{Secure: true, OnMessage: func(m Message) { t.Errorf("delivered %+v", m) }}), newSession(t, e, SessionConfig{})
	for _, s := range []*Session{s, other} {
		if err := s.Start(testContext(t), describe(t, peerURI), Passive); err != nil {
			t.Fatal(err)
		}
	}
	p := dialPeer(t, e)
	p.send(s, "MSRP abcd1234 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: evil\nContent-Type: text/plain\n\nx\n-------abcd1234$\n")
	if f, _, _ := p.frame(); f.Status != 403 {
		t.Errorf("%+v", f)
	}
	p.send(other, "MSRP abcd1235 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: bind\n-------abcd1235$\n")
	if f, _, _ := p.frame(); f.Status != 200 {
		t.Errorf("%+v", f)
	}
}

// A peer that never finishes the handshake is dropped.
func TestAnEndlessHandshake(t *testing.T) {
	p := dialPeer(t, startEndpoint(t, Config{Limits: Limits{Dial: 20 * time.Millisecond}}))
	if _, err := p.conn.Write([]byte{tlsHandshake}); err != nil {
		t.Fatal(err)
	}
	p.closed()
}
