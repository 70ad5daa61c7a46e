package routing_test

import (
	"fmt"
	"slices"
	"testing"

	"presfed/routing"
)

// TestSpread sends a request in at every server for every placement of three
// servers, follows it from server to server, and demands what a user would: her
// devices at each of her servers are reached exactly once, nothing loops, and
// nothing is reached elsewhere.
func TestSpread(t *testing.T) {
	servers := []string{"a", "b", "c"}
	for set := 1; set < 8; set++ {
		var serving []string
		for i, s := range servers {
			if set&(1<<i) != 0 {
				serving = append(serving, s)
			}
		}
		var places []routing.Place
		places = append(places, routing.Place{Model: routing.Peer, Servers: serving})
		for _, root := range servers {
			places = append(places, routing.Place{Model: routing.Hierarchical, Servers: serving, Root: root})
		}
		if len(serving) == 1 {
			places = append(places, routing.Place{Model: routing.Partitioned, Servers: serving},
				routing.Place{Model: routing.Exclusive, Servers: serving})
		}
		for _, place := range places {
			for _, entry := range servers {
				for _, method := range []string{"INVITE", "SUBSCRIBE"} {
					t.Run(fmt.Sprintf("%s/%s-in-at-%s", method, place, entry), func(t *testing.T) {
						reached := map[string]int{}
						follow(t, place, method, "", entry, "example.com", 0, reached)
						for s, n := range reached {
							if n != 1 || !slices.Contains(serving, s) {
								t.Errorf("%s was reached %d times", s, n)
							}
						}
						if len(reached) != len(serving) {
							t.Errorf("reached %v, want each of %v once", reached, serving)
						}
					})
				}
			}
		}
	}
}

// follow plays the network: what one server decides, the next one receives.
func follow(t *testing.T, place routing.Place, method, from, at, host string, hops int, reached map[string]int) {
	t.Helper()
	if hops > 3 {
		t.Fatalf("still under way after %d hops", hops)
	}
	scope, err := routing.ScopeOf(host, 0, names())
	if err != nil {
		t.Fatal(err)
	}
	targets, err := routing.Route(routing.Facts{
		Names: names(), Self: at, Peer: from, User: "alice", Place: place,
		Scope: scope, Class: routing.ClassOf(method),
	})
	if err != nil {
		t.Fatalf("%s from %q with host %s: %v", at, from, host, err)
	}
	for _, target := range targets {
		switch target.Kind {
		case routing.ToPeer:
			if target.Server == at || target.Server == from && target.Route {
				t.Fatalf("%s sends to %s", at, target)
			}
			follow(t, place, method, at, target.Server, target.Host, hops+1, reached)
		case routing.Compose:
			if slices.Contains(place.Servers, at) {
				reached[at]++
			}
		default:
			reached[at]++
		}
	}
}
