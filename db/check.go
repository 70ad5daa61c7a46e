package db

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"presfed/routing"
)

// Level is how much a finding weighs.
type Level string

const (
	Wrong   Level = "error"   // cannot work
	Suspect Level = "warning" // may be meant
)

// Finding is one thing that cannot work, and what would mend it.
type Finding struct {
	Level   Level
	Rule    string // which check found it, such as user-unplaced
	Subject string // the user or server it is about
	What    string // what is wrong, in words
	Change  string // the command that mends it; words in capitals are to be filled in
}

func (f Finding) String() string { return fmt.Sprintf("%s: %s", f.Level, f.What) }

// Check looks for what cannot work: servers first, then users, each in order of
// name. No finding: none.
func (v View) Check(ctx context.Context) ([]Finding, error) {
	doc, err := v.checked(ctx)
	if err != nil {
		return nil, err
	}
	doc.checkServers()
	doc.checkUsers()
	doc.checkPlaces()
	doc.checkRules()
	doc.checkBuddies()
	slices.SortStableFunc(doc.found, func(a, b Finding) int {
		_, aServer := doc.server[a.Subject]
		_, bServer := doc.server[b.Subject]
		if aServer != bServer {
			return map[bool]int{true: -1, false: 1}[aServer]
		}
		return cmp.Compare(a.Subject, b.Subject)
	})
	return doc.found, nil
}

// checking is everything a check looks at.
type checking struct {
	domain  Domain
	servers []Server
	server  map[string]Server
	users   []User
	user    map[string]bool
	places  map[string]routing.Place
	rules   []Rule
	lists   []BuddyList
	found   []Finding
}

func (v View) checked(ctx context.Context) (c *checking, err error) {
	c = &checking{server: map[string]Server{}, user: map[string]bool{}, places: map[string]routing.Place{}}
	if c.domain, err = v.Domain(ctx); err != nil {
		return nil, err
	}
	if c.servers, err = v.Servers(ctx); err != nil {
		return nil, err
	}
	if c.users, err = v.Users(ctx); err != nil {
		return nil, err
	}
	places, err := v.Places(ctx)
	if err != nil {
		return nil, err
	}
	if c.rules, err = v.Policies(ctx); err != nil {
		return nil, err
	}
	if c.lists, err = v.BuddyLists(ctx); err != nil {
		return nil, err
	}
	for _, s := range c.servers {
		c.server[s.Name] = s
	}
	for _, u := range c.users {
		c.user[u.AOR] = true
	}
	for _, p := range places {
		c.places[p.AOR] = p.Place
	}
	return c, nil
}

func (c *checking) add(level Level, rule, subject, change, format string, args ...any) {
	if change != "" {
		change = "presfed directory " + change
	}
	c.found = append(c.found, Finding{level, rule, subject, fmt.Sprintf(format, args...), change})
}

// word quotes a word for a shell where it needs it.
func word(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("@%_+=:,./-", r)
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
