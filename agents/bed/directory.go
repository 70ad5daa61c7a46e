package bed

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"presfed/agents/certs"
	"presfed/db"
)

// The files of a bed, in its folder.
func directoryIn(dir string) string     { return filepath.Join(dir, "directory.db") }
func certsIn(dir string) string         { return filepath.Join(dir, "certs") }
func stateIn(dir, server string) string { return filepath.Join(dir, server+".state") }

// ground is what a bed stands on before any role runs: where the servers listen
// for each other, the authority, the directory.
type ground struct {
	dir       string
	topology  *Topology
	links     map[string]netip.AddrPort // by server
	authority *certs.Authority
}

// lay makes the folder, the authority, and picks the links.
func lay(dir string, o *Options) (*ground, error) {
	g := &ground{dir: dir, topology: &o.Topology, links: map[string]netip.AddrPort{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	for _, s := range o.Topology.Servers {
		if g.links[s.Name], err = o.link(s.At); err != nil {
			return nil, err
		}
	}
	g.authority, err = certs.EnsureAuthority(certsIn(dir), "presfed bed", time.Now())
	return g, err
}

// certify gives a server its certificate.
func (g *ground) certify(s Server) (certs.Files, error) {
	_, files, err := g.authority.Issue(certs.Request{Name: s.Name, Hosts: []string{s.Host}, Replace: true}, time.Now())
	return files, err
}

// writeDirectory puts into the directory what the topology names and is not
// there yet. Of what is there only the servers' addresses are changed: a bed
// that goes up again keeps what its users have done to it.
func (g *ground) writeDirectory(ctx context.Context, links map[string]netip.AddrPort) error {
	t := g.topology
	_, missing := os.Stat(directoryIn(g.dir))
	d, err := db.Open(ctx, directoryIn(g.dir), db.Options{Create: missing != nil, Domain: db.Domain{Name: t.Domain}})
	if err != nil {
		return err
	}
	err = d.Update(ctx, func(tx *db.Tx) error {
		for _, s := range t.Servers {
			there := db.Server{Name: s.Name, URI: "sip:" + links[s.Name].String() + ";transport=tls", Identity: s.Host}
			put := tx.SetServer
			if _, err := tx.Server(ctx, s.Name); errors.Is(err, db.ErrNotFound) {
				put = tx.AddServer
			}
			if err := put(there); err != nil {
				return err
			}
		}
		var fresh []User
		for _, u := range t.Users {
			aor := t.aor(u.Name)
			if _, err := tx.User(ctx, aor); !errors.Is(err, db.ErrNotFound) {
				if err != nil {
					return err
				}
				continue
			}
			fresh = append(fresh, u)
			if err := tx.AddUser(db.User{AOR: aor, HA1: db.HA1s(aor, t.Domain, u.Password)}); err != nil {
				return err
			}
		}
		for _, u := range fresh { // now that everybody is there who may be named
			if err := t.settle(tx, u); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, d.Close())
}

// settle says who serves a user, whom she lets in and whom she knows.
func (t *Topology) settle(tx *db.Tx, u User) error {
	place, err := u.place()
	if err != nil {
		return err
	}
	errs := []error{tx.Assign(t.aor(u.Name), place)}
	for handling, watchers := range map[db.Handling][]string{db.Allow: u.Allow, db.Block: u.Block} {
		for _, w := range watchers {
			errs = append(errs, tx.SetRule(db.Rule{Presentity: t.aor(u.Name), Match: db.MatchUser, Watcher: t.aor(w), Handling: handling}))
		}
	}
	var buddies []string
	for _, b := range u.Buddies {
		buddies = append(buddies, t.aor(b))
	}
	if len(buddies) > 0 {
		errs = append(errs, tx.SetBuddies(t.aor(u.Name), buddies))
	}
	return errors.Join(errs...)
}

// aor is a user's address of record, who may be named by the user part alone.
func (t *Topology) aor(user string) string {
	aor, err := db.ParseAOR(user, t.Domain)
	if err != nil {
		return user // the directory says what is wrong with it
	}
	return aor
}

// allowed reads whom each user's own rules let in.
func (g *ground) allowed(ctx context.Context) (map[string][]string, error) {
	d, err := db.Open(ctx, directoryIn(g.dir), db.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, u := range g.topology.Users {
		rules, err := d.Policy(ctx, g.topology.aor(u.Name))
		if err != nil {
			return nil, errors.Join(err, d.Close())
		}
		for _, r := range rules {
			if r.Match == db.MatchUser && r.Handling == db.Allow {
				watcher, _ := db.SplitAOR(r.Watcher)
				out[u.Name] = append(out[u.Name], watcher)
			}
		}
	}
	return out, d.Close()
}
