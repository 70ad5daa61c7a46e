package routing_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"presfed/routing"
)

// The bed of the tables: three servers, of which c serves nobody.
func names() *routing.Names {
	return routing.NewNames("example.com", []routing.Server{
		{Name: "a", Identity: "serverA.example.com", Hosts: []string{"127.0.0.11:5061", "127.0.0.11"}},
		{Name: "b", Identity: "serverB.example.com", Hosts: []string{"127.0.0.12", "2001:db8::b"}},
		{Name: "c", Identity: "serverC.example.com"},
	})
}

// Targets written down: what happens here, or the peer with the Request-URI's
// host and the Route.
const (
	devices = "devices"
	compose = "compose"
	own     = "own share"
	state   = "state"
	aShare  = "to a: servera.example.com"
	bShare  = "to b: serverb.example.com"
	aRoot   = "to a: example.com, Route servera.example.com"
)

func shape(ts []routing.Target) []string {
	var out []string
	for _, t := range ts {
		s := string(t.Kind)
		if t.Kind == routing.ToPeer {
			s = "to " + t.Server + ": " + t.Host
			if t.Route {
				s += ", Route " + t.RouteHost
			}
		}
		out = append(out, s)
	}
	return out
}

var (
	partitioned  = routing.Place{Model: routing.Partitioned, Servers: []string{"b"}}
	exclusive    = routing.Place{Model: routing.Exclusive, Servers: []string{"b"}}
	unbound      = routing.Place{Model: routing.Exclusive}
	hierarchical = routing.Place{Model: routing.Hierarchical, Servers: []string{"a", "b"}, Root: "a"}
	peer         = routing.Place{Model: routing.Peer, Servers: []string{"a", "b"}}
	unknown      = routing.Place{}
	unplaced     = routing.Place{Model: routing.Partitioned}
)

func TestRoute(t *testing.T) {
	l := func(s ...string) []string { return s }
	tests := []struct {
		name   string
		place  routing.Place
		self   string
		peer   string // "" a client
		host   string // of the Request-URI
		method string
		want   []string
		status int
	}{
		// 4.1.1, 4.1.4: the watcher's server rewrites, the user's own answers.
		{"4.1.1 F1", partitioned, "a", "", "example.com", "SUBSCRIBE", l(bShare), 0},
		{"4.1.1 F2", partitioned, "b", "a", "serverB.example.com", "SUBSCRIBE", l(compose), 0},
		{"4.1.4 F1", partitioned, "a", "", "example.com", "INVITE", l(bShare), 0},
		{"4.1.4 F2", partitioned, "b", "a", "serverB.example.com", "INVITE", l(devices), 0},
		{"page mode", partitioned, "a", "", "example.com", "MESSAGE", l(bShare), 0},
		{"both at one server", partitioned, "b", "", "example.com", "SUBSCRIBE", l(compose), 0},
		{"a list's back-end keeps the domain form", partitioned, "b", "a", "example.com", "SUBSCRIBE", l(compose), 0},
		{"a client's server form is the domain form", partitioned, "a", "", "serverB.example.com", "SUBSCRIBE", l(bShare), 0},
		{"even of its own server", partitioned, "a", "", "serverA.example.com", "INVITE", l(bShare), 0},
		{"a stale peer is not bounced", partitioned, "a", "b", "serverA.example.com", "INVITE", nil, 404},
		{"nor in domain form", partitioned, "a", "c", "example.com", "SUBSCRIBE", nil, 404},
		{"a peer has no business with a third server's share", partitioned, "b", "a", "serverC.example.com", "SUBSCRIBE", nil, 404},

		{"uploads end here", partitioned, "b", "", "example.com", "PUBLISH", l(state), 0},
		{"in server form too, 4.2.1.1 F1", hierarchical, "b", "", "serverB.example.com", "PUBLISH", l(state), 0},
		{"not only at the root", hierarchical, "b", "", "example.com", "REGISTER", l(state), 0},
		{"in another server's form they do not", partitioned, "b", "", "serverA.example.com", "REGISTER", nil, 403},
		{"at the wrong server they do not", partitioned, "a", "", "example.com", "REGISTER", nil, 403},
		{"nor does a peer upload", partitioned, "b", "a", "serverB.example.com", "PUBLISH", nil, 403},
		{"nor somebody unknown", unknown, "b", "", "example.com", "REGISTER", nil, 404},

		{"exclusive is as partitioned while bound", exclusive, "a", "", "example.com", "SUBSCRIBE", l(bShare), 0},
		{"unbound: held where the watcher is", unbound, "a", "", "example.com", "SUBSCRIBE", l(compose), 0},
		{"unbound: nobody there to talk to", unbound, "a", "", "example.com", "INVITE", nil, 480},
		{"unbound: not held for a peer", unbound, "a", "b", "serverA.example.com", "SUBSCRIBE", nil, 404},

		{"served nowhere", unplaced, "a", "", "example.com", "SUBSCRIBE", nil, 404},
		{"unknown", unknown, "a", "", "example.com", "INVITE", nil, 404},
		{"unknown, from a peer", unknown, "a", "b", "serverA.example.com", "INVITE", nil, 404},

		// 4.2.1: everything goes to the root, the root asks its children.
		{"4.2.1.1 F4", hierarchical, "a", "", "example.com", "SUBSCRIBE", l(compose, bShare), 0},
		{"4.2.1.1 F6", hierarchical, "b", "a", "serverB.example.com", "SUBSCRIBE", l(own), 0},
		{"4.2.1.2 F1", hierarchical, "b", "", "example.com", "SUBSCRIBE", l(aRoot), 0},
		{"4.2.1.2 F2", hierarchical, "a", "b", "example.com", "SUBSCRIBE", l(compose, bShare), 0},
		{"4.2.1.4 F1", hierarchical, "b", "", "example.com", "INVITE", l(aRoot), 0},
		{"4.2.1.4 F2", hierarchical, "a", "b", "example.com", "INVITE", l(devices, bShare), 0},
		{"4.2.1.4 F3", hierarchical, "b", "a", "serverB.example.com", "INVITE", l(devices), 0},
		{"a stranger passes to the root", hierarchical, "c", "", "example.com", "SUBSCRIBE", l(aRoot), 0},
		{"the root answers a stranger", hierarchical, "a", "c", "example.com", "SUBSCRIBE", l(compose, bShare), 0},
		{"a child shows the root its own share", hierarchical, "a", "b", "serverA.example.com", "SUBSCRIBE", l(own), 0},
		{"the parent gets the own share in domain form too", hierarchical, "b", "a", "example.com", "SUBSCRIBE", l(own), 0},
		{"a client cannot go round the root", hierarchical, "b", "", "serverB.example.com", "SUBSCRIBE", l(aRoot), 0},
		{"nor can a server that does not serve her", hierarchical, "b", "c", "serverB.example.com", "INVITE", l(aRoot), 0},
		{"a child sends anyone else's to the root", hierarchical, "b", "c", "example.com", "SUBSCRIBE", l(aRoot), 0},
		{"a stranger does not pass on for a stranger", hierarchical, "c", "b", "example.com", "SUBSCRIBE", nil, 404},
		{"a root that serves none of it still asks",
			routing.Place{Model: routing.Hierarchical, Servers: []string{"a", "b"}, Root: "c"},
			"c", "a", "example.com", "INVITE", l(aShare, bShare), 0},
		{"and its asking counts",
			routing.Place{Model: routing.Hierarchical, Servers: []string{"a", "b"}, Root: "c"},
			"a", "c", "serverA.example.com", "INVITE", l(devices), 0},
		{"no root", routing.Place{Model: routing.Hierarchical, Servers: []string{"a", "b"}}, "a", "", "example.com", "INVITE", nil, 500},

		// 4.2.2: whoever received it asks the others.
		{"4.2.2.1 F1", peer, "b", "", "example.com", "SUBSCRIBE", l(compose, aShare), 0},
		{"4.2.2.1 F3", peer, "a", "b", "serverA.example.com", "SUBSCRIBE", l(own), 0},
		{"4.2.2.3 F1", peer, "b", "", "example.com", "INVITE", l(devices, aShare), 0},
		{"4.2.2.3 F2", peer, "a", "b", "serverA.example.com", "INVITE", l(devices), 0},
		{"the other way round", peer, "a", "", "example.com", "SUBSCRIBE", l(compose, bShare), 0},
		{"a stranger composes from all", peer, "c", "", "example.com", "SUBSCRIBE", l(compose, aShare, bShare), 0},
		{"and forks to all", peer, "c", "", "example.com", "MESSAGE", l(aShare, bShare), 0},
		{"a client's server form is the domain form", peer, "b", "", "serverB.example.com", "SUBSCRIBE", l(compose, aShare), 0},
		{"passed on in domain form", peer, "b", "c", "example.com", "SUBSCRIBE", l(compose, aShare), 0},
		{"a stranger is not asked", peer, "c", "a", "serverC.example.com", "SUBSCRIBE", nil, 404},

		{"a model of the future", routing.Place{Model: "mesh", Servers: []string{"a"}}, "a", "", "example.com", "INVITE", nil, 500},
		{"a server that is gone", routing.Place{Model: routing.Partitioned, Servers: []string{"z"}}, "a", "", "example.com", "INVITE", nil, 500},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.name, " ", "-"), func(t *testing.T) {
			scope, err := routing.ScopeOf(tt.host, 0, names())
			if err != nil {
				t.Fatal(err)
			}
			got, err := routing.Route(routing.Facts{
				Names: names(), Self: tt.self, Peer: tt.peer, User: "alice@example.com",
				Place: tt.place, Scope: scope, Class: routing.ClassOf(tt.method),
			})
			if diff := cmp.Diff(tt.want, shape(got)); diff != "" {
				t.Errorf("targets (-want +got):\n%s", diff)
			}
			var refusal *routing.Refusal
			if status := 0; errors.As(err, &refusal) {
				status = refusal.Status
				if status != tt.status {
					t.Errorf("refused with %v, want %d", err, tt.status)
				}
				if !strings.Contains(refusal.Reason, "alice@example.com") || refusal.Source == "" {
					t.Errorf("the refusal does not say whom it is about and why: %v", err)
				}
			} else if err != nil || tt.status != 0 {
				t.Errorf("got error %v, want status %d", err, tt.status)
			}
			for _, target := range got {
				if target.Why == "" || target.Source == "" {
					t.Errorf("%s has no reason", target)
				}
			}
		})
	}
}
