package model

import (
	"slices"

	"presfed/db"
	"presfed/routing"
)

// What the reference expects where not everything can be reached:
//
//   - A server shows what stands at the servers it can reach. What stands at one
//     that is dead or cut off goes after the grace and comes back with it.
//   - A watcher is shown nothing new while the way to her is broken: her own
//     server is dead, or the one that composes for her (the server of a
//     partitioned user, the root of a hierarchy; in the peer form it is her own),
//     or the link between the two is cut. Her last document stays.
//   - A server that asks others for their shares of a user, since somebody
//     watches there, closes its own devices while a device elsewhere says
//     do-not-disturb. Who cannot reach that one, but this one, sees them closed.
//     With distributed policy it is shown by others what the watcher may see.
//   - Who is moved to other servers leaves behind what those keep that serve her no
//     more; where nobody composes for her any more, watchers are told to subscribe
//     anew ("deactivated"). A server that is dead notices when it starts.
//   - With distributed policy nothing is shown to a watcher before each server
//     has agreed. One that is away has not agreed, unless it had before.

// composed says whether news can come to a watcher.
func (w *world) reaches(x *watch) bool { return w.bed.linked(x.by.home, w.through(x)) }

// through is the server that composes for her, or would.
func (w *world) through(x *watch) int {
	if x.s != nil {
		return x.at
	}
	return x.of.place.composer(x.by.home)
}

// handling is what the presentity's rules say of a watcher.
func (x *watch) handling() db.Handling {
	if x.by.user == x.of {
		return db.Allow
	}
	if h, ok := x.of.rules[x.by.user]; ok {
		return h
	}
	return db.Allow
}

// expected are the views that a watcher may be shown now: one, but where policy
// is distributed and a server is away.
func (w *world) expected(x *watch) []view {
	switch x.handling() {
	case db.Block:
		return []view{{state: terminated}}
	case db.Confirm:
		return []view{{state: pending}}
	case db.PoliteBlock:
		return append([]view{{state: active, shows: x.of.uri() + " closed"}}, w.undecided(x)...)
	}
	at := w.through(x)
	reach := func(server int) bool { return w.bed.linked(at, server) }
	v := compose(x.of.uri(), x.of.raw(), sees{reach: reach, mirror: func(server int) bool {
		return server != at && w.mirrors(x.of, server)
	}})
	return append([]view{v}, w.undecided(x)...)
}

// undecided is the view of a watcher for whom a server has not agreed.
func (w *world) undecided(x *watch) []view {
	if w.bed.variant.Policy != db.DistributedPolicy || !x.of.place.Model.Unioned() {
		return nil
	}
	at := w.through(x)
	if slices.ContainsFunc(x.of.place.Servers, func(server int) bool { return !w.bed.linked(at, server) }) {
		return []view{{state: pending}}
	}
	return nil
}

// mirrors says whether a server closes its devices of a user for what a device
// elsewhere says: it composes for somebody, and so knows.
func (w *world) mirrors(u *user, server int) bool {
	if u.place.Model != routing.Peer || !slices.ContainsFunc(w.watches(), func(x *watch) bool {
		return x.of == u && x.s != nil && x.at == server && (w.bed.variant.Policy != db.DistributedPolicy || x.handling() == db.Allow)
	}) {
		return false
	}
	return slices.ContainsFunc(u.place.Servers, func(other int) bool {
		return other != server && w.bed.linked(server, other) && quietAt(u.raw(), other)
	})
}

func (u *user) raw() (out []publication) {
	for _, p := range u.pubs {
		out = append(out, p.publication)
	}
	return out
}

// watches are all that there may be.
func (w *world) watches() (out []*watch) {
	for _, d := range w.devices {
		out = append(out, d.watches...)
	}
	return out
}
