package auth

import (
	"errors"
	"strings"
	"testing"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/message"
)

// serve lets v judge a and retries as a user agent would; it counts challenges.
func serve(t *testing.T, v *Verifier, role Role, a *Attempt) (challenges int, err error) {
	t.Helper()
	for {
		_, err := v.Verify(t.Context(), a.Request(), role)
		var c *Challenge
		if !errors.As(err, &c) {
			return challenges, err
		}
		if challenges++; challenges > 10 {
			t.Fatal("no end of challenges")
		}
		if _, err := a.Retry(c.Response(a.Request(), "t")); err != nil {
			return challenges, err
		}
	}
}

func TestClientReusesNonces(t *testing.T) {
	manual := clock.NewManual(start)
	v := newVerifier(t, manual)
	c := NewClient("alice", "wonder")
	register := func() *Attempt { return c.Begin(request(t, "REGISTER", "sip:example.com")) }
	if n, err := serve(t, v, UserAgent, register()); n != 1 || err != nil {
		t.Fatalf("first: %d challenges, %v", n, err)
	}
	for range 3 {
		if n, err := serve(t, v, UserAgent, register()); n != 0 || err != nil {
			t.Fatalf("again: %d challenges, %v", n, err)
		}
	}
	// The proxy of the realm takes the nonce that came by REGISTER.
	invite := c.Begin(request(t, "INVITE", "sip:bob@example.com"))
	if !message.Has(invite.Request(), "Proxy-Authorization") {
		t.Error("INVITE without credentials for a proxy")
	}
	if n, err := serve(t, v, Proxy, invite); n != 0 || err != nil {
		t.Fatalf("INVITE: %d challenges, %v", n, err)
	}
	manual.Advance(2 * time.Minute)
	if n, err := serve(t, v, UserAgent, register()); n != 1 || err != nil {
		t.Fatalf("stale: %d challenges, %v", n, err)
	}
	if bye := c.Begin(request(t, "BYE", "sip:bob@example.com")).Request(); message.Has(bye, "Authorization") || message.Has(bye, "Proxy-Authorization") {
		t.Error("BYE signed unasked")
	}
}

func TestRetryIsANewRequest(t *testing.T) {
	v := newVerifier(t, clock.NewManual(start))
	a := NewClient("alice", "wonder").Begin(request(t, "REGISTER", "sip:example.com"))
	first := a.Request()
	_, err := v.Verify(t.Context(), first, UserAgent)
	var c *Challenge
	if !errors.As(err, &c) {
		t.Fatal(err)
	}
	next, err := a.Retry(c.Response(first, "t"))
	if err != nil {
		t.Fatal(err)
	}
	if message.Get(next, "CSeq") != "8 REGISTER" || message.Has(next, "Via") || message.CallID(next) != "c1" {
		t.Errorf("retry:\n%s", message.Bytes(next))
	}
	if got := message.Raw(next, "Authorization"); len(got) != 1 || !strings.Contains(got[0], "algorithm=SHA-256") {
		t.Errorf("credentials %q, want one, by the algorithm asked for first", got)
	}
}

func TestWrongPasswordIsRefusedOnce(t *testing.T) {
	manual := clock.NewManual(start)
	v := newVerifier(t, manual)
	n, err := serve(t, v, UserAgent, NewClient("alice", "wrong").Begin(request(t, "REGISTER", "sip:example.com")))
	if n != 2 || !errors.Is(err, ErrRefused) {
		t.Errorf("%d challenges, %v", n, err)
	}
}

func TestUnknownAlgorithmsAreIgnored(t *testing.T) {
	req := request(t, "REGISTER", "sip:example.com")
	answerTo := func(challenges ...string) (*message.Request, error) {
		res := message.NewResponse(req, 401, "", "t")
		for _, c := range challenges {
			message.Add(res, "WWW-Authenticate", c)
		}
		return NewClient("alice", "wonder").Begin(message.Clone(req)).Retry(res)
	}
	if _, err := answerTo(`Digest realm="r", nonce="n", algorithm=SHA-7, qop="auth"`, `Basic realm="r"`); !errors.Is(err, ErrNoChallenge) {
		t.Errorf("have %v", err)
	}
	next, err := answerTo(`Digest realm="r", nonce="n1", algorithm=SHA-7, qop="auth"`, `Digest realm="r", nonce="n2", algorithm=MD5, qop="auth"`,
		`Digest realm="s", nonce="n3", algorithm=SHA-256, qop="auth"`)
	if err != nil {
		t.Fatal(err)
	}
	got := message.Raw(next, "Authorization")
	if len(got) != 2 || !strings.Contains(got[0], `"n2"`) || !strings.Contains(got[1], `"n3"`) {
		t.Errorf("answers %q", got)
	}
}
