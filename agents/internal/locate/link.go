package locate

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"presfed/agents/internal/clock"
	"presfed/db"
)

// link is whether the directory can be reached, as all who ask it have found.
type link struct {
	clock clock.Clock
	log   *slog.Logger
	path  string

	mu     sync.Mutex
	health Health
}

func newLink(c Config, r db.Revision) *link {
	return &link{clock: c.Clock, log: c.Log, path: c.DB.Path(), health: Health{Reachable: true, Since: c.Clock.Now(), Revision: r}}
}

// saw notes how asking went, and logs when it goes otherwise than before.
func (l *link) saw(r db.Revision, err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return // it was we who stopped asking
	}
	l.mu.Lock()
	was := l.health.Reachable
	away := time.Duration(0)
	if now := l.clock.Now(); was != (err == nil) {
		away = now.Sub(l.health.Since)
		l.health.Reachable, l.health.Since = err == nil, now
	}
	l.health.Error = err
	if err == nil {
		l.health.Revision = r
	}
	l.mu.Unlock()
	switch {
	case was && err != nil:
		l.log.Warn("directory unreachable, going on with what is known", "path", l.path, "error", err)
	case !was && err == nil:
		l.log.Warn("directory back", "path", l.path, "away", away, "revision", r.Number)
	}
}

// Health is how the directory fares.
func (l *link) Health() Health {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.health
}
