package server

import (
	"sync"
	"time"
)

// calls remembers which INVITEs came this way. An ACK has no transaction, no
// credentials that could be asked for, and is sent wherever its Route says: only
// one that follows an INVITE is passed on.
type calls struct {
	mu   sync.Mutex
	seen map[string]time.Time // by Call-ID and From tag
}

const (
	callLife = 10 * time.Minute // longer than any INVITE rings
	maxCalls = 100_000
)

func (c *calls) add(key string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]time.Time{}
	}
	if len(c.seen) >= maxCalls {
		for k := range c.seen { // any will do: it is an overload
			delete(c.seen, k)
			break
		}
	}
	c.seen[key] = now
}

func (c *calls) has(key string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.seen[key]
	return ok && now.Sub(at) < callLife
}

func (c *calls) purge(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, at := range c.seen {
		if now.Sub(at) >= callLife {
			delete(c.seen, k)
		}
	}
}
