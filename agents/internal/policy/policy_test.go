package policy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"presfed/agents/internal/policy"
	"presfed/db"
)

const bob = "bob@example.com"

func rule(match db.Match, watcher string, h db.Handling) db.Rule {
	return db.Rule{Presentity: bob, Match: match, Watcher: watcher, Handling: h}
}

func TestDecide(t *testing.T) {
	all := []db.Rule{
		rule(db.MatchDefault, "", db.Block),
		rule(db.MatchDomain, "example.com", db.Confirm),
		rule(db.MatchUser, "alice@example.com", db.Allow),
		rule(db.MatchUser, "mallory@example.com", db.PoliteBlock),
		{Presentity: "carol@example.com", Match: db.MatchUser, Watcher: "dave@example.org", Handling: db.Allow},
	}
	for _, tt := range []struct {
		name, watcher string
		rules         []db.Rule
		want          db.Handling
		byRule        bool
		why           string
	}{
		{"by user before by domain", "alice@example.com", all, db.Allow, true, "alice@example.com of bob@example.com: allow"},
		{"whatever the user rule says", "mallory@example.com", all, db.PoliteBlock, true, "polite-block"},
		{"by domain before the default", "eve@example.com", all, db.Confirm, true, "everybody of example.com"},
		{"the presentity's default before the domain's", "dave@example.org", all, db.Block, true, "everybody else"},
		{"the domain's default last", "dave@example.org", all[1:], db.Allow, false, "the domain's default is allow"},
		{"a domain rule is not about its subdomains", "x@b.example.com", all[1:], db.Allow, false, "default"},
		{"no rules", "alice@example.com", nil, db.Allow, false, "default"},
		{"herself, whatever the rules", bob, []db.Rule{rule(db.MatchUser, bob, db.Block)}, db.Allow, false, "herself"},
		{"without a name the default", "", all, db.Block, true, "everybody else"},
		{"without a name and default", "", all[1:], db.Allow, false, "without a name"},
	} {
		t.Run(strings.ReplaceAll(tt.name, " ", "-"), func(t *testing.T) {
			d := policy.Decide(bob, tt.watcher, tt.rules, db.Allow)
			if d.Handling != tt.want || (d.Rule != nil) != tt.byRule || !strings.Contains(d.Why, tt.why) {
				t.Errorf("%+v, want %s", d, tt.want)
			}
		})
	}
}

// The order of the rows decides nothing.
func TestOrderOfRulesIsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rules []db.Rule
		for _, w := range []string{"a@x.org", "b@x.org", "a@y.org"} {
			if rapid.Bool().Draw(t, w) {
				rules = append(rules, rule(db.MatchUser, w, rapid.SampledFrom(db.Handlings()).Draw(t, "handling")))
			}
		}
		for _, w := range []string{"x.org", "y.org", ""} {
			match := db.MatchDomain
			if w == "" {
				match = db.MatchDefault
			}
			if rapid.Bool().Draw(t, "domain "+w) {
				rules = append(rules, rule(match, w, rapid.SampledFrom(db.Handlings()).Draw(t, "handling")))
			}
		}
		watcher := rapid.SampledFrom([]string{"a@x.org", "b@x.org", "a@y.org", "c@z.org", ""}).Draw(t, "watcher")
		one := policy.Decide(bob, watcher, rules, db.Confirm)
		other := policy.Decide(bob, watcher, rapid.Permutation(rules).Draw(t, "rules"), db.Confirm)
		if one.Handling != other.Handling || one.Why != other.Why {
			t.Fatalf("%v, then %v", one, other)
		}
	})
}

func TestAnswers(t *testing.T) {
	for h, want := range map[db.Handling][2]int{
		db.Allow: {0, 0}, db.Block: {403, 403}, db.PoliteBlock: {0, 480}, db.Confirm: {0, 403}, "": {403, 403},
	} {
		d := policy.Decision{Handling: h}
		if got := [2]int{d.Subscription(), d.IM()}; got != want {
			t.Errorf("%q: SUBSCRIBE and MESSAGE get %v, want %v", h, got, want)
		}
	}
}

func TestLookup(t *testing.T) {
	gone := errors.New("gone")
	p := policy.New(func(_ context.Context, presentity string) ([]db.Rule, db.Handling, bool, error) {
		switch presentity {
		case bob:
			return []db.Rule{rule(db.MatchDefault, "", db.Block)}, db.Allow, true, nil
		case "broken@example.com":
			return nil, "", false, fmt.Errorf("lookup: %w", gone)
		}
		return nil, db.Allow, false, nil
	})
	if d, err := p.Decide(t.Context(), bob, "alice@example.com"); err != nil || d.Handling != db.Block {
		t.Errorf("bob's default: %v, %v", d, err)
	}
	if _, err := p.Decide(t.Context(), "nobody@example.com", "alice@example.com"); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("an unknown presentity: %v", err)
	}
	if d, err := p.Decide(t.Context(), "broken@example.com", "alice@example.com"); !errors.Is(err, gone) || d.Handling != "" {
		t.Errorf("a lookup that fails: %v, %v", d, err)
	}
}
