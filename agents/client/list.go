package client

import (
	"context"
	"errors"
	"fmt"

	"presfed/agents/internal/message"
	"presfed/agents/internal/rlmi"
)

// ErrNoList: what was subscribed to as a list of resources is none.
var ErrNoList = errors.New("is no list: the answer requires no eventlist")

// listTypes are the content types of a list's NOTIFYs (RFC 4662 section 4.3).
const listTypes = rlmi.BodyType + ", " + rlmi.MetaType

// BuddyList is the URI of the user's own list at a server of this kind.
func (c *Client) BuddyList() string { return rlmi.BuddyList(c.AOR()) }

// HasLists says whether the server said, when this device last registered, that
// it has lists of resources (RFC 4662).
func (c *Client) HasLists() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lists
}

// List says whether it is one to a list of resources.
func (s *Subscription) List() bool { return s.opts.List }

// Event is the event package.
func (s *Subscription) Event() string { return s.opts.Event }

// entity is whom or what events say they are about.
func (s *Subscription) entity() string {
	if s.opts.List {
		return s.target.String()
	}
	return message.AOR(s.target)
}

// isList holds the answer to the first SUBSCRIBE against what was asked for: a
// server that does not know lists takes the URI for a user's. That subscription
// is ended.
func (s *Subscription) isList(ctx context.Context, res *message.Response) error {
	if !s.opts.List || message.HasToken(res, "Require", rlmi.Extension) {
		return nil
	}
	s.mu.Lock()
	s.state = "terminated"
	s.mu.Unlock()
	s.client.forget(s)
	if s.opts.Expires > 0 {
		if err := s.again(ctx, 0); err != nil {
			s.client.log.Info("what is no list was not unsubscribed", "target", s.target.String(), "error", err)
		}
	}
	return fmt.Errorf("%s %w", s.target.String(), ErrNoList)
}

// listed reads what a NOTIFY of a list tells; nil tells nothing.
func listed(req *message.Request) (*rlmi.List, error) {
	if req == nil {
		return nil, nil
	}
	l, err := rlmi.Parse(message.Get(req, "Content-Type"), req.Body(), rlmi.DefaultLimits)
	return &l, err
}

// tellList tells what has changed: the list's own state, and that of each of its
// resources. Where a notification is missing, the whole state is asked for (RFC
// 4662 section 5.6).
func (s *Subscription) tellList(l *rlmi.List, state, reason string) {
	var events []Event
	itself := Event{Type: "buddies", Entity: s.entity(), State: state, Reason: reason}
	s.mu.Lock()
	told := s.listState
	if s.listState = state; state != told && state != "terminated" {
		events = append(events, itself)
	}
	var taken rlmi.Taken
	if l != nil {
		taken = s.table.Take(*l)
	}
	for _, r := range taken.Changed {
		events = append(events, s.resource(r)...)
	}
	for _, r := range taken.Gone {
		if s.shown[r.URI] {
			events = append(events, Event{Type: "presence", Entity: r.URI, List: s.entity(), State: rlmi.Terminated, Reason: "removed"})
		}
		delete(s.shown, r.URI)
	}
	if state != told && state == "terminated" { // the last that there is to tell
		events = append(events, itself)
	}
	s.mu.Unlock()
	for _, e := range events {
		s.client.emit(e)
	}
	if taken.Lost && state != "terminated" {
		s.client.spawn(s.renew)
	}
}

// resource is what is told of one that has changed: as if it came by a
// subscription of its own. The lock is held.
func (s *Subscription) resource(r rlmi.Resource) (events []Event) {
	if len(r.Instances) == 0 && s.shown[r.URI] { // nothing is known of it any more
		events = append(events, Event{Type: "presence", Entity: r.URI, List: s.entity()})
	}
	s.shown[r.URI] = len(r.Instances) > 0
	for _, i := range r.Instances {
		e := Event{Type: "presence", Entity: r.URI, List: s.entity(), State: i.State, Reason: i.Reason}
		if len(i.Body) > 0 {
			e.ContentType, e.Body = i.Type, string(i.Body)
			e.readPresence(i.Body)
		}
		events = append(events, e)
	}
	return events
}
