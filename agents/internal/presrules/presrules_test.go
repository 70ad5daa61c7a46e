package presrules

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"presfed/agents/internal/policy"
	"presfed/agents/programs"
	"presfed/db"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const alice = "alice@example.com"

func rules(t *rapid.T) (out []db.Rule) {
	handling := rapid.SampledFrom(db.Handlings())
	for _, one := range []string{"a@example.com", "b@example.com", "a@example.org", "c&d@example.net", "%61@example.com"} {
		if rapid.Bool().Draw(t, one) {
			out = append(out, db.Rule{Presentity: alice, Match: db.MatchUser, Watcher: one, Handling: handling.Draw(t, "handling")})
		}
	}
	for _, domain := range []string{"example.com", "example.org"} {
		if rapid.Bool().Draw(t, domain) {
			out = append(out, db.Rule{Presentity: alice, Match: db.MatchDomain, Watcher: domain, Handling: handling.Draw(t, "handling")})
		}
	}
	if rapid.Bool().Draw(t, "default") {
		out = append(out, db.Rule{Presentity: alice, Match: db.MatchDefault, Handling: handling.Draw(t, "handling")})
	}
	return out
}

var watchers = []string{"%61@example.com", "a@example.com", "b@example.com", "c@example.com", "a@example.org", "b@example.org", "c&d@example.net", "x@example.edu"}

// TestThereAndBack: what was written and read decides on everybody as before.
func TestThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := rules(t)
		fallback := rapid.SampledFrom(db.Handlings()).Draw(t, "fallback")
		doc := Bytes(before, fallback)
		after, err := Parse(doc, alice, "example.com")
		if err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		for _, watcher := range watchers {
			want := policy.Decide(alice, watcher, before, fallback).Handling
			if got := policy.Decide(alice, watcher, after, db.Confirm).Handling; got != want {
				t.Fatalf("%s: %s, was %s\n%s", watcher, got, want, doc)
			}
		}
	})
}

// TestSchema: what we write is valid by the RFCs' schemas.
func TestSchema(t *testing.T) {
	lint := programs.Need(t, "xmllint", "libxml2-utils", "our documents against the schemas")
	schema, err := filepath.Abs(filepath.Join("testdata", "xsd", "pres-rules.xsd"))
	if err != nil {
		t.Fatal(err)
	}
	common := strings.Replace(schema, "pres-rules.xsd", "common-policy.xsd", 1)
	all := filepath.Join(t.TempDir(), "all.xsd")
	if err := os.WriteFile(all, []byte(`<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:import namespace="`+policySpace+`" schemaLocation="`+common+
		`"/><xs:import namespace="`+rulesSpace+`" schemaLocation="`+schema+`"/></xs:schema>`), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "doc.xml")
	doc := Bytes([]db.Rule{
		{Match: db.MatchUser, Watcher: "bob@example.com", Handling: db.Allow}, {Match: db.MatchUser, Watcher: "c&d@example.org", Handling: db.PoliteBlock},
		{Match: db.MatchDomain, Watcher: "example.org", Handling: db.Block},
	}, db.Confirm)
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(lint, "--nonet", "--noout", "--schema", all, path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, doc)
	}
}

const all = `<p:provide-services><p:all-services/></p:provide-services><p:provide-persons><p:all-persons/></p:provide-persons><p:provide-devices><p:all-devices/></p:provide-devices><p:provide-all-attributes/>`

func ruleset(rules string) string {
	return `<ruleset xmlns="urn:ietf:params:xml:ns:common-policy" xmlns:p="urn:ietf:params:xml:ns:pres-rules">` + rules + `</ruleset>`
}

func one(id, identity, handling string) string {
	return fmt.Sprintf(`<rule id="%s"><conditions><identity>%s</identity></conditions><actions><p:sub-handling>%s</p:sub-handling></actions><transformations>%s</transformations></rule>`, id, identity, handling, all)
}

// TestAdded: permissions of several rules are added up, and who is in none is
// blocked (RFC 4745 section 10.2, RFC 5025 section 3.2.1).
func TestAdded(t *testing.T) {
	doc := ruleset(
		one("1", `<one id="sip:A@EXAMPLE.com"/><one id="pres:b@example.com"/>`, "confirm") +
			one("2", `<many domain="Example.com"><except id="sip:%62@example.com"/></many>`, "polite-block") +
			one("3", `<many><except domain="example.com"/><except id="sip:x@example.edu"/></many>`, "allow"))
	got, err := Parse([]byte(doc), alice, "example.com")
	if err != nil {
		t.Fatal(err)
	}
	for watcher, want := range map[string]db.Handling{
		"A@example.com": db.PoliteBlock, "b@example.com": db.Confirm, "c@example.com": db.PoliteBlock,
		"a@example.org": db.Allow, "x@example.edu": db.Block, "y@example.edu": db.Allow,
	} {
		if d := policy.Decide(alice, watcher, got, db.Confirm).Handling; d != want {
			t.Errorf("%s: %s, want %s", watcher, d, want)
		}
	}
	empty, err := Parse([]byte(ruleset("")), alice, "example.com")
	if err != nil || policy.Decide(alice, "b@example.com", empty, db.Allow).Handling != db.Block {
		t.Errorf("no rules: %v, %v", empty, err)
	}
}

func TestRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		doc  string
		kind Kind
	}{
		"no XML":                  {"<ruleset", NotWellFormed},
		"a document type":         {"<!DOCTYPE r>" + ruleset(""), NotWellFormed},
		"too large":               {strings.Repeat(" ", 200<<10), NotWellFormed},
		"another root":            {"<ruleset/>", Schema},
		"an id twice":             {ruleset(one("1", `<one id="sip:a@b"/>`, "block") + one("1", `<one id="sip:a@b"/>`, "block")), Schema},
		"a handling":              {ruleset(one("1", `<one id="sip:a@b"/>`, "perhaps")), Schema},
		"a sphere":                {ruleset(`<rule id="1"><conditions><sphere value="work"/></conditions></rule>`), Constraint},
		"a telephone":             {ruleset(one("1", `<one id="tel:+123"/>`, "block")), Constraint},
		"a part of it":            {ruleset(strings.Replace(one("1", `<one id="sip:a@b"/>`, "allow"), "<p:provide-all-attributes/>", "<p:provide-mood>true</p:provide-mood>", 1)), Constraint},
		"another's identity":      {ruleset(one("1", `<x xmlns="u"/>`, "allow")), Constraint},
		"what is no rule":         {ruleset(`<other/>`), Schema},
		"two identities":          {ruleset(one("1", `<one id="sip:a@b"/></identity><identity><many/>`, "allow")), Constraint},
		"two sets of conditions":  {ruleset(strings.Replace(one("1", `<one id="sip:a@b"/>`, "allow"), "<conditions>", "<conditions/><conditions>", 1)), Schema},
		"two handlings":           {ruleset(one("1", `<one id="sip:a@b"/>`, "block</p:sub-handling><p:sub-handling>allow")), Schema},
		"a user by domain":        {ruleset(one("1", `<one id="sip:a@b" domain="c"/>`, "allow")), Schema},
		"except a user by domain": {ruleset(one("1", `<many><except id="sip:a@b" domain="c"/></many>`, "allow")), Schema},
		"something in except":     {ruleset(one("1", `<many><x xmlns="u"/></many>`, "allow")), Constraint},
	} {
		_, err := Parse([]byte(tt.doc), alice, "example.com")
		var refused *Error
		if !errors.As(err, &refused) || refused.Kind != tt.kind {
			t.Errorf("%s: %v, want %s", name, err, tt.kind)
		}
	}
}

// FuzzParse: what is read is written so that it is read alike.
func FuzzParse(f *testing.F) {
	f.Add([]byte(ruleset(one("1", `<one id="sip:a@example.com"/><many domain="x.org"><except id="sip:b@x.org"/></many>`, "allow"))))
	f.Add(Bytes(nil, db.Confirm))
	f.Fuzz(func(t *testing.T, doc []byte) {
		before, err := Parse(doc, alice, "example.com")
		if err != nil {
			return
		}
		written := Bytes(before, db.Block)
		after, err := Parse(written, alice, "example.com")
		if err != nil && len(written) < Limits.Bytes/2 || err == nil && !slices.Equal(before, after) {
			t.Fatalf("%v\n%v\n%v\n%s", err, before, after, written)
		}
	})
}
