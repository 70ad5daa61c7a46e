package model

import (
	"context"
	"math/rand/v2"
	"slices"

	"presfed/routing"
)

// move gives a presentity another place. She logs out where she is served no
// more; if she cannot, she stays.
func (w *world) move(ctx context.Context, s step) error {
	u, _ := pick(w.presentities(), s.a)
	next := place(rand.New(rand.NewPCG(uint64(s.b), 0)), len(w.bed.servers), s.c%3)
	for _, d := range w.devices {
		for _, x := range d.watches {
			if d.user != u || next.serves(d.home) || x.s == nil {
				continue
			}
			if !w.reaches(x) {
				return nil
			}
			if err := w.end(ctx, x); err != nil {
				return err
			}
		}
	}
	w.note("%s is moved to %s", u.name, next.place(w.bed.servers))
	u.place = next
	if err := w.bed.directory.Assign(ctx, u.aor(), next.place(w.bed.servers)); err != nil {
		return err
	}
	for _, home := range next.Servers {
		if !slices.ContainsFunc(w.devices, func(d *device) bool { return d.user == u && d.home == home }) {
			if err := w.add(u, home); err != nil {
				return err
			}
		}
	}
	if err := w.bed.known(ctx); err != nil {
		return err
	}
	w.sweep()
	return nil
}

// sweep is what servers that are up do once they know where everybody is.
func (w *world) sweep() {
	for _, u := range w.presentities() {
		for _, p := range slices.Clone(u.pubs) {
			if w.bed.servers[p.server].alive() && !w.may(u, p.server) {
				w.drop(p)
			}
		}
	}
	for _, x := range w.watches() {
		if x.s != nil && w.bed.servers[x.at].alive() && x.of.place.composer(x.by.home) != x.at {
			x.over, x.left = true, true
		}
	}
}

// died: what a server had not told yet that it is over goes on when it is back,
// unless it still is.
func (w *world) died(server int) {
	for _, x := range w.watches() {
		x.over = x.over && x.at != server
	}
}

// may says whether a server keeps what a user has published there.
func (w *world) may(u *user, server int) bool {
	return u.place.serves(server) || w.bed.variant.ToRoot && u.place.Model == routing.Hierarchical && u.place.Root == server
}
