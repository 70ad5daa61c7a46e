package presrules

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"presfed/db"
)

// Bytes writes a presentity's rules; fallback is what holds where none of them
// does.
func Bytes(rules []db.Rule, fallback db.Handling) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<cr:ruleset xmlns="` + rulesSpace + `" xmlns:cr="` + policySpace + `">`)
	rules = slices.Clone(rules)
	if !slices.ContainsFunc(rules, func(r db.Rule) bool { return r.Match == db.MatchDefault }) {
		rules = append(rules, db.Rule{Match: db.MatchDefault, Handling: fallback})
	}
	for i, r := range rules {
		fmt.Fprintf(&b, "\n  <cr:rule id=\"r%d\">\n    <cr:conditions>\n      <cr:identity>", i+1)
		switch r.Match {
		case db.MatchUser:
			b.WriteString("\n        <cr:one")
			put(&b, "id", uri(r.Watcher))
			b.WriteString("/>")
		default:
			b.WriteString("\n        <cr:many")
			if r.Match == db.MatchDomain {
				put(&b, "domain", r.Watcher)
			}
			b.WriteByte('>')
			for _, except := range rules {
				_, domain := db.SplitAOR(except.Watcher)
				switch {
				case except.Match == db.MatchUser && (r.Match == db.MatchDefault || domain == r.Watcher):
					b.WriteString("\n          <cr:except")
					put(&b, "id", uri(except.Watcher))
					b.WriteString("/>")
				case except.Match == db.MatchDomain && r.Match == db.MatchDefault:
					b.WriteString("\n          <cr:except")
					put(&b, "domain", except.Watcher)
					b.WriteString("/>")
				}
			}
			b.WriteString("\n        </cr:many>")
		}
		b.WriteString("\n      </cr:identity>\n    </cr:conditions>\n    <cr:actions>\n      <sub-handling>" + string(r.Handling) + "</sub-handling>\n    </cr:actions>")
		if r.Handling == db.Allow {
			b.WriteString(`
    <cr:transformations>
      <provide-services><all-services/></provide-services>
      <provide-persons><all-persons/></provide-persons>
      <provide-devices><all-devices/></provide-devices>
      <provide-all-attributes/>
    </cr:transformations>`)
		}
		b.WriteString("\n  </cr:rule>")
	}
	b.WriteString("\n</cr:ruleset>\n")
	return b.Bytes()
}

// uri is whom an address of record names, in whom nothing is escaped.
func uri(aor string) string { return "sip:" + strings.ReplaceAll(aor, "%", "%25") }

func put(b *bytes.Buffer, name, value string) {
	b.WriteString(" " + name + `="`)
	_ = xml.EscapeText(b, []byte(value)) // a buffer does not fail
	b.WriteByte('"')
}
