package bed

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"

	"presfed/db"
	"presfed/routing"
)

// The domain of a bed, and its servers' host names.
const (
	Domain = "example.com"
	hostOf = ".example.com"
)

// host is a server's host name, which its certificate proves: servera for server-a.
func host(server string) string { return "server" + server[len("server-"):] + hostOf }

// password is what a user of a bed has.
func password(user string) string { return user + "'s password" }

// served says who serves whom.
// Carol has no device; Bob allows her too.
var served = map[string]string{"alice": "server-a", "bob": "server-b", "carol": "server-a"}

// writeDirectory makes the directory: the servers where they will listen for each
// other, alice on the one, bob on the other, each allowing the other.
func (b *Bed) writeDirectory(ctx context.Context, links map[string]netip.AddrPort) error {
	d, err := db.Open(ctx, b.directory(), db.Options{Create: true, Domain: db.Domain{Name: Domain}})
	if err != nil {
		return err
	}
	err = d.Update(ctx, func(tx *db.Tx) error {
		var errs []error
		for name, at := range links {
			errs = append(errs, tx.AddServer(db.Server{Name: name, URI: "sip:" + at.String() + ";transport=tls", Identity: host(name)}))
		}
		for user, server := range served {
			aor := user + "@" + Domain
			errs = append(errs,
				tx.AddUser(db.User{AOR: aor, HA1: db.HA1s(aor, Domain, password(user))}),
				tx.Assign(aor, routing.Place{Model: routing.Partitioned, Servers: []string{server}}))
		}
		for _, rule := range [][2]string{{"alice", "bob"}, {"bob", "alice"}, {"bob", "carol"}} {
			errs = append(errs, tx.SetRule(db.Rule{
				Presentity: rule[0] + "@" + Domain, Match: db.MatchUser, Watcher: rule[1] + "@" + Domain, Handling: db.Allow,
			}))
		}
		return errors.Join(errs...)
	})
	return errors.Join(err, d.Close())
}

// allowed reads whom each user's own rules let in.
func (b *Bed) allowed(ctx context.Context) (map[string][]string, error) {
	d, err := db.Open(ctx, b.directory(), db.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for user := range served {
		rules, err := d.Policy(ctx, user+"@"+Domain)
		if err != nil {
			return nil, errors.Join(err, d.Close())
		}
		for _, r := range rules {
			if r.Match == db.MatchUser && r.Handling == db.Allow {
				watcher, _ := db.SplitAOR(r.Watcher)
				out[user] = append(out[user], watcher)
			}
		}
	}
	return out, d.Close()
}

func (b *Bed) directory() string { return filepath.Join(b.dir, "directory.sqlite") }
