package resolve

import (
	"errors"
	"fmt"
	"strings"

	"presfed/agents/internal/message"
)

// Target reads a next hop as people write it: host, host:port, tls:host:port,
// tcp:host, udp:host:port, sip:host;transport=tcp.
func Target(s string) (message.URI, error) {
	scheme, rest, _ := strings.Cut(s, ":")
	uri := "sip:" + s
	switch strings.ToLower(scheme) {
	case "tls", "tcp", "udp":
		uri = "sip:" + rest + ";transport=" + strings.ToLower(scheme)
	case "sip", "sips":
		uri = s
	}
	u, err := message.ParseURI(uri)
	if err != nil || strings.ContainsAny(u.Host, "/\\ ") {
		return u, fmt.Errorf("%q is no server: want host, host:port, tls:host:port or a SIP URI", s)
	}
	return u, nil
}

// ErrNoUser: what should name a user does not.
var ErrNoUser = errors.New("is no user")

// User reads a user as people write one: bob, bob@example.com, a SIP URI. domain
// completes a bare name.
func User(s, domain string) (message.URI, error) {
	uri := s
	if scheme, _, ok := strings.Cut(s, ":"); !ok || scheme != "sip" && scheme != "sips" {
		uri = "sip:" + s
	}
	want := "bob@example.com or a SIP URI"
	if domain != "" {
		want = "bob, " + want
	}
	if !strings.Contains(uri, "@") {
		if domain == "" || strings.ContainsAny(uri[4:], ":;.") {
			return message.URI{}, fmt.Errorf("%q %w: want %s", s, ErrNoUser, want)
		}
		uri += "@" + domain
	}
	u, err := message.ParseURI(uri)
	if err != nil || u.User == "" {
		return u, fmt.Errorf("%q %w: want %s", s, ErrNoUser, want)
	}
	return u, nil
}
