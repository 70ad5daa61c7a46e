package client

import (
	"strings"
	"testing"

	"presfed/agents/internal/message"
)

// FuzzSubscriptionState: what is read, written again, is read the same; a state
// is one word in lower case.
func FuzzSubscriptionState(f *testing.F) {
	for _, s := range []string{"active", "Active;expires=60", "terminated;reason=noresource;retry-after=5", "pending ; x=\"a;b\"", ";", "", "a b"} {
		f.Add(s)
	}
	read := func(v string) (string, message.Params, error) {
		req := message.NewRequest(message.NOTIFY, message.URI{Scheme: "sip", Host: "h"})
		message.Add(req, "Subscription-State", v)
		return subscriptionState(req)
	}
	f.Fuzz(func(t *testing.T, v string) {
		state, params, err := read(v)
		if err != nil {
			return
		}
		if state == "" || len(strings.Fields(state)) != 1 || strings.Contains(state, ";") || state != strings.ToLower(state) {
			t.Fatalf("%q: state %q", v, state)
		}
		again := state
		for _, p := range params {
			again += ";" + p.Name
			if p.Value != "" {
				again += "=" + p.Value
			}
		}
		state2, params2, err := read(again)
		if err != nil || state2 != state || len(params2) != len(params) {
			t.Fatalf("%q, written %q: %q %v, %v", v, again, state2, params2, err)
		}
	})
}
