package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"presfed/agents/client"
	"presfed/db"
	"presfed/routing"
)

// patience bounds the wait for what has to come: a divergence is what is not
// there by then.
const patience = 15 * time.Second

// world is what the test knows of a sequence: everything that was acknowledged.
type world struct {
	bed     *bed
	prefix  string // of this sequence's users
	users   []*user
	devices []*device
	stamp   int       // of the latest body that was acknowledged
	shaken  bool      // a link or a server has failed
	mended  time.Time // when a link or a server came back last
	news    chan struct{}
	log     []string
	// expiring are bodies that may be seen until they are gone by themselves.
	expiring []expiring
	figures
}

type expiring struct {
	of    *user
	token string
	until time.Time
}

// figures are what is told of a run: how often all was settled, the longest
// that it took, and the most NOTIFYs to one watcher for each change.
type figures struct {
	settled int
	slowest time.Duration
	busiest float64
}

func (f *figures) add(o figures) {
	f.settled += o.settled
	f.slowest, f.busiest = max(f.slowest, o.slowest), max(f.busiest, o.busiest)
}

// user is one: the presentities come first, then one watcher at each server.
type user struct {
	name   string
	place  placing
	rules  map[*user]db.Handling
	denied map[*user]bool // has a rule denied since the last settling
	pubs   []*published
	tokens []marked // of all that was ever published
}

// marked is what a body was known by, and when it was gone.
type marked struct {
	token string
	gone  int
	at    time.Time
}

const never = 1 << 30

// bury notes that a body is gone.
func (u *user) bury(token string, now int) {
	for i := range u.tokens {
		if u.tokens[i].token == token {
			u.tokens[i].gone, u.tokens[i].at = now, time.Now()
		}
	}
}

func (u *user) aor() string { return u.name + "@" + domainName }
func (u *user) uri() string { return "sip:" + u.aor() }

// published is a publication and who keeps it.
type published struct {
	publication
	by   *device
	id   int
	etag string
}

// device is a user's at one server, with a second socket to fetch by.
type device struct {
	user    *user
	home    int
	client  *client.Client
	fetcher *client.Client
	stop    []func() error
	watches []*watch

	mu      sync.Mutex
	fetched []client.Event
}

// watch is one device's of one presentity.
type watch struct {
	by   *device
	of   *user
	s    *client.Subscription // nil: none
	at   int                  // the server that composes for her
	over bool                 // that does so no more: she is to subscribe anew
	left bool                 // that was so at some time since she was settled last

	heard []client.Event // since the last settling; the device's lock
	last  client.Event   // the latest
	steps int            // since she was settled last
	from  int            // the stamp when she was: what was gone by then stays so
	prior int            // the stamp when she was settled before that
}

func (w *watch) String() string {
	return fmt.Sprintf("%s watching %s", w.by, w.of.name)
}

func (d *device) String() string { return d.user.name + "@" + string(rune('a'+d.home)) }

// newWorld adds the users of a scenario to a bed's directory.
func newWorld(ctx context.Context, b *bed, prefix string, places []placing) (*world, error) {
	w := &world{bed: b, prefix: prefix, news: make(chan struct{}, 1)}
	for i, p := range places {
		w.users = append(w.users, &user{name: fmt.Sprint(prefix, "u", i), place: p})
	}
	for i := range b.servers {
		w.users = append(w.users, &user{name: fmt.Sprint(prefix, "w", i), place: placing{Model: routing.Partitioned, Servers: []int{i}}})
	}
	err := b.directory.Update(ctx, func(tx *db.Tx) error {
		for _, u := range w.users {
			u.rules, u.denied = map[*user]db.Handling{}, map[*user]bool{}
			if err := errors.Join(tx.AddUser(db.User{AOR: u.aor(), HA1: db.HA1s(u.aor(), domainName, "secret")}), tx.Assign(u.aor(), u.place.place(b.servers))); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = b.known(ctx)
	}
	if err != nil {
		return w, err
	}
	for i, u := range w.users {
		for _, home := range u.place.Servers {
			if err := w.add(u, home); err != nil {
				return w, fmt.Errorf("device %d: %w", i, err)
			}
		}
	}
	return w, nil
}

// add gives a user a device at a server.
func (w *world) add(u *user, home int) error {
	d := &device{user: u, home: home}
	for _, of := range w.presentities() {
		d.watches = append(d.watches, &watch{by: d, of: of})
	}
	w.devices = append(w.devices, d)
	var err error
	if d.client, err = w.run(d, d.hear(w)); err != nil {
		return err
	}
	d.fetcher, err = w.run(d, func(e client.Event) {
		d.mu.Lock()
		d.fetched = append(d.fetched, e)
		d.mu.Unlock()
		w.wake()
	})
	return err
}

func (w *world) run(d *device, on func(client.Event)) (*client.Client, error) {
	c, err := client.New(client.Config{
		Name: d.String(), User: d.user.aor(), Password: "secret", Server: w.bed.servers[d.home].listen[0], OnEvent: on,
	})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(running) }()
	d.stop = append(d.stop, func() error { stop(); return <-done })
	return c, nil
}

// hear keeps what a device is told.
func (d *device) hear(w *world) func(client.Event) {
	return func(e client.Event) {
		if e.Type != "presence" {
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, watch := range d.watches {
			if watch.of.uri() == e.Entity || watch.of.aor() == e.Entity {
				watch.heard, watch.last = append(watch.heard, e), e
			}
		}
		w.wake()
	}
}

func (w *world) wake() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// close lets go of everybody; their users leave the directory.
func (w *world) close(ctx context.Context) error {
	var errs []error
	for _, x := range w.watches() {
		if x.s != nil && ctx.Err() == nil {
			errs = append(errs, w.end(ctx, x))
		}
	}
	for _, d := range w.devices {
		if d.client != nil && ctx.Err() == nil && d.user.place.serves(d.home) {
			errs = append(errs, d.client.Close(ctx))
		}
	}
	for _, d := range w.devices {
		for _, stop := range d.stop {
			errs = append(errs, stop())
		}
	}
	return errors.Join(append(errs, w.bed.directory.Update(ctx, func(tx *db.Tx) error {
		for _, u := range w.users {
			if err := tx.RemoveUser(u.aor()); err != nil {
				return err
			}
		}
		return nil
	}))...)
}

// note keeps what a step did, to be shown where something goes wrong.
func (w *world) note(format string, args ...any) {
	w.log = append(w.log, time.Now().Format("05.000 ")+fmt.Sprintf(format, args...))
}

// pick is one of what there is; false: there is nothing.
func pick[T any](from []T, n int) (one T, ok bool) {
	if len(from) == 0 {
		return one, false
	}
	return from[n%len(from)], true
}

// presentities are the users who publish.
func (w *world) presentities() []*user {
	i := slices.IndexFunc(w.users, func(u *user) bool { return strings.Contains(u.name, "w") })
	return w.users[:i]
}

// alive are the devices whose server is up, those of users who publish or all.
func (w *world) alive(publish bool) (out []*device) {
	for _, d := range w.devices {
		if w.bed.servers[d.home].alive() && (!publish || slices.Contains(w.presentities(), d.user)) && d.user.place.serves(d.home) {
			out = append(out, d)
		}
	}
	return out
}

func (p placing) serves(server int) bool { return slices.Contains(p.Servers, server) }
