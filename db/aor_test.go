package db_test

import (
	"errors"
	"strings"
	"testing"

	"presfed/db"
)

func TestParseAOR(t *testing.T) {
	for _, tt := range []struct{ in, domain, want string }{
		{"alice", "example.com", "alice@example.com"},
		{"alice@Example.COM.", "example.com", "alice@example.com"},
		{"SIP:Alice@example.org", "example.com", "Alice@example.org"},
		{"sips:alice@example.com", "", "alice@example.com"},
		{"+1-212-555;x=1@example.com", "", "+1-212-555;x=1@example.com"},
		{"a%40b@example.com", "", "a%40b@example.com"},
		{"alice", "", ""},
		{"", "example.com", ""},
		{"@example.com", "", ""},
		{"al ice@example.com", "", ""},
		{"al%4@example.com", "", ""},
		{"al\"ice@example.com", "", ""},
		{"alice:password@example.com", "", ""},
		{"alice@bob@example.com", "", ""},
		{"alice@10.0.0.1", "", ""},
		{"alice@[::1]", "", ""},
		{"alice@exa_mple.com", "", ""},
		{"alice@-example.com", "", ""},
		{"alice@example..com", "", ""},
		{"alice@example.com:5060", "", ""},
		{"alice@example.com;transport=tcp", "", ""},
		{"mailto:alice@example.com", "", ""},
		{"älice@example.com", "", ""},
		{strings.Repeat("a", 300) + "@example.com", "", ""},
	} {
		got, err := db.ParseAOR(tt.in, tt.domain)
		var invalid *db.InvalidError
		if got != tt.want || (tt.want == "") != errors.As(err, &invalid) {
			t.Errorf("%q is %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
}

// What is canonical is its own canonical form, with or without a scheme, and
// has one user and one host.
func FuzzParseAOR(f *testing.F) {
	for _, s := range []string{"alice", "sip:a@B.c", "a%41@b", "a@b@c", "sip:sip:a@b", "a@b.", "a@1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		aor, err := db.ParseAOR(s, "example.com")
		if err != nil {
			if aor != "" {
				t.Fatalf("%q: %v, and yet %q", s, err, aor)
			}
			return
		}
		for _, again := range []string{aor, "sip:" + aor} {
			if got, err := db.ParseAOR(again, ""); got != aor || err != nil {
				t.Fatalf("%q is %q, and %q is %q, %v", s, aor, again, got, err)
			}
		}
		user, host := db.SplitAOR(aor)
		if user == "" || host == "" || strings.ContainsAny(aor, " \t\r\n\"<>:\x00") || strings.Count(aor, "@") != 1 || host != strings.ToLower(host) {
			t.Fatalf("%q is %q", s, aor)
		}
	})
}

func BenchmarkParseAOR(b *testing.B) {
	for b.Loop() {
		if _, err := db.ParseAOR("alice@example.com", "example.com"); err != nil {
			b.Fatal(err)
		}
	}
}
