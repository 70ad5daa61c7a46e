package registrar

import (
	"maps"
	"slices"

	"presfed/db/state"
)

// Forget removes every binding of a user who is not served here any more. It
// returns at once; Changed hears of it after the commit.
func (r *Registrar) Forget(aor string) {
	r.lanes.Do(aor, func(done func()) {
		r.mu.RLock()
		some := len(r.users[aor]) > 0
		r.mu.RUnlock()
		if !some {
			done()
			return
		}
		r.cfg.Store.Commit(func(tx *state.Tx) error { return tx.DeleteBindings(aor) }, func(err error) {
			defer done()
			if err != nil {
				r.cfg.Log.Error("bindings of a user who is not served here stay until they expire", "aor", aor, "error", err)
				return
			}
			r.apply(aor, change{aor: aor})
			r.changed(aor)
		})
	})
}

// Users are those who have bindings, in no order.
func (r *Registrar) Users() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Collect(maps.Keys(r.users))
}
