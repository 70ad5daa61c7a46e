package client

import (
	"maps"
	"slices"

	"presfed/agents/internal/dialog"
	"presfed/agents/internal/message"
)

// sessionOf is the session that a request is in; nil: there is none.
func (c *Client) sessionOf(req *message.Request) *Session {
	id, err := dialog.IDOf(req)
	if err != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sessions[id]
}

func (c *Client) keep(s *Session, d *dialog.Dialog) {
	s.mu.Lock()
	s.d = d
	s.mu.Unlock()
	c.mu.Lock()
	c.sessions[d.ID] = s
	delete(c.calls, s)
	c.mu.Unlock()
}

func (c *Client) drop(s *Session) {
	s.mu.Lock()
	d := s.d
	s.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, s)
	if d != nil && c.sessions[d.ID] == s {
		delete(c.sessions, d.ID)
		c.awaitPrack(d.ID, s.progress)
	}
}

// Sessions are those that are not over, ringing ones and calls of ours among
// them, in no order.
func (c *Client) Sessions() []*Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.Collect(maps.Keys(c.calls))
	for _, s := range c.sessions {
		all = append(all, s)
	}
	return all
}
