package calendar

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"presfed/agents/client"
	"presfed/agents/internal/clock"
)

// Config is what a feeder is made of.
type Config struct {
	Users []User
	Zone  *time.Location // of floating times and whole days; nil: the machine's
	Style Style
	// Expires is the longest that a publication is asked for at once; it is
	// refreshed while what it says lasts. 0: an hour.
	Expires time.Duration
	// Ahead is how far ahead of time it is told what is to come (RFC 4481); 0: not
	// at all.
	Ahead time.Duration
	Clock clock.Clock
	Log   *slog.Logger
	// OnEvent hears what goes wrong, one call at a time for each user; nil: nobody
	// does.
	OnEvent func(Event)
}

// User is one whose calendars are published. Her client speaks for her; it runs
// until the feeder has ended, and should ask again after a 423 (Lengthen).
type User struct {
	Client  *client.Client
	Sources []Source
}

// Event is something that went wrong: a "warning" about a calendar, or "failed",
// when a source could not be read or a publication not made. Both are tried again.
type Event struct {
	Type    string    `json:"type"`
	Time    time.Time `json:"time"`
	AOR     string    `json:"aor"`
	Source  string    `json:"source,omitempty"`
	Line    int       `json:"line,omitempty"`
	UID     string    `json:"uid,omitempty"`
	Message string    `json:"message"`
	Code    int       `json:"code,omitempty"` // of the server that refused
}

// Feeder publishes what calendars say.
type Feeder struct{ feeds []*feed }

// New makes a feeder. It does nothing before Run.
func New(cfg Config) *Feeder {
	if cfg.Zone == nil {
		cfg.Zone = time.Local
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Expires = cmp.Or(cfg.Expires, time.Hour)
	f := &Feeder{}
	for _, u := range cfg.Users {
		f.feeds = append(f.feeds, newFeed(cfg, u))
	}
	return f
}

// Run publishes until ctx ends, and then takes back what it has published. It
// fails where a server does not accept a user's credentials from the first on.
func (f *Feeder) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, one := range f.feeds {
		group.Go(func() error { return one.run(ctx) })
	}
	return group.Wait()
}

// Refresh reads every source anew and returns when what they say is published;
// its error is the first source's or server's that failed. Run has to run.
func (f *Feeder) Refresh(ctx context.Context) error {
	answers := make([]chan error, len(f.feeds))
	for i, one := range f.feeds {
		answers[i] = make(chan error, 1)
		select {
		case one.asks <- answers[i]:
		case <-one.ended:
			return errEnded
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	var errs []error
	for i, one := range f.feeds {
		select {
		case err := <-answers[i]:
			errs = append(errs, err)
		case <-one.ended:
			return errEnded
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return errors.Join(errs...)
}

var errEnded = errors.New("the feeder has ended")
