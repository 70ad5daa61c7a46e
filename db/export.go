package db

import (
	"context"
	"io"

	"github.com/goccy/go-yaml"
)

const exportHeader = `# A directory of presfed, for presfed directory import. It holds password
# hashes: guard it as the passwords. In place of ha1, an import takes password.
`

// Export writes the whole directory as one readable YAML file, which [DB.Import]
// reads. Where the directory is the same, so is every byte.
func (v View) Export(ctx context.Context, w io.Writer) error {
	doc, err := v.document(ctx)
	if err != nil {
		return err
	}
	text, err := yaml.MarshalWithOptions(doc, yaml.IndentSequence(true))
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, exportHeader); err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

func (v View) document(ctx context.Context) (*document, error) {
	d, err := v.Domain(ctx)
	if err != nil {
		return nil, err
	}
	servers, err := v.Servers(ctx)
	if err != nil {
		return nil, err
	}
	users, err := v.Users(ctx)
	if err != nil {
		return nil, err
	}
	places, err := v.Places(ctx)
	if err != nil {
		return nil, err
	}
	rules, err := v.Policies(ctx)
	if err != nil {
		return nil, err
	}
	lists, err := v.BuddyLists(ctx)
	if err != nil {
		return nil, err
	}
	doc := &document{Format: format, Domain: &domainDocument{d.Name, d.Realm, d.PolicyMode, d.Default}}
	for _, s := range servers {
		doc.Servers = append(doc.Servers, serverDocument(s))
	}
	doc.Users = make([]userDocument, len(users))
	of := make(map[string]*userDocument, len(users))
	for i, u := range users {
		doc.Users[i] = exportUser(u, d)
		of[u.AOR] = &doc.Users[i]
	}
	for _, p := range places {
		u := of[p.AOR]
		u.Servers, u.Model, u.Root = p.Servers, p.Model, p.Root
	}
	for _, r := range rules {
		of[r.Presentity].addRule(r)
	}
	for _, l := range lists {
		of[l.Owner].Buddies = l.Buddies
	}
	return doc, nil
}

func exportUser(u User, d Domain) userDocument {
	doc := userDocument{User: u.AOR}
	if u.Display != "" {
		doc.Display = &u.Display
	}
	if u.Realm != d.Realm {
		doc.Realm = u.Realm
	}
	if len(u.HA1) > 0 {
		doc.HA1 = &ha1Document{u.HA1[MD5], u.HA1[SHA256], u.HA1[SHA512256]}
	}
	return doc
}

func (u *userDocument) addRule(r Rule) {
	if u.Policy == nil {
		u.Policy = &policyDocument{}
	}
	p := u.Policy
	switch r.Match {
	case MatchUser:
		if p.Users == nil {
			p.Users = map[string]Handling{}
		}
		p.Users[r.Watcher] = r.Handling
	case MatchDomain:
		if p.Domains == nil {
			p.Domains = map[string]Handling{}
		}
		p.Domains[r.Watcher] = r.Handling
	case MatchDefault:
		p.Default = r.Handling
	}
}
