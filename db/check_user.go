package db

import (
	"slices"
	"strings"

	"presfed/routing"
)

// checkUsers looks for users nobody could be.
func (c *checking) checkUsers() {
	for _, u := range c.users {
		set := "user set " + word(u.AOR) + " --password-file FILE"
		if _, host := SplitAOR(u.AOR); host != c.domain.Name {
			c.add(Wrong, "user-domain", u.AOR, "user remove "+word(u.AOR), "%s is not of the domain %s", u.AOR, c.domain.Name)
		}
		switch {
		case len(u.HA1) == 0:
			c.add(Suspect, "user-password", u.AOR, set, "%s has no password: no device of that user can log in", u.AOR)
		case u.Realm != c.domain.Realm:
			c.add(Wrong, "user-realm", u.AOR, set, "the password of %s is bound to the realm %q, and the domain's is %q", u.AOR, u.Realm, c.domain.Realm)
		}
	}
}

// checkPlaces looks for users whom no request reaches.
func (c *checking) checkPlaces() {
	for _, u := range c.users {
		p := c.places[u.AOR]
		mend := func(p routing.Place) string {
			words := []string{"assign", word(u.AOR)}
			for _, s := range p.Servers {
				words = append(words, word(s))
			}
			words = append(words, "--model", string(p.Model))
			if p.Root != "" {
				words = append(words, "--root", word(p.Root))
			}
			return strings.Join(words, " ")
		}
		with := func(m routing.Model, root string) string {
			return mend(routing.Place{Model: m, Servers: p.Servers, Root: root})
		}
		switch {
		case p.Model == routing.Exclusive && p.Nowhere():
			// Bound to no server at the moment.
		case p.Nowhere():
			place := routing.Place{Model: routing.Partitioned, Servers: []string{"SERVER"}}
			if p.Model.Unioned() {
				place.Model = p.Model
			}
			if len(c.servers) > 0 {
				place.Servers[0] = c.servers[0].Name
			}
			if place.Model == routing.Hierarchical {
				place.Root = place.Servers[0]
			}
			c.add(Wrong, "user-unplaced", u.AOR, mend(place), "%s is served by no server", u.AOR)
		case !p.Model.Unioned() && len(p.Servers) > 1:
			c.add(Wrong, "user-servers", u.AOR, mend(routing.Place{Model: p.Model, Servers: p.Servers[:1]}),
				"%s is %s, which allows one server, and is placed on %s", u.AOR, p.Model, strings.Join(p.Servers, ", "))
		case p.Model == routing.Hierarchical && p.Root == "":
			c.add(Wrong, "user-rootless", u.AOR, with(p.Model, p.Servers[0]), "%s is hierarchical and has no root", u.AOR)
		case p.Model == routing.Hierarchical && !slices.Contains(p.Servers, p.Root):
			c.add(Wrong, "user-root", u.AOR, with(p.Model, p.Servers[0]), "the root of %s is %s, which does not serve that user", u.AOR, p.Root)
		case p.Model != routing.Hierarchical && p.Root != "":
			c.add(Wrong, "user-root", u.AOR, with(p.Model, ""), "%s is %s and has a root, %s", u.AOR, p.Model, p.Root)
		}
	}
}

// checkRules looks for rules about users of this domain whom nobody knows.
func (c *checking) checkRules() {
	for _, r := range c.rules {
		if r.Match == MatchUser && c.stranger(r.Watcher) {
			c.add(Wrong, "policy-watcher", r.Presentity, "policy remove "+word(r.Presentity)+" "+word(r.Watcher),
				"a rule of %s is about %s, whom the directory does not know", r.Presentity, r.Watcher)
		}
	}
}

// checkBuddies looks for buddies of this domain whom nobody knows.
func (c *checking) checkBuddies() {
	for _, l := range c.lists {
		for _, b := range l.Buddies {
			if c.stranger(b) {
				c.add(Wrong, "buddy", l.Owner, "buddy remove "+word(l.Owner)+" "+word(b),
					"the buddy list of %s has %s, whom the directory does not know", l.Owner, b)
			}
		}
	}
}

// stranger is an address of this domain that is no user's. Other domains' users
// are not for this directory to judge.
func (c *checking) stranger(aor string) bool {
	_, host := SplitAOR(aor)
	return host == c.domain.Name && !c.user[aor]
}
