package db

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// Handling is what a rule says about a watcher (the sub-handling of RFC 5025
// section 3.2.1).
type Handling string

const (
	Allow       Handling = "allow"
	Block       Handling = "block"        // refused, and told so
	PoliteBlock Handling = "polite-block" // sees somebody who is unavailable
	Confirm     Handling = "confirm"      // pending until the presentity decides
)

// Handlings lists every handling.
func Handlings() []Handling { return []Handling{Allow, Block, PoliteBlock, Confirm} }

func (h Handling) valid() error {
	if !slices.Contains(Handlings(), h) {
		return &InvalidError{Field: "handling", Value: string(h), Want: "allow, block, polite-block or confirm"}
	}
	return nil
}

// Match is which watchers a rule is about.
type Match string

const (
	MatchUser    Match = "user"    // one address of record
	MatchDomain  Match = "domain"  // everybody of a domain
	MatchDefault Match = "default" // everybody else
)

// ParseWatcher reads whom a rule is about as people write it: a user, "@domain" for
// everybody of a domain, "default" for everybody else.
func ParseWatcher(s string) (Match, string) {
	if s == "default" {
		return MatchDefault, ""
	}
	if domain, ok := strings.CutPrefix(s, "@"); ok {
		return MatchDomain, domain
	}
	return MatchUser, s
}

// Rule is one rule of a presentity's policy.
type Rule struct {
	Presentity string
	Match      Match
	Watcher    string // address of record, domain, or empty
	Handling   Handling
}

func (r Rule) String() string {
	whom := r.Watcher
	switch r.Match {
	case MatchDefault:
		whom = "everybody else"
	case MatchDomain:
		whom = "everybody of " + r.Watcher
	}
	return fmt.Sprintf("%s of %s: %s", whom, r.Presentity, r.Handling)
}

// canonical checks a rule; watchers may be of other domains.
func (r Rule) canonical(domain string) (Rule, error) {
	if err := r.Handling.valid(); err != nil {
		return r, err
	}
	var err error
	switch r.Match {
	case MatchUser:
		r.Watcher, err = ParseAOR(r.Watcher, domain)
	case MatchDomain:
		r.Watcher, err = canonicalHost("watcher's domain", strings.TrimPrefix(r.Watcher, "@"))
	case MatchDefault:
		if r.Watcher != "" {
			err = &InvalidError{Field: "watcher of the default rule", Value: r.Watcher, Want: "none"}
		}
	default:
		err = &InvalidError{Field: "match", Value: string(r.Match), Want: "user, domain or default"}
	}
	return r, err
}

// Policy is the rules of a presentity; none for one who has none.
func (v View) Policy(ctx context.Context, presentity string) ([]Rule, error) {
	return v.rules(ctx, "WHERE presentity = $1", presentity)
}

// Policies is everybody's rules, by presentity.
func (v View) Policies(ctx context.Context) ([]Rule, error) { return v.rules(ctx, "") }

func (v View) rules(ctx context.Context, where string, args ...any) (out []Rule, err error) {
	err = v.each(ctx, func(rows *sql.Rows) error {
		var r Rule
		err := rows.Scan(&r.Presentity, &r.Match, &r.Watcher, &r.Handling)
		out = append(out, r)
		return err
	}, "SELECT presentity, match, watcher, handling FROM rule "+where+" ORDER BY presentity, match DESC, watcher", args...)
	return out, err
}

// SetRule makes or changes a rule; ErrNotFound for an unknown presentity,
// *InvalidError.
func (t *Tx) SetRule(r Rule) error {
	r, err := t.ruleOf(r)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO rule (presentity, match, watcher, handling) VALUES ($1, $2, $3, $4)
		ON CONFLICT (presentity, match, watcher) DO UPDATE SET handling = excluded.handling`,
		r.Presentity, r.Match, r.Watcher, r.Handling)
	if err == nil {
		t.touch(KindPolicy, r.Presentity)
	}
	return err
}

// RemoveRule removes a rule, whatever its handling; ErrNotFound.
func (t *Tx) RemoveRule(r Rule) error {
	r.Handling = Confirm
	r, err := t.ruleOf(r)
	if err != nil {
		return err
	}
	n, err := t.exec("DELETE FROM rule WHERE presentity = $1 AND match = $2 AND watcher = $3", r.Presentity, r.Match, r.Watcher)
	if err == nil && n == 0 {
		err = &NotFoundError{What: "rule of " + r.Presentity + " for", Name: cmp.Or(r.Watcher, "everybody else")}
	}
	if err == nil {
		t.touch(KindPolicy, r.Presentity)
	}
	return err
}

func (t *Tx) ruleOf(r Rule) (Rule, error) {
	d, err := t.settings()
	if err != nil {
		return r, err
	}
	if err := t.knownUser(r.Presentity); err != nil {
		return r, err
	}
	return r.canonical(d.Name)
}
