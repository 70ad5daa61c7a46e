package routing_test

import (
	"errors"
	"net"
	"regexp"
	"strconv"
	"testing"

	"presfed/routing"
)

func TestScopeOf(t *testing.T) {
	crowded := routing.NewNames("Example.COM", []routing.Server{
		{Name: "a", Identity: "serverA.example.com", Hosts: []string{"127.0.0.1:5061", "10.0.0.1"}},
		{Name: "b", Identity: "serverB.example.com", Hosts: []string{"127.0.0.1:5062", "[2001:DB8::0:b]:5061", "fe80::1"}},
	})
	const refused, domain = "refused", ""
	for _, tt := range []struct {
		host string
		port int
		want string
	}{
		{"example.com", 0, domain},
		{"EXAMPLE.com.", 5060, domain},
		{"servera.EXAMPLE.com", 0, "a"},
		{"servera.example.com", 9999, "a"},
		{"serverB.example.com.", 0, "b"},
		{"10.0.0.1", 0, "a"},
		{"::ffff:10.0.0.1", 0, "a"},
		{"127.0.0.1", 5061, "a"},
		{"127.0.0.1", 5062, "b"},
		{"127.0.0.1", 0, domain},
		{"127.0.0.1", 9, domain},
		{"[2001:db8:0:0::b]", 0, "b"},
		{"2001:db8::b", 5061, "b"},
		{"[fe80::1]", 0, "b"},
		{"example.org", 0, refused},
		{"a", 0, refused},
		{"10.0.0.2", 0, refused},
		{"notexample.com", 0, refused},
		{"", 0, refused},
	} {
		scope, err := routing.ScopeOf(tt.host, tt.port, crowded)
		got := scope.Server
		var refusal *routing.Refusal
		if errors.As(err, &refusal) && refusal.Status == 404 {
			got = refused
		} else if err != nil {
			t.Errorf("%s:%d: %v", tt.host, tt.port, err)
		}
		if got != tt.want {
			t.Errorf("%s:%d is %q, want %q (%s)", tt.host, tt.port, got, tt.want, scope.Why)
		}
		if err == nil && scope.Why == "" {
			t.Errorf("%s:%d: no reason", tt.host, tt.port)
		}
		if at := crowded.ServerAt(tt.host, tt.port); at != scope.Server || crowded.Knows(tt.host, tt.port) != (err == nil) {
			t.Errorf("%s:%d is at %q, known %v; its scope is %+v, %v", tt.host, tt.port, at, crowded.Knows(tt.host, tt.port), scope, err)
		}
	}
}

func TestSplitHostPort(t *testing.T) {
	for in, want := range map[string]struct {
		host string
		port int
		ok   bool
	}{
		"a.Example.com":   {"a.example.com", 0, true},
		"a.example.com:5": {"a.example.com", 5, true},
		"10.0.0.1:5061":   {"10.0.0.1", 5061, true},
		"::1":             {"::1", 0, true},
		"[::1]":           {"::1", 0, true},
		"[0:0::1]:5060":   {"::1", 5060, true},
		"":                {"", 0, false},
		"host:":           {"", 0, false},
		":5060":           {"", 0, false},
		"host:0":          {"", 0, false},
		"host:65536":      {"", 0, false},
		"host:5060x":      {"", 0, false},
	} {
		host, port, ok := routing.SplitHostPort(in)
		if host != want.host || port != want.port || ok != want.ok {
			t.Errorf("%q is %q, %d, %v, want %+v", in, host, port, ok, want)
		}
	}
}

func FuzzSplitHostPort(f *testing.F) {
	for _, s := range []string{"a:1", "[::1]:5060", "::1", "[", "]", "[]", "a::", "[::1", "1.2.3.4:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, port, ok := routing.SplitHostPort(s)
		if ok && (port < 0 || port > 65535) {
			t.Fatalf("%q has port %d", s, port)
		}
		// Of what can be a host, the one spelling reads back as itself.
		if ok && hostRE.MatchString(host) {
			again, p, ok := routing.SplitHostPort(net.JoinHostPort(host, strconv.Itoa(max(port, 1))))
			if !ok || again != host || p != max(port, 1) {
				t.Fatalf("%q is spelled %q, then %q port %d", s, host, again, p)
			}
		}
	})
}

var hostRE = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*$|^[0-9a-f:]{3,}$`)

func BenchmarkRoute(b *testing.B) {
	n := names()
	for b.Loop() {
		scope, err := routing.ScopeOf("example.com", 0, n)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := routing.Route(routing.Facts{Names: n, Self: "a", User: "bob@example.com",
			Place: partitioned, Scope: scope, Class: routing.Watch}); err != nil {
			b.Fatal(err)
		}
	}
}
