package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"presfed/agents/client"
	"presfed/db"
	"presfed/routing"
)

// ops are the kinds of steps. A step for which there is nothing to choose from
// does nothing.
var ops map[string]func(w *world, ctx context.Context, s step) error

func init() {
	ops = map[string]func(w *world, ctx context.Context, s step) error{
		"login": (*world).login, "logout": (*world).logout, "publish": (*world).publish, "modify": (*world).modify,
		"refresh": (*world).refresh, "remove": (*world).remove, "expire": (*world).expire, "watch": (*world).watch,
		"unwatch": (*world).unwatch, "fetch": (*world).fetch, "rule": (*world).rule, "kill": (*world).kill,
		"start": (*world).start, "cut": (*world).cut, "heal": (*world).heal, "place": (*world).move,
		"settle": func(w *world, ctx context.Context, _ step) error { return w.settle(ctx) },
	}
}

// lasts is how long things are asked for.
const lasts = time.Hour

// login registers a device and publishes, if it has nothing published.
func (w *world) login(ctx context.Context, s step) error {
	d, ok := pick(w.alive(true), s.a)
	if !ok {
		return nil
	}
	w.note("%s logs in", d)
	if err := w.register(ctx, d, lasts); err != nil {
		return err
	}
	if !w.uploads(d) || slices.ContainsFunc(d.user.pubs, func(p *published) bool { return p.by == d }) {
		return nil
	}
	return w.put(ctx, d, nil, s.b, lasts)
}

// logout removes what a device published, ends its watches and its registration.
func (w *world) logout(ctx context.Context, s step) error {
	d, ok := pick(w.alive(true), s.a)
	if !ok || !w.uploads(d) {
		return nil
	}
	w.note("%s logs out", d)
	for _, p := range slices.Clone(d.user.pubs) {
		if p.by == d && slices.Contains(w.theirs(), p) {
			if err := w.take(ctx, p); err != nil {
				return err
			}
		}
	}
	for _, x := range d.watches {
		if x.s != nil && w.reaches(x) {
			if err := w.end(ctx, x); err != nil {
				return err
			}
		}
	}
	return w.register(ctx, d, 0)
}

func (w *world) register(ctx context.Context, d *device, expires time.Duration) error {
	return w.try(ctx, func() error {
		_, err := d.client.Register(ctx, expires)
		return err
	})
}

// try does what goes over a way that may have been mended a moment ago: a
// connection whose end is not known yet costs an attempt.
func (w *world) try(ctx context.Context, do func() error) error {
	for {
		err := do()
		var refused *client.RefusedError
		lost := errors.Is(err, client.ErrTransport) || errors.As(err, &refused) && refused.Status() >= 500 && refused.Status() < 600
		if !lost || !w.shaken || errors.As(err, &unreached{}) || w.wait(ctx) != nil {
			return err
		}
	}
}

// unreached is a failure that had to be.
type unreached struct{ error }

func (u unreached) Unwrap() error { return u.error }

// uploads says whether what a device publishes gets to where it is kept.
func (w *world) uploads(d *device) bool { return w.bed.linked(d.home, w.keeps(d)) }

// keeps is the server where what a device publishes stands.
func (w *world) keeps(d *device) int {
	if w.bed.variant.ToRoot && d.user.place.Model == routing.Hierarchical {
		return d.user.place.Root
	}
	return d.home
}

func (w *world) publish(ctx context.Context, s step) error {
	d, ok := pick(w.alive(true), s.a)
	if !ok || !w.uploads(d) || len(d.user.pubs) > 8 {
		return nil
	}
	return w.put(ctx, d, nil, s.b, lasts)
}

// theirs are the publications that can be gone on with now.
func (w *world) theirs() (out []*published) {
	for _, u := range w.presentities() {
		for _, p := range u.pubs {
			mine := p.server == p.by.home || p.server == w.keeps(p.by)
			if mine && u.place.serves(p.by.home) && w.bed.linked(p.by.home, p.server) {
				out = append(out, p)
			}
		}
	}
	return out
}

func (w *world) modify(ctx context.Context, s step) error {
	p, ok := pick(w.theirs(), s.a)
	if !ok {
		return nil
	}
	return w.put(ctx, p.by, p, s.b, lasts)
}

// expire modifies a publication so that it is soon gone by itself.
func (w *world) expire(ctx context.Context, s step) error {
	p, ok := pick(w.theirs(), s.a)
	if !ok {
		return nil
	}
	if err := w.put(ctx, p.by, p, s.b, time.Second); err != nil {
		return err
	}
	w.expiring = append(w.expiring, expiring{p.by.user, p.token, time.Now().Add(time.Second + grace)})
	p.by.user.pubs = slices.DeleteFunc(p.by.user.pubs, func(o *published) bool { return o == p })
	return nil
}

func (w *world) refresh(ctx context.Context, s step) error {
	p, ok := pick(w.theirs(), s.a)
	if !ok {
		return nil
	}
	w.note("%s refreshes %s", p.by, p.token)
	return w.try(ctx, func() error {
		etag, _, err := p.by.client.Publish(ctx, client.Publication{ETag: p.etag, Expires: lasts})
		if err == nil {
			p.etag = etag
		}
		return err
	})
}

func (w *world) remove(ctx context.Context, s step) error {
	p, ok := pick(w.theirs(), s.a)
	if !ok {
		return nil
	}
	return w.take(ctx, p)
}

// put publishes a body: a new one, or over one that is there.
func (w *world) put(ctx context.Context, d *device, p *published, content int, expires time.Duration) error {
	next := published{by: d, id: w.stamp, publication: publication{server: w.keeps(d)}}
	if p != nil {
		next = *p
	}
	next.token = fmt.Sprintf("v%d-%d", next.id, w.stamp)
	next.raw = contents(d.user, next.token, content)
	w.note("%s publishes %s for %s", d, next.token, expires)
	var etag string
	var granted time.Duration
	err := w.try(ctx, func() (err error) {
		etag, granted, err = d.client.Publish(ctx, client.Publication{ETag: next.etag, Body: []byte(next.raw), Expires: expires})
		return err
	})
	if err != nil {
		return err
	}
	if granted != expires {
		return fmt.Errorf("publication granted %s, not %s", granted, expires)
	}
	w.stamp++
	next.stamp, next.etag = w.stamp, etag
	if p == nil {
		p = &published{}
		d.user.pubs = append(d.user.pubs, p)
	} else {
		d.user.bury(p.token, w.stamp)
	}
	*p = next
	d.user.tokens = append(d.user.tokens, marked{token: p.token, gone: never})
	return nil
}

// take removes a publication.
func (w *world) take(ctx context.Context, p *published) error {
	w.note("%s removes %s", p.by, p.token)
	err := w.try(ctx, func() error {
		_, _, err := p.by.client.Publish(ctx, client.Publication{ETag: p.etag})
		return err
	})
	if err != nil {
		return err
	}
	w.drop(p)
	return nil
}

// drop forgets it.
func (w *world) drop(p *published) {
	w.stamp++
	u := p.by.user
	u.bury(p.token, w.stamp)
	u.pubs = slices.DeleteFunc(u.pubs, func(o *published) bool { return o == p })
}

// idle are the watches that there could be, and those that there are.
func (w *world) idle(on bool) (out []*watch) {
	for _, d := range w.alive(false) {
		for _, x := range d.watches {
			if (x.s != nil) == on {
				out = append(out, x)
			}
		}
	}
	return out
}

func (w *world) watch(ctx context.Context, s step) error {
	x, ok := pick(w.idle(false), s.a)
	if !ok {
		return nil
	}
	x.by.mu.Lock()
	x.last, x.heard = client.Event{}, nil
	x.by.mu.Unlock()
	w.note("%s begins", x)
	var sub *client.Subscription
	err := w.try(ctx, func() (err error) {
		sub, err = x.by.client.Subscribe(ctx, x.of.aor(), client.SubscribeOptions{Expires: lasts})
		if err != nil && !w.reaches(x) {
			err = unreached{err}
		}
		return err
	})
	if err == nil {
		if !w.reaches(x) {
			return fmt.Errorf("%s is accepted, but cannot be reached", x)
		}
		x.at, x.over, x.left = x.of.place.composer(x.by.home), false, false
		x.s, x.from, x.steps = sub, w.stamp, 0
		if w.shaken { // a share stays for the grace, for those who come then as well
			x.from = 0
		}
		// Nobody may have watched there: what has just gone elsewhere is still on its way,
		// to a share that is kept for a while after its last watcher.
		x.prior = 0
		return nil
	}
	return w.mayFail(x, err)
}

// mayFail: a SUBSCRIBE is refused where policy says so, or the way is broken.
func (w *world) mayFail(x *watch, err error) error {
	var refused *client.RefusedError
	switch {
	case !errors.As(err, &refused):
	case refused.Status() == 403 && (x.handling() == db.Block || x.of.denied[x.by.user]):
		return nil
	case !w.reaches(x) && (refused.Status() >= 500 || refused.Status() == 480 || refused.Status() == 408):
		return nil
	}
	return fmt.Errorf("%s: %w", x, err)
}

func (w *world) unwatch(ctx context.Context, s step) error {
	x, ok := pick(slices.DeleteFunc(w.idle(true), func(x *watch) bool { return !w.reaches(x) }), s.a)
	if !ok {
		return nil
	}
	return w.end(ctx, x)
}

// end unsubscribes, and waits for the NOTIFY that closes the subscription.
func (w *world) end(ctx context.Context, x *watch) error {
	w.note("%s ends", x)
	err := w.try(ctx, func() error { return x.s.Unsubscribe(ctx) })
	var refused *client.RefusedError
	if errors.As(err, &refused) && refused.Status() == 481 && x.of.denied[x.by.user] {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("%s: unsubscribe: %w", x, err)
	}
	select {
	case <-x.s.Done():
	case <-ctx.Done():
		return fmt.Errorf("%s does not end", x)
	}
	x.s = nil
	return nil
}

// fetch asks once, until what comes is right: a server that was away may not
// have been heard yet.
func (w *world) fetch(ctx context.Context, s step) error {
	var all []*watch
	for _, d := range w.alive(false) {
		all = append(all, d.watches...)
	}
	x, ok := pick(all, s.a)
	if !ok {
		return nil
	}
	x = &watch{by: x.by, of: x.of} // beside what she may watch by
	w.note("%s fetches %s", x.by, x.of.name)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		x.by.mu.Lock()
		x.by.fetched = nil
		x.by.mu.Unlock()
		var sub *client.Subscription
		err := w.try(ctx, func() (err error) {
			sub, err = x.by.fetcher.Subscribe(ctx, x.of.aor(), client.SubscribeOptions{})
			if err != nil && !w.reaches(x) {
				err = unreached{err}
			}
			return err
		})
		if err != nil {
			return w.mayFail(x, err)
		}
		select {
		case <-sub.Done():
		case <-ctx.Done():
			return fmt.Errorf("%s fetches %s: no NOTIFY", x.by, x.of.name)
		}
		x.by.mu.Lock()
		var got view
		for _, e := range x.by.fetched {
			if got, err = viewOf(active, e.Body); err != nil {
				break
			}
		}
		x.by.mu.Unlock()
		want := w.expected(x)
		for i := range want {
			if want[i].state = active; want[i].shows == "" {
				want[i] = view{state: active}
			}
		}
		if err == nil && slices.Contains(want, got) {
			return nil
		}
		if x.of.denied[x.by.user] && got.shows == "" { // her rule has changed, and is not known yet
			return nil
		}
		if w.wait(ctx) != nil {
			return fmt.Errorf("%s fetches %s: %w: %s\nnot %s", x.by, x.of.name, err, got, want)
		}
	}
}

// rule changes what a presentity's policy says of a watcher.
func (w *world) rule(ctx context.Context, s step) error {
	u, _ := pick(w.presentities(), s.a)
	of, _ := pick(w.users, s.b)
	handling, _ := pick([]db.Handling{db.Allow, db.Allow, db.Block, db.PoliteBlock, db.Confirm, ""}, s.c)
	w.note("%s says %q of %s", u.name, handling, of.name)
	if handling == db.Block {
		u.denied[of] = true
	}
	rule := db.Rule{Presentity: u.aor(), Match: db.MatchUser, Watcher: of.aor(), Handling: handling}
	if handling != "" {
		u.rules[of] = handling
		return w.bed.directory.SetRule(ctx, rule)
	}
	if _, ok := u.rules[of]; !ok {
		return nil
	}
	delete(u.rules, of)
	return w.bed.directory.RemoveRule(ctx, rule)
}

func (w *world) kill(_ context.Context, s step) error {
	i := s.a % len(w.bed.servers)
	if at := w.bed.servers[i]; at.alive() {
		w.note("%s is killed", at.name)
		w.shaken = true
		w.died(i)
		at.kill()
	}
	return nil
}

func (w *world) start(_ context.Context, s step) error {
	at, ok := pick(slices.DeleteFunc(slices.Clone(w.bed.servers), (*server).alive), s.a)
	if !ok {
		return nil
	}
	w.note("%s is started", at.name)
	if err := at.start(); err != nil {
		return err
	}
	w.mended = time.Now()
	w.sweep()
	return nil
}

func (w *world) cut(_ context.Context, s step) error {
	i := s.a % len(w.bed.servers)
	j := (i + 1 + s.b%(len(w.bed.servers)-1)) % len(w.bed.servers)
	w.note("%s and %s are cut off", w.bed.servers[i].name, w.bed.servers[j].name)
	w.bed.set(i, j, true)
	w.shaken = true
	return nil
}

func (w *world) heal(_ context.Context, s step) error {
	var cut [][2]int
	for i := range w.bed.servers {
		for j := range i {
			if w.bed.cuts[[2]int{j, i}] {
				cut = append(cut, [2]int{j, i})
			}
		}
	}
	link, ok := pick(cut, s.a)
	if !ok {
		return nil
	}
	w.note("%s and %s are linked", w.bed.servers[link[0]].name, w.bed.servers[link[1]].name)
	w.bed.set(link[0], link[1], false)
	w.mended = time.Now()
	return nil
}

// contents are what is published: some tuples, open or closed, and a person of
// some weight, spelled in one of the ways there are.
func contents(u *user, token string, n int) string {
	var out strings.Builder
	fmt.Fprintf(&out, `<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity=%q>
`, u.uri())
	person, ok := pick(activities, n)
	tuples := n / len(activities) % 3
	if !ok || person == "" {
		tuples = max(tuples, 1)
	}
	for i := range tuples {
		basic := "open"
		if n>>i&1 == 1 && n%7 == 0 {
			basic = "closed"
		}
		fmt.Fprintf(&out, "<tuple id=\"t%d\"><status><basic>%s</basic></status><contact>sip:%s-%d@%s</contact></tuple>\n", i, basic, token, i, domainName)
	}
	if person != "" {
		fmt.Fprintf(&out, "<dm:person id=\"p\">%s<dm:note>%s</dm:note></dm:person>\n", person, token)
	}
	return out.String() + "</presence>\n"
}

var activities = []string{
	"",
	"<rpid:activities><rpid:away/></rpid:activities>",
	"<rpid:activities><rpid:busy/></rpid:activities>",
	"<rpid:activities><rpid:on-the-phone/></rpid:activities>",
	"<rpid:activities><rpid:busy/><rpid:other>do-not-disturb</rpid:other></rpid:activities>",
	"<rpid:activities><rpid:do-not-disturb/></rpid:activities>",
	"<rpid:activities><rpid:other>available</rpid:other></rpid:activities>",
	"<rpid:activities><rpid:unknown/></rpid:activities>",
	"<rpid:class>calendar</rpid:class><rpid:activities><rpid:meeting/></rpid:activities>",
	"<rpid:class>calendar</rpid:class><rpid:activities><rpid:busy/></rpid:activities>",
	"<rpid:class>calendar</rpid:class><rpid:activities><rpid:busy/><rpid:other>do-not-disturb</rpid:other></rpid:activities>",
	"<rpid:user-input>idle</rpid:user-input>",
}
