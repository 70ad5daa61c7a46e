package auth

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
)

// hexOf and answer are the test's own arithmetic, written from RFC 7616
// section 3.4.1 and not through the library under test.
func hexOf(alg, s string) string {
	switch alg {
	case "SHA-256":
		return fmt.Sprintf("%x", sha256.Sum256([]byte(s)))
	case "SHA-512-256":
		return fmt.Sprintf("%x", sha512.Sum512_256([]byte(s)))
	}
	return fmt.Sprintf("%x", md5.Sum([]byte(s)))
}

type answer struct {
	user, realm, password, nonce, uri, alg, method, cnonce string
	nc                                                     int
}

func (a answer) String() string {
	nc := fmt.Sprintf("%08x", a.nc)
	ha1 := hexOf(a.alg, a.user+":"+a.realm+":"+a.password)
	ha2 := hexOf(a.alg, a.method+":"+a.uri)
	response := hexOf(a.alg, strings.Join([]string{ha1, a.nonce, nc, a.cnonce, "auth", ha2}, ":"))
	return fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=%s, cnonce="%s", qop=auth, nc=%s`,
		a.user, a.realm, a.nonce, a.uri, response, a.alg, a.cnonce, nc)
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newVerifier(t testing.TB, c clock.Clock, algs ...Algorithm) *Verifier {
	t.Helper()
	if len(algs) == 0 {
		algs = []Algorithm{SHA256, MD5}
	}
	v, err := NewVerifier(Config{
		Realm: "example.com", Algorithms: algs, Clock: c, NonceLife: time.Minute,
		HA1: func(_ context.Context, user string, alg Algorithm) (string, error) {
			switch user {
			case "alice":
				return hexOf(string(alg), "alice:example.com:wonder"), nil
			case "broken":
				return "", errors.New("directory is gone")
			}
			return "", nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func request(t testing.TB, method, uri string, credentials ...string) *message.Request {
	t.Helper()
	u, err := message.ParseURI(uri)
	if err != nil {
		t.Fatal(err)
	}
	req := message.NewRequest(method, u)
	message.Add(req, "Via", "SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1")
	message.Add(req, "From", "<sip:alice@example.com>;tag=a")
	message.Add(req, "To", "<sip:alice@example.com>")
	message.Add(req, "Call-ID", "c1")
	message.Add(req, "CSeq", "7 "+method)
	for _, c := range credentials {
		message.Add(req, "Authorization", c)
	}
	return req
}

// asked gives the nonce and the whole value of the challenge for alg.
func asked(t testing.TB, err error, alg Algorithm) (nonce, value string) {
	t.Helper()
	var c *Challenge
	if !errors.As(err, &c) {
		t.Fatalf("want a challenge, have %v", err)
	}
	for _, v := range c.Asked {
		if strings.Contains(v, "algorithm="+string(alg)) {
			_, rest, _ := strings.Cut(v, `nonce="`)
			nonce, _, _ = strings.Cut(rest, `"`)
			return nonce, v
		}
	}
	t.Fatalf("no challenge for %s in %q", alg, c.Asked)
	return "", ""
}

func TestChallengesStandInOrderOfPreference(t *testing.T) {
	v := newVerifier(t, clock.NewManual(start), SHA512256, MD5, SHA256)
	req := request(t, "REGISTER", "sip:example.com")
	for _, role := range []Role{UserAgent, Proxy} {
		_, err := v.Verify(t.Context(), req, role)
		var c *Challenge
		if !errors.As(err, &c) || c.Why != NoCredentials {
			t.Fatalf("have %v", err)
		}
		res := c.Response(req, "tag1")
		wantStatus, field := 401, "WWW-Authenticate"
		if role == Proxy {
			wantStatus, field = 407, "Proxy-Authenticate"
		}
		values := message.Raw(res, field)
		if res.StatusCode != wantStatus || len(values) != 3 {
			t.Fatalf("%d with %q", res.StatusCode, values)
		}
		for i, alg := range []string{"SHA-512-256", "MD5", "SHA-256"} {
			if !strings.HasPrefix(values[i], `Digest realm="example.com"`) || !strings.Contains(values[i], "algorithm="+alg) ||
				!strings.Contains(values[i], `qop="auth"`) || strings.Contains(values[i], "stale") {
				t.Errorf("challenge %d: %s", i, values[i])
			}
		}
	}
}

func TestVerify(t *testing.T) {
	for _, alg := range []Algorithm{MD5, SHA256, SHA512256} {
		t.Run(string(alg), func(t *testing.T) {
			manual := clock.NewManual(start)
			v := newVerifier(t, manual, alg)
			_, err := v.Verify(t.Context(), request(t, "REGISTER", "sip:example.com"), UserAgent)
			nonce, _ := asked(t, err, alg)
			good := answer{user: "alice", realm: "example.com", password: "wonder", nonce: nonce,
				uri: "sip:example.com", alg: string(alg), method: "REGISTER", cnonce: "abc", nc: 1}
			try := func(a answer) error {
				user, err := v.Verify(t.Context(), request(t, "REGISTER", "sip:example.com", a.String()), UserAgent)
				if err == nil && user != a.user {
					t.Errorf("user %q", user)
				}
				return err
			}
			why := func(a answer, want Why) {
				t.Helper()
				var c *Challenge
				if err := try(a); !errors.As(err, &c) || c.Why != want {
					t.Errorf("want %q, have %v", want, err)
				}
				if c != nil && strings.Contains(c.Asked[0], "stale=true") != (want == StaleNonce || want == ReplayedCount) {
					t.Errorf("%s: %s", want, c.Asked[0])
				}
			}
			bad := func(change func(*answer)) answer { a := good; change(&a); return a }
			why(bad(func(a *answer) { a.password = "wrong" }), WrongSecret)
			why(bad(func(a *answer) { a.user = "mallory" }), WrongSecret)
			why(bad(func(a *answer) { a.method = "INVITE" }), WrongSecret)
			why(bad(func(a *answer) { a.nonce = "made-up" }), StaleNonce)
			why(bad(func(a *answer) { a.nonce, a.password = "made-up", "wrong" }), WrongSecret)
			why(bad(func(a *answer) { a.realm = "elsewhere" }), NoCredentials)
			if err := try(good); err != nil {
				t.Fatalf("first use: %v", err)
			}
			why(good, ReplayedCount)
			if err := try(bad(func(a *answer) { a.nc = 3 })); err != nil {
				t.Fatalf("third: %v", err)
			}
			if err := try(bad(func(a *answer) { a.nc = 2 })); err != nil {
				t.Fatalf("second after third: %v", err)
			}
			why(bad(func(a *answer) { a.nc = 2 }), ReplayedCount)
			manual.Advance(61 * time.Second)
			why(bad(func(a *answer) { a.nc = 4 }), StaleNonce)

			var parse *message.ParseError
			if err := try(bad(func(a *answer) { a.uri = "sip:elsewhere.com" })); !errors.As(err, &parse) || parse.Status != 400 {
				t.Errorf("foreign uri: %v", err)
			}
			if err := try(bad(func(a *answer) { a.user = "broken" })); err == nil || errors.As(err, new(*Challenge)) {
				t.Errorf("look-up that fails: %v", err)
			}
		})
	}
}

func TestNonceOfAnotherAlgorithmOrServer(t *testing.T) {
	v := newVerifier(t, clock.NewManual(start), SHA256, MD5)
	other := newVerifier(t, clock.NewManual(start), SHA256, MD5)
	_, err := v.Verify(t.Context(), request(t, "REGISTER", "sip:example.com"), UserAgent)
	nonce, _ := asked(t, err, SHA256)
	a := answer{user: "alice", realm: "example.com", password: "wonder", nonce: nonce,
		uri: "sip:example.com", alg: "MD5", method: "REGISTER", cnonce: "abc", nc: 1}
	var c *Challenge
	if _, err := v.Verify(t.Context(), request(t, "REGISTER", "sip:example.com", a.String()), UserAgent); !errors.As(err, &c) || c.Why != StaleNonce {
		t.Errorf("nonce for SHA-256 with MD5: %v", err)
	}
	a.alg = "SHA-256"
	if _, err := other.Verify(t.Context(), request(t, "REGISTER", "sip:example.com", a.String()), UserAgent); !errors.As(err, &c) || c.Why != StaleNonce {
		t.Errorf("nonce of another server: %v", err)
	}
	if _, err := v.Verify(t.Context(), request(t, "REGISTER", "sip:example.com", a.String()), UserAgent); err != nil {
		t.Errorf("own nonce: %v", err)
	}
}

func TestMalformedCredentials(t *testing.T) {
	v := newVerifier(t, clock.NewManual(start))
	for _, value := range []string{
		`Digest username`,
		`Digest username="alice`,
		`Digest username="alice", realm="example.com", nonce="n", uri="sip:example.com", response="0", nc=1x`,
		`Digest username="alice", realm="example.com", nonce="n", uri="sip:example.com", response="0"`,
		`Digest username="alice", realm="example.com", nonce="n", uri="<>", response="0", qop=auth, cnonce="c", nc=00000001`,
		`Digest username="alice", realm="example.com", nonce="n", uri="sip:example.com", response="0", qop=auth, cnonce="c", nc=-0000001`,
	} {
		_, err := v.Verify(t.Context(), request(t, "REGISTER", "sip:example.com", value), UserAgent)
		var parse *message.ParseError
		if !errors.As(err, &parse) || parse.Status != 400 {
			t.Errorf("%s: %v", value, err)
		}
	}
	// RFC 8760 section 2.6: Basic is not accepted.
	_, err := v.Verify(t.Context(), request(t, "REGISTER", "sip:example.com", "Basic YWxpY2U6d29uZGVy"), UserAgent)
	if !errors.As(err, new(*Challenge)) {
		t.Errorf("Basic: %v", err)
	}
}

// What is weighed costs a look-up, or two: of that one request gets no more than a few.
func TestCredentialsWeighedAreFew(t *testing.T) {
	lookups := 0
	v, err := NewVerifier(Config{Realm: "example.com", Algorithms: []Algorithm{SHA256}, HA1: func(context.Context, string, Algorithm) (string, error) {
		lookups++
		return "", nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	many := make([]string, 100)
	for i := range many {
		many[i] = answer{user: fmt.Sprint("u", i), realm: "example.com", uri: "sip:example.com", alg: "SHA-256", cnonce: "c", nc: 1}.String()
	}
	for by, verify := range map[string]func() (string, error){
		"SIP": func() (string, error) {
			return v.Verify(t.Context(), request(t, "REGISTER", "sip:example.com", many...), UserAgent)
		},
		"HTTP": func() (string, error) { return v.VerifyHTTP(t.Context(), "PUT", "sip:example.com", many) },
	} {
		lookups = 0
		_, err := verify()
		var parse *message.ParseError
		if !errors.As(err, &parse) || parse.Status != 400 || lookups > maxCredentials {
			t.Errorf("by %s: %v after %d look-ups", by, err, lookups)
		}
	}
}

func TestStripKeepsOtherRealms(t *testing.T) {
	v := newVerifier(t, clock.NewManual(start))
	ours := answer{user: "alice", realm: "example.com", alg: "MD5", nc: 1}.String()
	theirs := answer{user: "alice", realm: "elsewhere.com", alg: "MD5", nc: 1}.String()
	req := request(t, "INVITE", "sip:bob@example.com", ours, theirs)
	message.Add(req, "Proxy-Authorization", ours)
	v.Strip(req)
	if got := message.Raw(req, "Authorization"); len(got) != 1 || got[0] != theirs || message.Has(req, "Proxy-Authorization") {
		t.Errorf("left: %q", got)
	}
}

func TestParseAlgorithms(t *testing.T) {
	got, err := ParseAlgorithms("sha-256, MD5")
	if err != nil || len(got) != 2 || got[0] != SHA256 || got[1] != MD5 {
		t.Errorf("%v %v", got, err)
	}
	for _, s := range []string{"", "MD5,MD5", "SHA-1", "MD5,"} {
		if _, err := ParseAlgorithms(s); err == nil {
			t.Errorf("%q passed", s)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(answer{user: "alice", realm: "example.com", password: "guess", nonce: "n", uri: "sip:example.com", alg: "MD5", method: "REGISTER", cnonce: "c", nc: 1}.String())
	f.Add(`Digest username="alice", realm="example.com", userhash=true`)
	f.Fuzz(func(t *testing.T, value string) {
		v := newVerifier(t, clock.NewManual(start))
		req := request(t, "REGISTER", "sip:example.com", value)
		// Without the key no nonce holds, so nobody may pass.
		if user, err := v.Verify(t.Context(), req, UserAgent); err == nil {
			t.Fatalf("passed as %q", user)
		}
		// Taking credentials out is done once.
		v.Strip(req)
		left := len(message.Raw(req, "Authorization"))
		v.Strip(req)
		if len(message.Raw(req, "Authorization")) != left {
			t.Fatal("a second Strip found more")
		}
	})
}

// A nonce lives as long as it lives, whatever the clock is set to.
func TestANonceOutlastsASetClock(t *testing.T) {
	var c clock.Settable
	v := newVerifier(t, &c)
	_, err := v.Verify(t.Context(), request(t, "REGISTER", "sip:example.com"), UserAgent)
	nonce, _ := asked(t, err, SHA256)
	a := answer{user: "alice", realm: "example.com", password: "wonder", nonce: nonce, uri: "sip:example.com", alg: "SHA-256", method: "REGISTER", cnonce: "c"}
	for _, by := range []time.Duration{0, time.Hour, -2 * time.Hour} {
		c.Set(by)
		a.nc++
		if user, err := v.Verify(t.Context(), request(t, "REGISTER", "sip:example.com", a.String()), UserAgent); user != "alice" {
			t.Errorf("set by %s: %v", by, err)
		}
	}
}

// TestCredentialsAreStrippedAsTheyAreRead: whoever writes tabs is believed, and what she
// proved herself with is shown to nobody else, to be guessed at.
func TestCredentialsAreStrippedAsTheyAreRead(t *testing.T) {
	v := newVerifier(t, clock.NewManual(start), SHA256)
	_, err := v.Verify(t.Context(), request(t, "MESSAGE", "sip:example.com"), Proxy)
	nonce, _ := asked(t, err, SHA256)
	a := answer{user: "alice", realm: "example.com", password: "wonder", nonce: nonce, uri: "sip:example.com", alg: "SHA-256", method: "MESSAGE", cnonce: "c", nc: 1}
	req := request(t, "MESSAGE", "sip:example.com", strings.ReplaceAll(a.String(), ", ", ",\t"))
	if user, err := v.Verify(t.Context(), req, Proxy); user != "alice" {
		t.Fatalf("%q, %v", user, err)
	}
	v.Strip(req)
	if left := message.Raw(req, "Authorization"); len(left) > 0 {
		t.Errorf("what stays is %q", left)
	}
}

// TestAWrongPasswordCostsWhatAnUnknownUserDoes: in look-ups of what is not there, which
// take longer than those of what is remembered.
func TestAWrongPasswordCostsWhatAnUnknownUserDoes(t *testing.T) {
	missed := 0
	v, err := NewVerifier(Config{Realm: "example.com", Algorithms: []Algorithm{SHA256}, HA1: func(_ context.Context, user string, alg Algorithm) (string, error) {
		if user == "alice" {
			return hexOf(string(alg), "alice:example.com:wonder"), nil
		}
		missed++
		return "", nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(t.Context(), request(t, "REGISTER", "sip:example.com"), UserAgent)
	nonce, _ := asked(t, err, SHA256)
	for i, tt := range []struct {
		user, password string
		missed         int
	}{{"alice", "wonder", 0}, {"alice", "guess", 1}, {"nobody", "guess", 1}, {"nobody", "wonder", 1}} {
		missed = 0
		a := answer{user: tt.user, realm: "example.com", password: tt.password, nonce: nonce, uri: "sip:example.com", alg: "SHA-256", method: "REGISTER", cnonce: "c", nc: i + 1}
		v.Verify(t.Context(), request(t, "REGISTER", "sip:example.com", a.String()), UserAgent)
		if missed != tt.missed {
			t.Errorf("%s by %q: %d look-ups of nobody, want %d", tt.user, tt.password, missed, tt.missed)
		}
	}
}
