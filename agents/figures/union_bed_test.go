package figures

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"presfed/agents/certs"
	"presfed/agents/programs"
	"presfed/db"
	"presfed/routing"
)

// unionBed is server-a and server-b as processes, and users who are placed on
// both, or on server-a alone.
type unionBed struct {
	t         *testing.T
	binary    string
	dir       string // where everything is kept, the servers' states as server-x.state
	directory string
	authority *certs.Authority
	flags     []string
	enter     string // what runs a server where it is to run; "": nothing
	servers   map[string]*process
	listen    map[string][]string // where a server that is started listens
	load      *load
}

// newUnionBed has users u0, u1, ... placed so, and watchers wa0, wa1, ... on
// server-a and wb0, ... on server-b. The servers listen at tcp for clients and for each other at
// link, as tls:127.0.0.1:0; by UDP they know each other by address.
func newUnionBed(ctx context.Context, t *testing.T, place routing.Place, mode db.PolicyMode, users, watchers int, tcp, link string, flags ...string) *unionBed {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc, and other loopback addresses than 127.0.0.1")
	}
	binary := programs.Ours(t)
	dir := t.TempDir()
	b := &unionBed{t: t, binary: binary, dir: dir, directory: filepath.Join(dir, "directory.db"), flags: flags, servers: map[string]*process{}, listen: map[string][]string{}}
	var err error
	if b.authority, err = certs.NewAuthority(dir, "figures", time.Now()); err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(ctx, b.directory, db.Options{Create: true, Domain: db.Domain{Name: "example.com", Default: db.Allow, PolicyMode: mode}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	b.update(ctx, func(tx *db.Tx) error {
		for _, x := range []string{"a", "b"} {
			if err := tx.AddServer(db.Server{Name: "server-" + x, URI: "sip:" + b.known(link, x, ""), Identity: "server" + x + ".example.com"}); err != nil {
				return err
			}
			for i := range watchers {
				if err := add(tx, fmt.Sprint("w", x, i), routing.Place{Model: routing.Partitioned, Servers: []string{"server-" + x}}); err != nil {
					return err
				}
			}
		}
		for i := range users {
			if err := add(tx, fmt.Sprint("u", i), place); err != nil {
				return err
			}
		}
		return nil
	})
	at := map[string]string{}
	for _, x := range []string{"a", "b"} {
		name, host := "server-"+x, "server"+x+".example.com"
		if _, _, err := b.authority.Issue(certs.Request{Name: name, Hosts: []string{host}}, time.Now()); err != nil {
			t.Fatal(err)
		}
		b.listen[x] = []string{tcp, link}
		b.start(ctx, x)
		at[x] = b.servers[x].tcp
	}
	b.reach(ctx, map[string]string{"a": b.servers["a"].link, "b": b.servers["b"].link})
	b.load = newLoad(t, at)
	return b
}

// start runs a server, where it was before if it was.
func (b *unionBed) start(ctx context.Context, x string) {
	b.t.Helper()
	args := append([]string{"server-" + x, "--directory", b.directory, "--certs", b.dir, "--listen", b.listen[x][0], "--listen", b.listen[x][1],
		"--no-auth", "--admin", "127.0.0.1:0", "--share-expires", "1h"}, b.flags...)
	program := b.binary
	if b.enter != "" {
		program, args = b.enter, append([]string{b.binary}, args...)
	}
	p := serve(ctx, b.t, "server-"+x, program, args...)
	b.servers[x], b.listen[x] = p, []string{"tcp:" + p.tcp, p.transport + ":" + p.link}
}

// state is the file of a server's state.
func (b *unionBed) state(x string) string { return filepath.Join(b.dir, "server-"+x+".state") }

// reach says where the servers reach each other.
func (b *unionBed) reach(ctx context.Context, at map[string]string) {
	b.t.Helper()
	b.update(ctx, func(tx *db.Tx) error {
		for x, addr := range at {
			if err := tx.SetServer(db.Server{Name: "server-" + x, URI: "sip:" + b.known(b.servers[x].transport, x, addr), Identity: "server" + x + ".example.com"}); err != nil {
				return err
			}
		}
		return nil
	})
}

// known is how the directory says where a server is; "" is where nobody knows it yet.
func (b *unionBed) known(link, x, addr string) string {
	transport := link[:3]
	switch {
	case addr == "" && transport == "udp":
		addr = "127.0.0.1:9"
	case addr == "":
		addr = "server" + x + ".example.com"
	}
	return addr + ";transport=" + transport
}

func add(tx *db.Tx, user string, place routing.Place) error {
	if err := tx.AddUser(db.User{AOR: user + "@example.com"}); err != nil {
		return err
	}
	return tx.Assign(user+"@example.com", place)
}

// update changes the directory in one go.
func (b *unionBed) update(ctx context.Context, change func(*db.Tx) error) {
	b.t.Helper()
	d, err := db.Open(ctx, b.directory, db.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer d.Close()
	if err := d.Update(ctx, change); err != nil {
		b.t.Fatal(err)
	}
}

// counts are what the servers have sent and heard so far: between each other, and
// in all; and what they hold.
type counts struct {
	link, all       int
	open            int // requests without their answers
	shares, watches map[string]int
}

// counts reads the servers' metrics. A message between servers is counted by who
// sends it.
func (b *unionBed) counts() counts {
	b.t.Helper()
	c := counts{shares: map[string]int{}, watches: map[string]int{}}
	for x, p := range b.servers {
		m := p.metrics()
		c.shares[x], c.watches[x] = m.sum("presfed_shares"), m.sum("presfed_subscriptions")
		for name, n := range m.values {
			switch {
			case !strings.HasPrefix(name, "presfed_sip_messages_total"):
			case strings.Contains(name, `"TCP"`):
				c.add(name, n)
			case strings.Contains(name, `direction="out"`):
				c.link += n
				c.add(name, n)
			}
		}
	}
	return c
}

// add takes in so many messages of a kind.
func (c *counts) add(name string, n int) {
	c.all += n
	switch _, what, _ := strings.Cut(name, `what="`); what[0] {
	case '1':
	case '2', '3', '4', '5', '6':
		c.open -= n
	default:
		c.open += n
	}
}

// settled reads them once they stand still, with every request answered unless some
// were lost.
func (b *unionBed) settled(lost bool) counts {
	b.t.Helper()
	before := b.counts()
	end := time.Now().Add(time.Minute)
	for still := 0; still < 3; {
		time.Sleep(50 * time.Millisecond) // how long is quiet
		now := b.counts()
		if still++; now.all != before.all || !lost && now.open != 0 && time.Now().Before(end) {
			still = 0
		}
		before = now
	}
	return before
}
