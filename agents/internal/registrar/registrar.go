// Package registrar keeps the contacts of the users served here (RFC 3261
// section 10).
package registrar

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"presfed/agents/internal/clock"
	"presfed/agents/internal/lane"
	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
	"presfed/db/state"
)

// Store commits changes to bindings; done hears the outcome, in the order of
// the calls, and must not block.
type Store interface {
	Commit(do func(tx *state.Tx) error, done func(error))
}

// Config is what a Registrar is made of.
type Config struct {
	Store    Store
	Clock    clock.Clock   // nil: the system's
	Min      time.Duration // a shorter expiry is 423
	Default  time.Duration // where the client names none
	Max      time.Duration // a longer one is shortened
	Contacts int           // most contacts of one user
	// Ours says that a URI leads to the domain's servers: as a Contact it would send
	// them round in a circle, 403. It must not block; nil: none does.
	Ours func(message.URI) bool
	// Changed hears, after the commit, that a user's bindings or the connections
	// they came by are others now: registered are the contacts that a device has
	// just registered, none where some have only gone. It must not block; nil:
	// nobody listens.
	Changed func(aor string, registered []message.URI)
	// Supported are option tags that the server has beside registration: clients
	// learn of them as they log in (RFC 3261 section 20.37).
	Supported string
	// AllowEvents, if not nil, is the value of Allow-Events: the event packages that
	// the domain serves clients with (RFC 6665 section 8.2.2).
	AllowEvents func() string
	Log         *slog.Logger
}

// Binding is one contact of a user.
type Binding struct {
	Contact message.Address // as registered: q, capabilities and all
	CallID  string
	CSeq    uint32
	Expires time.Time
	Updated time.Time
	Q       float64 // preference, 1 where none is given
	// Hop is the connection that the device came by last, as long as it is open;
	// zero for datagrams, after a restart, and once the connection is gone.
	Hop      sip.Target
	Agent    string // User-Agent
	key, aor string
}

// Registrar answers REGISTER and tells bindings.
type Registrar struct {
	cfg   Config
	lanes lane.Lanes
	mu    sync.RWMutex
	users map[string][]Binding             // by address of record; slices are replaced, never changed
	flows map[sip.Flow]map[string]struct{} // whose bindings came by a connection
}

// New is a registrar that knows the bindings of snapshot; expired ones stay for Purge.
// Connections do not outlive a process: restored bindings have no Hop.
func New(cfg Config, snapshot []state.Binding) *Registrar {
	cfg.Min = cmp.Or(cfg.Min, 10*time.Second)
	cfg.Default = cmp.Or(cfg.Default, time.Hour)
	cfg.Max = cmp.Or(cfg.Max, 24*time.Hour)
	cfg.Contacts = cmp.Or(cfg.Contacts, 32)
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Registrar{cfg: cfg, users: map[string][]Binding{}, flows: map[sip.Flow]map[string]struct{}{}}
	for _, s := range snapshot {
		b, err := restored(s)
		if err != nil {
			cfg.Log.Warn("binding not restored", "aor", s.AOR, "error", err)
			continue
		}
		r.users[s.AOR] = append(r.users[s.AOR], b)
	}
	return r
}

// Bindings are the live contacts of a user, the preferred first; of equal
// preference the newer first.
func (r *Registrar) Bindings(aor string) []Binding {
	now := r.cfg.Clock.Now()
	r.mu.RLock()
	defer r.mu.RUnlock()
	var out []Binding
	for _, b := range r.users[aor] {
		if b.Expires.After(now) {
			out = append(out, b)
		}
	}
	slices.SortStableFunc(out, func(a, b Binding) int {
		return cmp.Or(cmp.Compare(b.Q, a.Q), b.Updated.Compare(a.Updated))
	})
	return out
}

// Count is how many bindings there are, expired ones among them until Purge.
func (r *Registrar) Count() (n int) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, bindings := range r.users {
		n += len(bindings)
	}
	return n
}

// Register answers a REGISTER for aor, whose right to it the caller has
// checked. The 200 goes out when the change is committed.
func (r *Registrar) Register(tx *sip.ServerTx, aor string) {
	r.lanes.Do(aor, func(done func()) {
		c, err := r.weigh(tx.Request(), aor, tx.Source())
		if err != nil {
			refuse(tx, err)
			done()
			return
		}
		if len(c.put)+len(c.drop) == 0 { // a query
			r.accept(tx, aor)
			done()
			return
		}
		r.cfg.Store.Commit(c.write, func(err error) {
			defer done()
			if err != nil {
				r.cfg.Log.Error("binding not committed", "aor", aor, "call_id", message.CallID(tx.Request()), "error", err)
				refuse(tx, &message.Unavailable{What: "what it would change cannot be kept now", Err: err})
				return
			}
			r.apply(aor, c)
			r.accept(tx, aor)
			r.changed(aor, c.put...)
		})
	})
}

func (r *Registrar) changed(aor string, put ...Binding) {
	if r.cfg.Changed == nil {
		return
	}
	var registered []message.URI
	for _, b := range put {
		registered = append(registered, b.Contact.URI)
	}
	r.cfg.Changed(aor, registered)
}

func (r *Registrar) apply(aor string, c change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.follow(aor, r.users[aor], c.after)
	if len(c.after) == 0 {
		delete(r.users, aor)
		return
	}
	r.users[aor] = c.after
}

// Purge forgets what has expired, in memory and in the store.
func (r *Registrar) Purge() {
	now := r.cfg.Clock.Now()
	r.mu.RLock()
	var due []string
	for aor, list := range r.users {
		if slices.ContainsFunc(list, func(b Binding) bool { return !b.Expires.After(now) }) {
			due = append(due, aor)
		}
	}
	r.mu.RUnlock()
	for _, aor := range due {
		r.lanes.Do(aor, func(done func()) {
			c := change{aor: aor}
			r.mu.RLock()
			for _, b := range r.users[aor] {
				if b.Expires.After(now) {
					c.after = append(c.after, b)
				} else {
					c.drop = append(c.drop, b)
				}
			}
			r.mu.RUnlock()
			r.cfg.Store.Commit(c.write, func(err error) {
				defer done()
				if err != nil {
					r.cfg.Log.Warn("expired bindings stay for now", "aor", aor, "error", err)
					return
				}
				r.apply(aor, c)
				r.changed(aor)
			})
		})
	}
}

// refusal is a REGISTER that is not accepted.
type refusal struct {
	status     int
	why        string
	minExpires time.Duration
}

func (e *refusal) Error() string { return e.why }

func refuse(tx *sip.ServerTx, err error) {
	ref := &refusal{status: 500, why: "the change could not be kept"}
	var perr *message.ParseError
	var away *message.Unavailable
	switch {
	case errors.As(err, &ref):
	case errors.As(err, &away):
		res := message.NewResponse(tx.Request(), 503, "", sip.NewTag())
		for f := away.Fields(); len(f) > 1; f = f[2:] {
			message.Add(res, f[0], f[1])
		}
		tx.Respond(res)
		return
	case errors.As(err, &perr):
		ref = &refusal{status: perr.Status, why: perr.Error()}
	}
	res := message.NewResponse(tx.Request(), ref.status, "", sip.NewTag())
	if ref.minExpires > 0 { // RFC 3261 section 20.23
		message.Add(res, "Min-Expires", seconds(ref.minExpires))
	}
	message.Add(res, "Warning", message.Warning(ref.why))
	tx.Respond(res)
}
