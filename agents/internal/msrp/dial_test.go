package msrp

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// A peer's path does not have us speak to what only this machine hears, or everybody;
// nor write at length to whom it names.
func TestWhereNoPeerIs(t *testing.T) {
	for own, others := range map[string]map[string]bool{
		"192.0.2.1":   {"127.0.0.1:80": false, "[::1]:80": false, "[::ffff:127.0.0.1]:80": false, "169.254.169.254:80": false, "0.0.0.0:80": false, "224.0.0.1:80": false, "255.255.255.255:80": false, "10.0.0.1:80": true, "192.0.2.1:80": true},
		"127.0.0.1":   {"127.0.0.2:80": true, "0.0.0.0:80": false, "[::]:80": false},
		"2001:db8::1": {"[::1]:80": false, "[fe80::1]:80": false, "[ff02::1]:80": false, "[2001:db8::2]:80": true},
		"0.0.0.0":     {"127.0.0.1:80": true, "0.0.0.0:80": false},
	} {
		e := &Endpoint{addr: netip.AddrPortFrom(netip.MustParseAddr(own), 1)}
		for address, want := range others {
			if err := e.reaches(t.Context(), "tcp", address, nil); (err == nil) != want || err != nil && !errors.Is(err, ErrAddress) {
				t.Errorf("%s to %s: %v", own, address, err)
			}
		}
	}
	e := startEndpoint(t, Config{})
	ln, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	s := newSession(t, e, SessionConfig{})
	if err := s.Start(testContext(t), describe(t, "msrp://0.0.0.0:"+port+"/abcd;tcp"), Active); !errors.Is(err, ErrAddress) {
		t.Errorf("Start: %v", err)
	}
	if _, err := ParsePath("msrp://127.0.0.1:9/" + strings.Repeat("a", 2048) + ";tcp"); err == nil {
		t.Error("a path as long as one likes")
	}
}

// Connections that hang count too, however soon their sessions end.
func TestDialsAreBounded(t *testing.T) {
	e := startEndpoint(t, Config{Limits: Limits{Connections: 1}})
	e.mu.Lock()
	e.dialled["somewhere"] = &dial{done: make(chan struct{})}
	e.mu.Unlock()
	s := newSession(t, e, SessionConfig{})
	if err := s.Start(testContext(t), describe(t, peerURI), Active); !errors.Is(err, ErrLimit) {
		t.Errorf("Start: %v", err)
	}
}
