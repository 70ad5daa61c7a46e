package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// PolicyMode is where policy is applied to a unioned user.
type PolicyMode string

const (
	RootPolicy          PolicyMode = "root"           // at the root alone
	DistributedPolicy   PolicyMode = "distributed"    // each server by rules of its own
	ProvisionedPolicy   PolicyMode = "provisioned"    // each server by the directory's rules
	DecisionPointPolicy PolicyMode = "decision-point" // each server asks one place
)

// Domain is the domain's settings.
type Domain struct {
	Name string
	// Realm is what digests are bound to; empty takes the name.
	Realm string
	// PolicyMode empty takes RootPolicy.
	PolicyMode PolicyMode
	// Default is what no rule decides; empty takes Confirm.
	Default Handling
}

func (d Domain) canonical() (Domain, error) {
	var err error
	if d.Name, err = canonicalHost("domain", d.Name); err != nil {
		return d, err
	}
	if d.Realm == "" {
		d.Realm = d.Name
	}
	// It is quoted in headers and parted by colons in a digest.
	if strings.ContainsAny(d.Realm, "\"\\:\r\n") {
		return d, &InvalidError{Field: "realm", Value: d.Realm, Want: "text without quotes, colons and line ends"}
	}
	if d.PolicyMode == "" {
		d.PolicyMode = RootPolicy
	}
	if !slices.Contains([]PolicyMode{RootPolicy, DistributedPolicy, ProvisionedPolicy, DecisionPointPolicy}, d.PolicyMode) {
		return d, &InvalidError{Field: "policy mode", Value: string(d.PolicyMode), Want: "root, distributed, provisioned or decision-point"}
	}
	if d.Default == "" {
		d.Default = Confirm
	}
	return d, d.Default.valid()
}

const insertDomain = "INSERT INTO domain (only_row, name, realm, policy_mode, handling) VALUES (1, $1, $2, $3, $4)"

// Domain is the domain's settings.
func (v View) Domain(ctx context.Context) (d Domain, err error) {
	found, err := v.one(ctx, []any{&d.Name, &d.Realm, &d.PolicyMode, &d.Default},
		"SELECT name, realm, policy_mode, handling FROM domain")
	if err == nil && !found {
		err = &OpenError{Path: v.d.path, Err: ErrForeign, Reason: "has no domain"}
	}
	return d, err
}

// SetDomain changes the domain's settings. Its name stays while there are
// users; a new realm makes their HA1s worthless, which [Check] finds.
func (t *Tx) SetDomain(d Domain) error {
	d, err := d.canonical()
	if err != nil {
		return err
	}
	old, err := t.settings()
	if err != nil {
		return err
	}
	if old == d {
		return nil
	}
	if old.Name != d.Name {
		users, count, err := t.some("SELECT aor FROM account ORDER BY aor")
		if err != nil {
			return err
		}
		if count > 0 {
			return fmt.Errorf("the domain cannot become %q: %w", d.Name, &InUseError{What: "domain", Name: old.Name, By: users, Count: count})
		}
	}
	if _, err := t.exec("UPDATE domain SET name = $1, realm = $2, policy_mode = $3, handling = $4",
		d.Name, d.Realm, d.PolicyMode, d.Default); err != nil {
		return err
	}
	t.domain = &d
	t.touch(KindDomain, "")
	return nil
}

// settings is the domain's, read once in a change: no other can be made beside
// it.
func (t *Tx) settings() (Domain, error) {
	if t.domain == nil {
		d, err := t.Domain(t.tx.ctx)
		if err != nil {
			return d, err
		}
		t.domain = &d
	}
	return *t.domain, nil
}

// some is the first few of a query's names, and their number.
func (t *Tx) some(query string, args ...any) (first []string, count int, err error) {
	all, err := t.names(t.tx.ctx, query, args...)
	return all[:min(len(all), 3)], len(all), err
}
