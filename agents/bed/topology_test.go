package bed_test

import (
	"strings"
	"testing"

	"presfed/agents/bed"
	"presfed/routing"
)

func TestParseTopology(t *testing.T) {
	for _, model := range bed.Models {
		text, err := bed.Example(model)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bed.ParseTopology(text); err != nil {
			t.Fatalf("the example of %s: %v", model, err)
		}
	}
	if _, err := bed.Example("mesh"); err == nil {
		t.Error("there is no example of a mesh")
	}
	example, _ := bed.Example(routing.Partitioned)
	for name, c := range map[string]struct{ from, to, want string }{
		"unknown field":        {"domain:", "domian:", "domian"},
		"no domain":            {"domain: example.com", "domain: ''", "domain is missing"},
		"no server":            {"servers: [server-a]", "servers: []", "who serves the user"},
		"unknown server":       {"servers: [server-b]", "servers: [server-c]", `no server "server-c"`},
		"two of one name":      {"name: bob-pc", "name: alice-pc", "alice-pc is there twice"},
		"two at one place":     {"at: 31", "at: 21", "alice-pc and bob-pc are both at 21"},
		"no place":             {"at: 31", "at: 0", "bob-pc: at is 0"},
		"a path for a name":    {"name: bob-pc", "name: ../bob", "no name of a participant"},
		"unknown answer":       {"answer: busy", "answer: maybe", "want auto, ring, early, busy or decline"},
		"another's server":     {"user: bob, at: 31", "user: bob, server: server-a, at: 31", "server-a does not serve bob"},
		"a calendar elsewhere": {"user: bob, at: 31", "user: bob, calendar: ../bob.ics, at: 31", "want the name of a file"},
		"unknown user":         {"user: bob, at: 31", "user: rob, at: 31", `no user "rob"`},
		"not a network":        {"127.10.20.0/24", "somewhere", "want a network"},
		"not loopback":         {"127.10.20.0/24", "10.0.0.0/24", "127.0.0.0/8"},
		"unknown model":        {"servers: [server-b]", "{servers: [server-b], model: x}", ""},
		"empty":                {string(example), "", "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(string(example), c.from, c.to, 1)
			_, err := bed.ParseTopology([]byte(text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
