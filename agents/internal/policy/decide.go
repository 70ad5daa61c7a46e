package policy

import (
	"fmt"

	"presfed/db"
)

// Decide picks the rule that holds for a watcher. The most particular one
// decides alone: a rule for the watcher, else one for the watcher's domain, else
// the presentity's default, else the domain's. She herself sees everything.
func Decide(presentity, watcher string, rules []db.Rule, fallback db.Handling) Decision {
	if watcher == presentity && watcher != "" {
		return Decision{Handling: db.Allow, Why: "everybody may watch herself"}
	}
	_, domain := db.SplitAOR(watcher)
	var best *db.Rule
	for i := range rules {
		r := &rules[i]
		if r.Presentity == presentity && matches(r, watcher, domain) && (best == nil || rank(r) > rank(best)) {
			best = r
		}
	}
	if best == nil {
		return Decision{Handling: fallback, Why: fmt.Sprintf("no rule of %s is about %s; the domain's default is %s", presentity, called(watcher), fallback)}
	}
	rule := *best
	return Decision{Handling: rule.Handling, Rule: &rule, Why: "a rule says: " + rule.String()}
}

func matches(r *db.Rule, watcher, domain string) bool {
	switch r.Match {
	case db.MatchUser:
		return watcher != "" && r.Watcher == watcher
	case db.MatchDomain:
		return domain != "" && r.Watcher == domain
	case db.MatchDefault:
		return true
	}
	return false
}

func rank(r *db.Rule) int {
	switch r.Match {
	case db.MatchUser:
		return 3
	case db.MatchDomain:
		return 2
	}
	return 1
}

func called(watcher string) string {
	if watcher == "" {
		return "a watcher without a name"
	}
	return watcher
}
