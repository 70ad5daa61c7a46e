package presrules

import (
	"fmt"
	"slices"
	"strings"

	"presfed/agents/internal/message"
	"presfed/agents/internal/strictxml"
	"presfed/db"
)

// Limits of a document.
var Limits = strictxml.Limits{Bytes: 128 << 10, Depth: 16, Elements: 8192, Attributes: 16}

// rule is one of a document, as far as we can do what it says.
type rule struct {
	ones     map[string]bool // addresses of record
	many     []many
	handling db.Handling
}

// many is everybody, or everybody of a domain, but for some.
type many struct {
	domain        string
	exceptOnes    map[string]bool
	exceptDomains map[string]bool
}

func (r rule) matches(one, domain string) bool {
	if one != "" && r.ones[one] {
		return true
	}
	return slices.ContainsFunc(r.many, func(m many) bool {
		return (m.domain == "" || m.domain == domain) && !(one != "" && m.exceptOnes[one]) && !(domain != "" && m.exceptDomains[domain])
	})
}

// order is that of RFC 5025 section 3.2.1: of two permissions the greater counts.
var order = []db.Handling{db.Block, db.Confirm, db.PoliteBlock, db.Allow}

func decide(rules []rule, one, domain string) db.Handling {
	most := 0
	for _, r := range rules {
		if r.matches(one, domain) {
			most = max(most, slices.Index(order, r.handling))
		}
	}
	return order[most]
}

// Parse reads a presentity's document. The rules have one for everybody else, the
// last. The error is an *Error.
func Parse(doc []byte, presentity, domain string) ([]db.Rule, error) {
	root, err := strictxml.Parse(doc, Limits)
	if err != nil {
		return nil, &Error{NotWellFormed, err.Error()}
	}
	if !root.Is(policySpace, "ruleset") {
		return nil, &Error{Schema, "want a ruleset of " + policySpace}
	}
	var rules []rule
	ids := map[string]bool{}
	for _, e := range root.Children {
		if !e.Is(policySpace, "rule") {
			return nil, &Error{Schema, fmt.Sprintf("%.40q in a ruleset, want rules", e.Local)}
		}
		id := e.AttrToken("id")
		if id == "" || ids[id] {
			return nil, &Error{Schema, "each rule wants an id of its own"}
		}
		ids[id] = true
		r, err := readRule(e, domain)
		if err != nil {
			err.What = fmt.Sprintf("rule %.40q: %s", id, err.What)
			return nil, err
		}
		rules = append(rules, r)
	}
	return named(rules, presentity), nil
}

// named asks the document about all whom it names, and everybody else.
func named(rules []rule, presentity string) (out []db.Rule) {
	ones, domains := map[string]bool{}, map[string]bool{}
	for _, r := range rules {
		add(ones, r.ones)
		for _, m := range r.many {
			add(ones, m.exceptOnes)
			add(domains, m.exceptDomains)
			if m.domain != "" {
				domains[m.domain] = true
			}
		}
	}
	for _, one := range sorted(ones) {
		_, domain := db.SplitAOR(one)
		out = append(out, db.Rule{Presentity: presentity, Match: db.MatchUser, Watcher: one, Handling: decide(rules, one, domain)})
	}
	for _, domain := range sorted(domains) {
		out = append(out, db.Rule{Presentity: presentity, Match: db.MatchDomain, Watcher: domain, Handling: decide(rules, "", domain)})
	}
	return append(out, db.Rule{Presentity: presentity, Match: db.MatchDefault, Handling: decide(rules, "", "")})
}

func add(to, from map[string]bool) {
	for name := range from {
		to[name] = true
	}
}

func sorted(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func readRule(e *strictxml.Element, domain string) (rule, *Error) {
	r := rule{ones: map[string]bool{}, handling: db.Block}
	for _, part := range []string{"conditions", "actions", "transformations"} {
		if len(e.All(part)) > 1 {
			return r, &Error{Schema, "want " + part + " once"}
		}
	}
	conditions := 0
	for _, of := range e.All("conditions") {
		for _, c := range of.Children {
			switch conditions++; {
			case !c.Is(policySpace, "identity"):
				return r, &Error{Constraint, fmt.Sprintf("the condition %.40q: watchers are told apart by who they are alone", c.Local)}
			case conditions > 1: // RFC 4745 section 6: all of them would have to hold
				return r, &Error{Constraint, "a rule for those who are in several identities: want one identity"}
			}
			if err := r.identity(c, domain); err != nil {
				return r, err
			}
		}
	}
	if conditions == 0 {
		r.many = []many{{}} // it is for everybody
	}
	handled := false
	for _, actions := range e.All("actions") {
		for _, a := range actions.Children {
			if !a.Is(rulesSpace, "sub-handling") {
				continue // RFC 4745 section 8: what is not known permits nothing
			}
			if r.handling = db.Handling(a.Token()); handled || !slices.Contains(order, r.handling) {
				return r, &Error{Schema, fmt.Sprintf("sub-handling %.40q: want one, of block, confirm, polite-block and allow", a.Token())}
			}
			handled = true
		}
	}
	if r.handling == db.Allow && !showsAll(e) {
		return r, &Error{Constraint, "a watcher who is allowed is shown all: want all-services, all-persons, all-devices and provide-all-attributes"}
	}
	return r, nil
}

func (r *rule) identity(e *strictxml.Element, domain string) *Error {
	for _, c := range e.Children {
		switch {
		case c.Is(policySpace, "one"):
			one, err := address(c, domain)
			if err != nil {
				return err
			}
			r.ones[one] = true
		case c.Is(policySpace, "many"):
			m := many{domain: strings.ToLower(c.AttrToken("domain")), exceptOnes: map[string]bool{}, exceptDomains: map[string]bool{}}
			for _, x := range c.Children {
				switch {
				case !x.Is(policySpace, "except"):
					return &Error{Constraint, fmt.Sprintf("%.40q in many", x.Local)}
				case x.AttrToken("domain") != "" && x.AttrToken("id") == "":
					m.exceptDomains[strings.ToLower(x.AttrToken("domain"))] = true
				default:
					one, err := address(x, domain)
					if err != nil {
						return err
					}
					m.exceptOnes[one] = true
				}
			}
			r.many = append(r.many, m)
		default:
			return &Error{Constraint, fmt.Sprintf("the identity %.40q: want one or many", c.Local)}
		}
	}
	return nil
}

func address(e *strictxml.Element, domain string) (string, *Error) {
	id := e.AttrToken("id")
	scheme, rest, _ := strings.Cut(id, ":")
	if len(e.Children) > 0 || !slices.Contains([]string{"sip", "sips", "pres"}, strings.ToLower(scheme)) {
		return "", &Error{Constraint, fmt.Sprintf("the watcher %.80q: want sip:USER@DOMAIN", id)}
	}
	if e.AttrToken("domain") != "" {
		return "", &Error{Schema, fmt.Sprintf("the watcher %.80q with a domain: want one of them", id)} // RFC 4745 section 7.2
	}
	user, host, found := strings.Cut(rest, "@")
	if !found {
		host = domain
	}
	aor, err := db.ParseAOR(message.Unescape(user)+"@"+host, domain)
	if err != nil {
		return "", &Error{Constraint, fmt.Sprintf("the watcher %.80q: %v", id, err)}
	}
	return aor, nil
}

// showsAll: whoever is allowed is shown everything; to show her a part is nothing
// that we can do.
func showsAll(e *strictxml.Element) bool {
	provided := map[string]bool{}
	for _, t := range e.All("transformations") {
		for _, p := range t.Children {
			if p.Space != rulesSpace {
				continue
			}
			provided[p.Local] = true
			for _, all := range p.Children {
				provided[p.Local+"/"+all.Local] = true
			}
		}
	}
	for _, want := range []string{"provide-services/all-services", "provide-persons/all-persons", "provide-devices/all-devices", "provide-all-attributes"} {
		if !provided[want] {
			return false
		}
	}
	return true
}
