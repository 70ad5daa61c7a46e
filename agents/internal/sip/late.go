package sip

import (
	"sync"
	"time"

	"presfed/agents/internal/clock"
)

// late keeps transactions that are over but for what may still come for them. All
// stay equally long, so that they go in the order in which they came and one timer
// does for all.
type late struct {
	clock clock.Clock
	lasts time.Duration

	mu    sync.Mutex
	queue []lateTx // oldest first
	timer clock.Timer
}

type lateTx struct {
	until time.Time
	tx    interface{ over() }
}

// add has tx.over called when its time is up.
func (l *late) add(tx interface{ over() }) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, lateTx{l.clock.Now().Add(l.lasts), tx})
	if l.timer == nil {
		l.timer = l.clock.AfterFunc(l.lasts, l.sweep)
	}
}

// sweep lets those go whose time is up, and comes again for the next: after a while,
// so that under load it does not come for each.
func (l *late) sweep() {
	l.mu.Lock()
	now := l.clock.Now()
	n := 0
	for n < len(l.queue) && !l.queue[n].until.After(now) {
		n++
	}
	gone := l.queue[:n:n]
	if l.queue, l.timer = l.queue[n:], nil; len(l.queue) == 0 {
		l.queue = nil
	} else {
		l.timer = l.clock.AfterFunc(max(l.queue[0].until.Sub(now), l.lasts/64), l.sweep)
	}
	l.mu.Unlock()
	for i := range gone {
		gone[i].tx.over()
		gone[i] = lateTx{}
	}
}

// stop ends the waiting for whoever is left.
func (l *late) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	l.queue = nil
}
