package msrp

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/wire"
)

// Every frame is recorded once where it leaves and once where it arrives, whole
// and the same, and a response never before its request.
func TestRecords(t *testing.T) {
	ra, rb := newRecords(), newRecords()
	a := startEndpoint(t, Config{Participant: "alice-pc", Tap: ra.tap})
	b := startEndpoint(t, Config{Participant: "bob-pc", Tap: rb.tap})
	bb := newInbox()
	sa, sb := pair(t, a, b, newInbox().config(), bb.config())
	sent, err := sa.Send(testContext(t), "text/plain", strings.NewReader(strings.Repeat("x", 150_000)), SendOptions{SuccessReport: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := sent.Reported(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := sb.Send(testContext(t), "text/plain", strings.NewReader("y"), SendOptions{}); err != nil {
		t.Fatal(err)
	}
	here, there := ra.await(t, 15), rb.await(t, 15)
	// Binding, 5 chunks, one message back, each with its 200; one REPORT.
	if len(here) != 15 || len(there) != 15 {
		t.Fatalf("%d and %d records", len(here), len(there))
	}
	left := map[string]wire.Record{}
	for _, r := range append(here, there...) {
		if r.Direction == wire.Out {
			left[string(r.Raw)] = r
		}
	}
	for _, r := range append(here, there...) {
		if r.Direction != wire.In {
			continue
		}
		o, ok := left[string(r.Raw)]
		if !ok || o.Src != r.Src || o.Dst != r.Dst || o.Participant == r.Participant || o.Time.After(r.Time) || r.Transport != "TCP" || r.Protocol != wire.MSRP {
			t.Errorf("arrived %+v\nleft %+v", r, o)
		}
		delete(left, string(r.Raw))
		if _, _, _, err := Parse(r.Raw); err != nil {
			t.Errorf("%v in %q", err, r.Raw)
		}
	}
	if len(left) > 0 {
		t.Errorf("not arrived: %v", left)
	}
	for _, list := range [][]wire.Record{here, there} {
		asked := map[string]bool{}
		for _, r := range list {
			f, _, _, _ := Parse(r.Raw)
			if f.IsResponse() && !asked[f.Transaction] {
				t.Errorf("%s: response to %s before its request", r.Participant, f.Transaction)
			}
			asked[f.Transaction] = true
		}
	}
}

// A chunk longer than what a record holds is recorded with its body cut.
func TestARecordOfALongChunk(t *testing.T) {
	r := newRecords()
	inbox := newInbox()
	s, p := bound(t, Config{Tap: r.tap}, inbox.config())
	body := strings.Repeat("0123456789", 20_000)
	p.send(s, "MSRP long0001 SEND\nTo-Path: {our}\nFrom-Path: {peer}\nMessage-ID: long\nByte-Range: 1-*/*\nContent-Type: a/b\n\n"+body+"\n-------long0001$\n")
	p.frame()
	if m := await(t, inbox.messages); string(m.Body) != body {
		t.Errorf("%d bytes", len(m.Body))
	}
	for _, x := range r.await(t, 4) {
		f, got, _, err := Parse(x.Raw)
		if err != nil || f.Transaction != "long0001" || f.IsResponse() {
			continue
		}
		if !bytes.Equal(got, []byte(body[:64<<10])) {
			t.Errorf("%d bytes recorded", len(got))
		}
		return
	}
	t.Error("no record")
}

func selfSigned(t *testing.T) *tls.Config {
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

func TestOverTLS(t *testing.T) {
	cfg := selfSigned(t)
	r := newRecords()
	a, b := startEndpoint(t, Config{TLS: cfg, Tap: r.tap}), startEndpoint(t, Config{TLS: cfg})
	inbox := newInbox()
	sa, sb := pair(t, a, b, SessionConfig{}, inbox.config())
	if d := sb.Describe(SetupPassive); !d.Secure || !strings.HasPrefix(d.Path.String(), "msrps://") {
		t.Errorf("described as %+v", d)
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
	// RFC 4975 section 5.4: a certificate that nobody vouches for, or for
	// another host, is no connection; nor is msrps without TLS.
	for name, bad := range map[string]*tls.Config{"a stranger's": selfSigned(t), "none": nil} {
		e := startEndpoint(t, Config{TLS: bad})
		s := newSession(t, e, SessionConfig{})
		if err := s.Start(testContext(t), newSession(t, b, SessionConfig{}).Describe(""), Active); err == nil {
			t.Errorf("%s: connected", name)
		}
	}
	// A peer that never finishes the handshake is dropped.
	c := startEndpoint(t, Config{TLS: cfg, Limits: Limits{Dial: 20 * time.Millisecond}})
	dialPeer(t, c).closed()
}

func TestOutgoingConnectionsLeaveFromTheOwnAddress(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not tested: only Linux has all of 127.0.0.0/8 without being told")
	}
	r := newRecords()
	a := startEndpoint(t, Config{Tap: r.tap, Listen: netip.MustParseAddrPort("127.0.0.2:0")})
	b := startEndpoint(t, Config{Listen: netip.MustParseAddrPort("127.0.0.3:0")})
	pair(t, a, b, SessionConfig{}, SessionConfig{})
	for _, x := range r.await(t, 2) {
		from, to := x.Src, x.Dst
		if x.Direction == wire.In {
			from, to = to, from
		}
		if from.Addr() != a.Addr().Addr() || to != b.Addr() {
			t.Errorf("%s to %s", from, to)
		}
	}
}
