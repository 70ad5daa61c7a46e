package db_test

import (
	"errors"
	"iter"
	"regexp"
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

// Every short string is taken exactly where the grammar of RFC 3261 section 25.1 has
// it, which the expressions here write out.
func TestParseAORByGrammar(t *testing.T) {
	user := regexp.MustCompile(`^([A-Za-z0-9\-_.!~*'()&=+$,;?/]|%[0-9A-Fa-f]{2})+$`)
	host := regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z]([a-z0-9-]*[a-z0-9])?$`)
	for _, alphabet := range []string{"aZ0%-.", "%fG9[", "a0-._é", "Az;&!{"} {
		for s := range words([]byte(alphabet), 5) {
			if _, err := db.ParseAOR(s+"@a", ""); (err == nil) != user.MatchString(s) {
				t.Errorf("user %q: %v", s, err)
			}
			folded := strings.ToLower(strings.TrimSuffix(s, ".")) // the root's dot may stand
			if _, err := db.ParseAOR("a@"+s, ""); (err == nil) != host.MatchString(folded) {
				t.Errorf("host %q: %v", s, err)
			}
		}
	}
}

// words are all strings of up to most bytes of an alphabet.
func words(alphabet []byte, most int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for queue := []string{""}; len(queue) > 0; queue = queue[1:] {
			if !yield(queue[0]) {
				return
			}
			for _, c := range alphabet {
				if len(queue[0]) < most {
					queue = append(queue, queue[0]+string([]byte{c}))
				}
			}
		}
	}
}

func BenchmarkParseAOR(b *testing.B) {
	for b.Loop() {
		if _, err := db.ParseAOR("alice@example.com", "example.com"); err != nil {
			b.Fatal(err)
		}
	}
}
