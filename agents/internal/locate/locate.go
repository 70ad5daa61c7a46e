// Package locate answers routing's questions from the directory.
//
// [Consult] asks the directory at each question; [Synchronised] keeps a copy
// that follows the directory's revision. The answers are the same; the copy may
// lag by the time between two polls. Both go on with what they know while the
// directory cannot be reached, say so once, and tell of changes as they find
// them.
package locate

import (
	"context"
	"log/slog"
	"time"

	"presfed/agents/internal/clock"
	"presfed/db"
	"presfed/routing"
)

// Poll is how often the revision is asked for where nothing else is said.
const Poll = 200 * time.Millisecond

// Locator answers questions about the domain. Users are named by address of
// record in canonical form ([db.ParseAOR]). What comes back is shared: it must
// not be changed.
//
// Errors: db.ErrNotFound for what is not there; a *message.Unavailable where the
// directory cannot be read and the answer is not known.
type Locator interface {
	Domain(ctx context.Context) (db.Domain, error)
	// Names is the domain and every spelling of its servers, for
	// [routing.ScopeOf].
	Names(ctx context.Context) (*routing.Names, error)
	// Servers is every server, by name.
	Servers(ctx context.Context) ([]db.Server, error)
	Server(ctx context.Context, name string) (db.Server, error)
	// ServerByIdentity is the server that a certificate with these host names
	// belongs to. One that names several servers belongs to none.
	ServerByIdentity(ctx context.Context, names []string) (db.Server, error)
	User(ctx context.Context, aor string) (db.User, error)
	// Place is where the user is served; the zero Place for nowhere.
	Place(ctx context.Context, aor string) (routing.Place, error)
	// Policy is the presentity's rules, Buddies her list.
	Policy(ctx context.Context, presentity string) ([]db.Rule, error)
	Buddies(ctx context.Context, owner string) ([]string, error)

	// OnChange has f called after each change found; stop ends that. The calls
	// come one after another for one poll, from [Locator.Run] or
	// [Locator.Refresh], and no question waits for them.
	OnChange(f func(Changed)) (stop func())
	// Refresh looks for changes now: after it returns without an error, answers
	// are no older than its beginning, and everyone was told.
	Refresh(ctx context.Context) error
	// Run looks for changes at intervals until ctx ends; it returns nil then.
	Run(ctx context.Context) error
	Health() Health
}

// Changed names what changed; each name once.
type Changed struct {
	// All: the directory is another one than before, and anything may differ.
	All bool
	// Domain: the domain's settings, which everybody's policy falls back on.
	Domain  bool
	Servers []string
	// Users, Places, Policy and Buddies are addresses of record.
	Users, Places, Policy, Buddies []string
}

// Health is how the directory fares.
type Health struct {
	Reachable bool
	Since     time.Time   // when Reachable last changed
	Error     error       // why it is not
	Revision  db.Revision // the newest revision seen
}

// Config is what a Locator needs.
type Config struct {
	DB    *db.DB // stays the caller's to close, after Run has returned
	Poll  time.Duration
	Clock clock.Clock
	Log   *slog.Logger
}

func (c Config) filled() Config {
	if c.Poll <= 0 {
		c.Poll = Poll
	}
	if c.Clock == nil {
		c.Clock = clock.System
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func collect(changes []db.Change) Changed {
	var c Changed
	for _, ch := range changes {
		switch ch.Kind {
		case db.KindDomain:
			c.Domain = true
		case db.KindServer:
			c.Servers = append(c.Servers, ch.Name)
		case db.KindUser:
			c.Users = append(c.Users, ch.Name)
		case db.KindPlace:
			c.Places = append(c.Places, ch.Name)
		case db.KindPolicy:
			c.Policy = append(c.Policy, ch.Name)
		case db.KindBuddies:
			c.Buddies = append(c.Buddies, ch.Name)
		}
	}
	return c
}
