package composing

import (
	"sync"
	"time"

	"presfed/agents/internal/clock"
)

// The times of section 3.2.
const (
	MinRefresh  = 60 * time.Second // a status goes out no more often
	DefaultIdle = 15 * time.Second // without activity
)

// Composer is who composes a message for somebody: figure 1. Its methods may be
// called from any goroutine.
type Composer struct {
	cfg ComposerConfig

	mu          sync.Mutex
	over        bool
	active      bool
	contentType string
	last        time.Time // of activity
	timers      [2]clock.Timer
	turn        int // counts changes of state: a timer of an earlier one does nothing
}

// ComposerConfig is what a composer is made of.
type ComposerConfig struct {
	Clock   clock.Clock
	Refresh time.Duration // between statuses while active; less than MinRefresh: that
	Idle    time.Duration // 0: DefaultIdle
	// Send sends a status; it must neither block nor call the composer.
	Send func(Status)
}

// NewComposer is one who is idle. The caller stops it.
func NewComposer(cfg ComposerConfig) *Composer {
	cfg.Refresh = max(cfg.Refresh, MinRefresh)
	if cfg.Idle <= 0 {
		cfg.Idle = DefaultIdle
	}
	return &Composer{cfg: cfg}
}

// Composing is called whenever something is added to the message or edited.
func (c *Composer) Composing(contentType string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.last, c.contentType = c.cfg.Clock.Now(), contentType
	if c.active {
		c.timers[0].Reset(c.cfg.Idle)
		return
	}
	c.change(true)
	turn := c.turn
	c.timers[0] = c.cfg.Clock.AfterFunc(c.cfg.Idle, func() { c.idle(turn) })
	c.tell()
}

// tell sends the status, and sees to the next one. The lock is held.
func (c *Composer) tell() {
	s := Status{Active: c.active, ContentType: c.contentType, LastActive: c.last}
	if c.active {
		s.Refresh = c.cfg.Refresh
		turn := c.turn
		c.timers[1] = c.cfg.Clock.AfterFunc(c.cfg.Refresh, func() { c.refresh(turn) })
	}
	c.cfg.Send(s)
}

func (c *Composer) refresh(turn int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turn == turn {
		c.tell()
	}
}

// idle: there was no activity for long enough, unless there was some while the timer
// fired: that has set it anew.
func (c *Composer) idle(turn int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turn != turn || c.cfg.Clock.Now().Before(c.last.Add(c.cfg.Idle)) {
		return
	}
	c.change(false)
	c.tell()
}

// Sent: the message was sent, which says that its composer is idle.
func (c *Composer) Sent() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change(false)
}

// Stop has nothing sent any more: the other end does not want it (section 4), or
// is gone.
func (c *Composer) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.change(false)
}

// change goes to a state; the lock is held.
func (c *Composer) change(active bool) {
	c.active = active
	c.turn++
	for i, t := range c.timers {
		if t != nil {
			t.Stop()
			c.timers[i] = nil
		}
	}
}
