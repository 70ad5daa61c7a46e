package interop

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"presfed/agents/bed"
	"presfed/agents/programs"
)

// users are two on server-a and two on server-b, who all may see each other.
var users = map[string]string{"alice": "server-a", "carol": "server-a", "bob": "server-b", "dave": "server-b"}

func password(user string) string { return user + "-secret" }

// servers are server-a and server-b as processes of a bed, with mutual TLS between
// them. Users log in by digest, with MD5: two of the programs know nothing newer.
type servers struct {
	dir  string
	addr map[string]netip.AddrPort // the same for UDP and TCP
}

// newServers starts them; they end with the test.
func newServers(t *testing.T) *servers {
	t.Helper()
	if runtime.GOOS != "linux" {
		programs.Skip(t, "what programs do with us", "that needs other loopback addresses than 127.0.0.1")
	}
	topology := bed.Topology{
		Domain: "example.com", Digest: []string{"MD5"},
		Servers: []bed.Server{{Name: "server-a", Host: "servera.example.com", At: 11}, {Name: "server-b", Host: "serverb.example.com", At: 12}},
	}
	var everybody []string
	for name := range users {
		everybody = append(everybody, name)
	}
	for name, server := range users {
		topology.Users = append(topology.Users, bed.User{Name: name, Password: password(name), Servers: []string{server}, Allow: everybody})
	}
	s := &servers{dir: t.TempDir(), addr: map[string]netip.AddrPort{}}
	// Each test has a network of its own, so that several run at once.
	network := netip.PrefixFrom(netip.AddrFrom4([4]byte{127, byte(20 + rand.IntN(200)), byte(rand.IntN(256)), 0}), 24)
	up, err := bed.Start(t.Context(), bed.ProcessOptions{Program: programs.Ours(t), Options: bed.Options{Dir: s.dir, Topology: topology, Subnet: network}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if t.Failed() {
			for _, x := range []string{"server-a", "server-b"} {
				log, _ := os.ReadFile(filepath.Join(s.dir, "run", x+".log"))
				t.Logf("%s said:\n%s", x, log)
			}
		}
		if err := up.Down(ctx); err != nil {
			t.Error(err)
		}
	})
	for _, r := range up.Roles() {
		for _, l := range r.Listen {
			if l.Transport == "TCP" {
				s.addr[r.Name] = l.Addr
			}
		}
	}
	return s
}

// home is where a user's programs speak to.
func (s *servers) home(user string) netip.AddrPort { return s.addr[users[user]] }

// everywhere runs a test of a program by each transport, with the other user on the
// same server, and on the other one.
func everywhere(t *testing.T, name string, run func(t *testing.T, s *servers, transport, other, row string)) {
	for _, transport := range []string{"udp", "tcp"} {
		for _, other := range []string{"carol", "bob"} {
			where := "on one server"
			if users[other] != users["alice"] {
				where = "on A and B"
			}
			t.Run(transport+" "+where, func(t *testing.T) {
				t.Parallel()
				run(t, newServers(t), transport, other, strings.Join([]string{name, strings.ToUpper(transport), where}, ", "))
			})
		}
	}
}
