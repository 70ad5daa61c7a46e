// Package policy decides whether a watcher may see a presentity and whether a
// sender may talk to her.
//
// The rules are the directory's; how they are looked up is not decided here
// ([Lookup]).
package policy

import (
	"context"

	"presfed/db"
)

// Lookup gives a presentity's rules and the domain's default. ok is false for a
// user whom the domain does not know.
type Lookup func(ctx context.Context, presentity string) (rules []db.Rule, fallback db.Handling, ok bool, err error)

// Decision is what holds for one watcher, with the rule that says so.
type Decision struct {
	Handling db.Handling
	// Rule is the rule that decided; nil for the domain's default and for the
	// presentity herself.
	Rule *db.Rule
	Why  string
}

// Policy decides by looked-up rules. Safe for concurrent use.
type Policy struct{ lookup Lookup }

// New makes a Policy that asks lookup at each decision.
func New(lookup Lookup) *Policy { return &Policy{lookup: lookup} }

// Decide is the decision on a watcher, both addresses of record; a watcher who
// does not say who it is (RFC 3323) is "". An unknown presentity is an
// db.ErrNotFound.
func (p *Policy) Decide(ctx context.Context, presentity, watcher string) (Decision, error) {
	rules, fallback, ok, err := p.lookup(ctx, presentity)
	if err == nil && !ok {
		err = &db.NotFoundError{What: "user", Name: presentity}
	}
	if err != nil {
		return Decision{}, err
	}
	return Decide(presentity, watcher, rules, fallback), nil
}
